"""``touchdown run -- COMMAND``: runs an unchanged program and prints what its model calls cost."""

import argparse
import contextlib
import os
import secrets
import shutil
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from touchdown.cli.running.child import StartError, end_like, replace_us, run_child
from touchdown.cli.running.command import name_of
from touchdown.cli.running.span import RunSpan
from touchdown.live.run_folder import VARIABLE, Run, RunFolder
from touchdown.records import TaskRecord
from touchdown.runtime.identity import new_id, now_ns
from touchdown.runtime.private_folder import new_folder, sweep

if TYPE_CHECKING:
    from touchdown.cli.running.outcome import Outcome

STARTUP = Path(__file__).parent / "running" / "startup"
CAPTURED = ("openai", "anthropic", "touchdown.tasks")
"""Modules whose import is the moment to instrument a process; hosts of integrations come to these."""

EPILOG = """\
The program needs no change; touchdown must be installed in the environment that it runs in. Every
Python below it is seen but those started with -I, -E, -S or a PYTHONPATH of their own; programs in
other languages are not. The exit code, signals, standard input and the terminal are the program's.
The receipt goes to standard error, once, when the outermost command has ended. A program can say how
it went: touchdown.current_task().useful()
"""


def main(argv: list[str]) -> int:
    """Run a command under touchdown. Returns its exit code; 126 and 127 when it cannot be started."""
    options, command = _parse(argv)
    outer = RunFolder.current()
    try:
        if outer is not None:
            return end_like(_run_inside(outer, options, command))
        return end_like(_run(options, command))
    except StartError as problem:
        print(f"touchdown run: {problem}", file=sys.stderr)
        return problem.code


def _parse(argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        prog="touchdown run",
        usage="touchdown run [OPTIONS] -- COMMAND [ARGUMENTS]",
        description="Run a program and print what its model calls cost, split into work and taxes.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--name", help="name of the task (default: the command without arguments)")
    parser.add_argument(
        "--journal",
        metavar="PATH",
        default=os.environ.get("TOUCHDOWN_JOURNAL", ""),
        help="append every record to this file (default: TOUCHDOWN_JOURNAL)",
    )
    parser.add_argument(
        "--json",
        metavar="PATH",
        help="write the report as JSON to this file; - is standard output, after the program's own",
    )
    parser.add_argument("--quiet", action="store_true", help="print no receipt")
    parser.add_argument(
        "--stream-usage",
        action="store_true",
        help="ask OpenAI chat streams for their usage where the program does not",
    )
    parser.add_argument("command", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    at = argv.index("--") if "--" in argv else len(argv)
    options = parser.parse_args(argv[:at])
    command = [*options.command, *(argv[at:] if options.command else argv[at + 1 :])]
    if not command:
        parser.error("no command: touchdown run -- python agent.py")
    return options, command


def _run_inside(outer: RunFolder, options: argparse.Namespace, command: list[str]) -> int:
    """Inside another run the command is all there is to do: the outermost prints the receipt."""
    if options.name or options.json:
        print("touchdown run: inside another run; its receipt holds this one too", file=sys.stderr)
    return replace_us(command, _environment(outer))


def _run(options: argparse.Namespace, command: list[str]) -> int:
    task = TaskRecord(new_id("task"), options.name or name_of(command), now_ns())
    span = RunSpan(task)
    folder = RunFolder(new_folder("run-"))
    run = Run(
        task_id=task.id,
        name=task.name,
        started_at_ns=task.started_at_ns,
        digest_key=_digest_key().hex(),
        journal=os.path.abspath(options.journal) if options.journal else "",
        traceparent=span.traceparent,
        stream_usage=options.stream_usage,
    )
    try:
        hosts = (entry.name for entry in entry_points(group="touchdown.integrations"))
        folder.write(run, [*CAPTURED, *hosts])
        code = run_child(command, _environment(folder))
        _finish(options, folder, run, span, command, code)
    finally:
        shutil.rmtree(folder.path, ignore_errors=True)
        sweep()
    return code


def _digest_key() -> bytes:
    return os.environ.get("TOUCHDOWN_DIGEST_KEY", "").encode()[:64] or secrets.token_bytes(16)


def _environment(folder: RunFolder) -> dict[str, str]:
    """Ours, with the folder of the run and the head of PYTHONPATH that brings touchdown in."""
    environment = dict(os.environ)
    environment.pop("TOUCHDOWN_JOURNAL", None)  # the run's own journal stands in the folder
    environment[VARIABLE] = str(folder.path)
    former = environment.get("PYTHONPATH", "").split(os.pathsep)
    paths = [str(STARTUP), *(path for path in former if path != str(STARTUP))]
    environment["PYTHONPATH"] = os.pathsep.join(paths if former != [""] else paths[:1])
    return environment


def _finish(
    options: argparse.Namespace,
    folder: RunFolder,
    run: Run,
    span: RunSpan,
    command: list[str],
    code: int,
) -> None:
    """Settle and show; what goes wrong here is said, and the program's exit code stands."""
    from touchdown.cli.running.outcome import settle_run

    try:
        outcome = settle_run(folder, run, command, code)
        span.close(outcome.account)
        if options.json:
            _write_report(outcome, options.json)
        if not options.quiet:
            _show(outcome)
    except Exception as error:
        with contextlib.suppress(OSError):
            print(f"touchdown run: no receipt ({type(error).__name__}: {error})", file=sys.stderr)


def _write_report(outcome: "Outcome", target: str) -> None:
    text = outcome.report().model_dump_json(indent=2) + "\n"
    try:
        if target == "-":
            sys.stdout.write(text)
            sys.stdout.flush()
        else:
            Path(target).write_text(text, encoding="utf-8")
    except OSError as error:
        print(f"touchdown run: {target} not written ({error.strerror})", file=sys.stderr)


def _show(outcome: "Outcome") -> None:
    from touchdown.report import Receipt, show

    print(file=sys.stderr)
    if outcome.saw_something:
        show(Receipt(outcome.account), sys.stderr)
    if not outcome.account.model_calls:
        print("touchdown: no model call was seen", file=sys.stderr)
    elif outcome.remarks:
        print("\ntouchdown: not everything was seen", file=sys.stderr)
    for remark in outcome.remarks:
        print(f"  {remark}", file=sys.stderr)
