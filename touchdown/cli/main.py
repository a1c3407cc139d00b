"""``touchdown COMMAND``: finds the command's module and hands it the rest of the line."""

import contextlib
import difflib
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import cast

from msgspec import Struct

INTERRUPTED = 130
PIPE_CLOSED = 141
MISUSED = 2


class Command(Struct, frozen=True):
    """One subcommand: its module has ``main(argv: list[str]) -> int`` and is imported only to run it."""

    module: str
    help: str
    extra: str = ""
    """The optional dependencies that it needs."""


COMMANDS = {
    "analyze": Command("touchdown.cli.analyze", "what recorded agent sessions cost, and why"),
    "demo": Command("touchdown.cli.demo", "watch an agent work and read its bill; no keys", "demo"),
    "run": Command("touchdown.cli.run", "run a program and print the bill of its model calls"),
    "collect": Command(
        "touchdown.cli.collect", "receive spans of agents and engines, and join them"
    ),
    "doctor": Command("touchdown.cli.doctor", "what is captured here, sent where, and not seen"),
    "prices": Command("touchdown.cli.prices", "what a model costs, and which book says so"),
}

INTRODUCTION = """\
touchdown: where did this task pay the boundary tax?

usage: touchdown COMMAND [ARGUMENTS]

commands:"""

OPTIONS = """
options:
  -h, --help  this text; touchdown COMMAND --help for a command's own
  --version   the version of touchdown and of Python"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 2 for a wrong command, 130 when interrupted."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _dispatch(arguments)
        if sys.stdout is not None:
            sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _silence_stdout()
        return PIPE_CLOSED
    return code


def help_text() -> str:
    """What ``touchdown --help`` prints."""
    width = max(map(len, COMMANDS)) + 2
    commands = [f"  {name:<{width}}  {command.help}" for name, command in COMMANDS.items()]
    return "\n".join([INTRODUCTION, *commands, OPTIONS])


def version_text() -> str:
    """What ``touchdown --version`` prints."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        ours = version("touchdown-agents")
    except PackageNotFoundError:
        ours = "(from a source tree that is not installed)"
    python = ".".join(map(str, sys.version_info[:3]))
    return f"touchdown {ours}, Python {python}"


def _dispatch(arguments: list[str]) -> int:
    name, *rest = arguments or ["--help"]
    if name in ("-h", "--help", "help"):
        print(help_text())
        return 0
    if name in ("-V", "--version"):
        print(version_text())
        return 0
    command = COMMANDS.get(name)
    return _run(name, command, rest) if command else _unknown(name)


def _run(name: str, command: Command, arguments: list[str]) -> int:
    try:
        run = cast(Callable[[list[str]], int], importlib.import_module(command.module).main)
    except ImportError as problem:
        ours = (problem.name or "").partition(".")[0] == "touchdown"
        hint = f'; it needs the extra "{command.extra}"' if command.extra and not ours else ""
        return _refuse(f"{name} cannot be loaded: {problem}{hint}", 1)
    try:
        return run(arguments)
    except SystemExit as stop:
        # How argparse leaves; its output is flushed like any other's.
        if isinstance(stop.code, str):
            return _refuse(stop.code, 1)
        return stop.code or 0


def _unknown(name: str) -> int:
    close = difflib.get_close_matches(name, COMMANDS, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(COMMANDS)}"
    return _refuse(f"no command {name!r}: {hint}", MISUSED)


def _refuse(message: str, code: int) -> int:
    print(f"touchdown: {message}", file=sys.stderr)
    return code


def _silence_stdout() -> None:
    """Point standard output at nothing, or the interpreter complains when it flushes at exit."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
