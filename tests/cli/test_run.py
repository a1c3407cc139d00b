"""`touchdown run` with real child processes: the program is as it was, and the bill is whole."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from touchdown.accounting.ledger import refold
from touchdown.live.journal import read_journal
from touchdown.prices.book import PriceBook
from touchdown.testing import Provider, Reply, Request

REPOSITORY = Path(__file__).parents[2]
RUN = (sys.executable, "-m", "touchdown", "run")

LINE = """
import select, sys
def line():
    # In slices: a signal just before a blocking read would wait for the next line.
    while not select.select([0], [], [], 0.05)[0]:
        pass
    return sys.stdin.readline()
"""

ASK = """
import os, subprocess, sys, openai
def ask(text):
    client = openai.OpenAI()
    question = [{"role": "user", "content": text}]
    return client.chat.completions.create(model="gpt-5", messages=question)
"""


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    ours = ("OTEL_", "TOUCHDOWN_", "OPENAI_", "ANTHROPIC_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "PYTHONPATH": str(REPOSITORY), **(extra or {})}


def run(
    *arguments: str | Path,
    cwd: Path,
    extra: Mapping[str, str] | None = None,
    given: str = "",
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*RUN, *arguments],
        cwd=cwd,
        env=environment(extra),
        input=given,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def answer(request: Request) -> Reply:
    return Reply("fine")


def program(folder: Path, text: str, name: str = "agent.py") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def report_of(folder: Path) -> Any:
    return json.loads((folder / "report.json").read_text())


# -- the program is as it was --------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 3])
def test_the_exit_code_and_both_outputs_are_the_programs(code: int, tmp_path: Path) -> None:
    talk = f"import sys; print('out'); print('err', file=sys.stderr); sys.exit({code})"
    ran = run("--quiet", "--", sys.executable, "-c", talk, cwd=tmp_path)
    assert (ran.returncode, ran.stdout, ran.stderr) == (code, "out\n", "err\n")


def test_standard_input_and_other_open_files_reach_it(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"by number")
    os.close(writer)
    talk = f"import os, sys; print(sys.stdin.read(), os.read({reader}, 99).decode())"
    ran = subprocess.run(
        [*RUN, "--", sys.executable, "-c", talk],
        cwd=tmp_path,
        env=environment(),
        input="by pipe",
        pass_fds=(reader,),
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    os.close(reader)
    assert ran.stdout == "by pipe by number\n"


@pytest.mark.parametrize(
    ("command", "code", "told"),
    [(["./nowhere"], 127, "no command './nowhere'"), (["./plain"], 126, "Permission denied")],
)
def test_what_cannot_be_started_is_said(
    command: list[str], code: int, told: str, tmp_path: Path
) -> None:
    (tmp_path / "plain").write_text("text")
    ran = run("--", *command, cwd=tmp_path)
    assert (ran.returncode, ran.stdout) == (code, "")
    assert told in ran.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_to_us_reaches_the_program_once_and_ends_us_alike(
    number: signal.Signals, tmp_path: Path
) -> None:
    count = program(
        tmp_path,
        f"{LINE}import signal\n"
        "seen = []\n"
        "def told(*_):\n"
        "    seen.append(1)\n"
        "    print('told', flush=True)\n"
        f"signal.signal({int(number)}, told)\n"
        "print('ready', flush=True)\n"
        "line()\n"
        "print(len(seen), flush=True)\n"
        f"signal.signal({int(number)}, signal.SIG_DFL)\n"
        "print('again', flush=True)\n"
        "line()\n",
    )
    with subprocess.Popen(
        [*RUN, "--quiet", "--", sys.executable, str(count)],
        cwd=tmp_path,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.stdout.readline() == "told\n"
        process.stdin.write("look\n")
        process.stdin.flush()
        assert process.stdout.readline() == "1\n"
        assert process.stdout.readline() == "again\n"
        process.send_signal(number)
        assert process.wait(60) == -number


def test_the_terminal_is_the_programs_and_its_keys_interrupt_it_once(tmp_path: Path) -> None:
    talk = program(
        tmp_path,
        f"{LINE}import os\n"
        "interrupted = 0\n"
        "for _ in range(2):\n"
        "    try:\n"
        "        ours = os.tcgetpgrp(0) == os.getpgrp()\n"
        "        print([os.isatty(fd) for fd in (0, 1, 2)], ours, 'ready', flush=True)\n"
        "        line()\n"
        "    except KeyboardInterrupt:\n"
        "        interrupted += 1\n"
        "        print('go on', flush=True)\n"
        "print('interrupted', interrupted, flush=True)\n"
        "sys.exit(7)\n",
    )
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        os.execve(sys.executable, [*RUN, "--quiet", "--", sys.executable, str(talk)], environment())
    assert b"[True, True, True] True" in read_until(terminal, b"ready")
    os.write(terminal, b"\x03")
    read_until(terminal, b"go on")
    os.write(terminal, b"a line\n")
    assert b"interrupted 1" in read_until(terminal, b"interrupted 1")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    os.close(terminal)


def read_until(terminal: int, wanted: bytes) -> bytes:
    seen = b""
    while wanted not in seen:
        ready, _, _ = select.select([terminal], [], [], 60)
        assert ready, f"{wanted!r} did not come, only {seen!r}"
        seen += os.read(terminal, 1024)
    return seen


def test_the_hosts_own_sitecustomize_runs_behind_ours(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    program(tmp_path / "own", "mark = 'of the host'\n", "sitecustomize.py")
    talk = "import sitecustomize, sys; print(sitecustomize.mark, 'startup' in str(sys.path))"
    own = os.pathsep.join([str(tmp_path / "own"), str(REPOSITORY)])
    ran = run("--", sys.executable, "-c", talk, cwd=tmp_path, extra={"PYTHONPATH": own})
    assert ran.stdout == "of the host False\n"


# -- what is seen --------------------------------------------------------------------------------

FAMILY = (
    ASK
    + """
import touchdown
how = sys.argv[1] if len(sys.argv) > 1 else ""
if not how:
    ask("parent")
    import anthropic
    question = [{"role": "user", "content": "parent"}]
    anthropic.Anthropic().messages.create(model="claude-sonnet-5", max_tokens=9, messages=question)
    with touchdown.task("inner") as task:
        ask("inner")
        task.useful()
    nested = [sys.executable, "-m", "touchdown", "run", "--name", "nested", "--"]
    for way, before in (("plain", nested), ("exit", []), ("kill", [])):
        ended = subprocess.run([*before, sys.executable, __file__, way])
        print(way, ended.returncode, flush=True)
    touchdown.current_task().useless("told by the program")
else:
    ask(how)
    touchdown.flush()
    if how == "exit":
        os._exit(5)
    if how == "kill":
        os.kill(os.getpid(), 9)
"""
)


@pytest.fixture(scope="module")
def family(
    tmp_path_factory: pytest.TempPathFactory,
) -> "tuple[Path, subprocess.CompletedProcess[str]]":
    for name in ("openai", "anthropic"):
        pytest.importorskip(name)
    folder = tmp_path_factory.mktemp("family")
    path = program(folder, FAMILY)
    options = ("--journal", "journal.jsonl", "--json", "report.json")
    with Provider(answer) as provider:
        ran = run(*options, "--", sys.executable, path, cwd=folder, extra=provider.env())
        assert len(provider.requests) == 6
    return folder, ran


def test_children_count_in_one_task_however_they_end(
    family: "tuple[Path, subprocess.CompletedProcess[str]]",
) -> None:
    folder, ran = family
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "plain 0\nexit 5\nkill -9\n"
    root, inner = report_of(folder)["tasks"]
    assert (root["name"], root["outcome"], root["model_calls"]) == (
        f"{Path(sys.executable).name} agent.py",
        "useless",
        6,
    )
    assert (inner["name"], inner["outcome"], inner["model_calls"]) == ("inner", "useful", 1)
    assert inner["parent_id"] == root["id"]
    assert {model["model"] for model in root["models"]} == {"gpt-5", "claude-sonnet-5"}
    assert [agent["name"] for agent in root["agent_runs"]] == ["agent"] * 3


def test_one_receipt_with_what_the_program_said(
    family: "tuple[Path, subprocess.CompletedProcess[str]]",
) -> None:
    _, ran = family
    assert ran.stderr.count("boundary tax") == 1
    assert "told by the program" in ran.stderr
    assert "not everything was seen" not in ran.stderr


def test_the_journal_folds_to_the_same_bill(
    family: "tuple[Path, subprocess.CompletedProcess[str]]",
) -> None:
    folder, _ = family
    again = refold(read_journal(folder / "journal.jsonl"), PriceBook()).account()
    money = report_of(folder)["tasks"][0]["money"]
    assert again.money.total_usd == Decimal(money["total_usd"]) > 0
    assert (again.model_calls, again.task.outcome, again.open) == (6, "useless", False)


def test_a_call_cut_off_by_a_kill_is_counted_as_unknown(tmp_path: Path) -> None:
    pytest.importorskip("openai")
    path = program(tmp_path, ASK + "import touchdown\nask('one')\ntouchdown.flush()\nask('two')\n")

    def kill_at_the_second(request: Request) -> Reply:
        if "two" in json.dumps(request.body):
            os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
        return Reply("fine")

    path.write_text(f"import os\nopen('pid', 'w').write(str(os.getpid()))\n{path.read_text()}")
    with Provider(kill_at_the_second) as provider:
        ran = run(
            "--json", "report.json", "--", sys.executable, path, cwd=tmp_path, extra=provider.env()
        )
    assert ran.returncode == -signal.SIGKILL
    task = report_of(tmp_path)["tasks"][0]
    assert task["model_calls"] == 2
    assert (task["money"]["complete"], task["money"]["unpriced_calls"]) == (False, 1)
    assert "ended by SIGKILL" in ran.stderr
    assert "at least" in ran.stderr


def test_the_programs_own_options_hold(tmp_path: Path) -> None:
    pytest.importorskip("openai")
    path = program(
        tmp_path,
        ASK
        + "import touchdown\n"
        + "from touchdown.prices.override import Override\n"
        + "own = [Override(model='gpt-5', host='127.0.0.1', input='1000000', output='0')]\n"
        + "touchdown.instrument(prices=own, journal='own.jsonl')\n"
        + "ask('one')\n",
    )
    with Provider(answer) as provider:
        ran = run(
            "--json", "report.json", "--", sys.executable, path, cwd=tmp_path, extra=provider.env()
        )
    assert ran.returncode == 0, ran.stderr
    assert "already instrumented" not in ran.stderr
    task = report_of(tmp_path)["tasks"][0]
    tokens = task["usage"]["uncached_input"]
    assert Decimal(task["money"]["total_usd"]) == tokens > 0
    own = refold(read_journal(tmp_path / "own.jsonl"), PriceBook()).account()
    assert (own.model_calls, own.task.id) == (1, task["id"])
    assert task["agents"] == 0


def test_the_run_is_the_parent_of_every_span(tmp_path: Path) -> None:
    pytest.importorskip("openai")
    path = program(tmp_path, ASK + "ask('one')\n")
    console = {"OTEL_TRACES_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "none"}
    with Provider(answer) as provider:
        ran = run(
            "--name",
            "fix it",
            "--",
            sys.executable,
            path,
            cwd=tmp_path,
            extra=provider.env() | console,
        )
    call, whole = spans_in(ran.stdout)
    assert (call["name"], whole["name"]) == ("chat gpt-5", "invoke_workflow fix it")
    assert call["context"]["trace_id"] == whole["context"]["trace_id"]
    assert call["parent_id"] == whole["context"]["span_id"]
    assert whole["attributes"]["touchdown.task.cost.usd"] > 0


def spans_in(text: str) -> list[Any]:
    """The spans that the console exporter printed, one JSON object behind the other."""
    found, decoder = [], json.JSONDecoder()
    while text := text.strip():
        span, end = decoder.raw_decode(text)
        found.append(span)
        text = text[end:]
    return found


# -- what is not seen ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (["true"], "no Python was entered"),
        ([sys.executable, "-c", "pass"], "imported neither openai nor anthropic"),
        ([sys.executable, "-I", "-c", "pass"], "-I keeps touchdown out"),
        ([sys.executable, "-Es", "-c", "pass"], "-E keeps touchdown out"),
        ([sys.executable, "-S", "-c", "pass"], "-S keeps touchdown out"),
    ],
)
def test_says_why_nothing_was_seen(command: list[str], why: str, tmp_path: Path) -> None:
    ran = run("--", *command, cwd=tmp_path)
    assert ran.returncode == 0
    assert "no model call was seen" in ran.stderr
    assert why in ran.stderr
    assert "$" not in ran.stderr


def test_without_touchdown_in_the_programs_python_it_runs_and_this_is_said(tmp_path: Path) -> None:
    (tmp_path / "other" / "touchdown").mkdir(parents=True)
    (tmp_path / "other" / "touchdown" / "__init__.py").touch()
    talk = "import sys; sys.path.insert(0, 'other'); import anthropic; print(anthropic.__name__)"
    pytest.importorskip("anthropic")
    ran = run("--", sys.executable, "-c", talk, cwd=tmp_path)
    assert (ran.returncode, ran.stdout) == (0, "anthropic\n")
    assert f"{sys.executable}: touchdown cannot be imported" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_turned_off_it_says_so(tmp_path: Path) -> None:
    pytest.importorskip("openai")
    off = {"TOUCHDOWN_DISABLED": "1"}
    ran = run("--", sys.executable, "-c", "import openai", cwd=tmp_path, extra=off)
    assert ran.returncode == 0
    assert "TOUCHDOWN_DISABLED is set" in ran.stderr


def test_the_report_on_standard_output_comes_after_the_programs_own(tmp_path: Path) -> None:
    ran = run("--json", "-", "--quiet", "--", "echo", "mine", cwd=tmp_path)
    own, _, report = ran.stdout.partition("\n")
    assert own == "mine"
    assert json.loads(report)["schema"] == "touchdown.report/1"
    assert ran.stderr == ""
