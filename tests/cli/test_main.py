"""The command line's front door."""

import os
import subprocess
import sys
import types

import pytest

from touchdown.cli.main import COMMANDS, Command, main


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A command called ``greet`` whose module can be given a ``main``."""
    module = types.ModuleType("touchdown_test_greet")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(COMMANDS, "greet", Command(module.__name__, "say hello"))
    return module


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_help_lists_the_commands(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert all(f"  {name} " in out and command.help in out for name, command in COMMANDS.items())
    assert max(map(len, out.splitlines())) <= 80


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("touchdown ")


@pytest.mark.parametrize(
    ("typed", "hint"),
    [("demmo", "did you mean demo?"), ("xyzzy", f"there are {', '.join(COMMANDS)}")],
)
def test_an_unknown_command(typed: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([typed]) == 2
    streams = capsys.readouterr()
    assert not streams.out
    assert len(streams.err.splitlines()) == 1
    assert hint in streams.err


def test_a_command_gets_the_rest_of_the_line(command: types.ModuleType) -> None:
    seen: list[list[str]] = []

    def greet(argv: list[str]) -> int:
        seen.append(argv)
        return 7

    command.main = greet  # type: ignore[attr-defined]
    assert main(["greet", "--help", "-x"]) == 7
    assert seen == [["--help", "-x"]]


def test_a_missing_extra_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(COMMANDS, "broken", Command("no_such_package.cli", "none", "demo"))
    assert main(["broken"]) == 1
    assert capsys.readouterr().err == (
        "touchdown: broken cannot be loaded: No module named 'no_such_package'; "
        'it needs the extra "demo"\n'
    )


@pytest.mark.parametrize(("code", "returned"), [(None, 0), (2, 2), ("no such file", 1)])
def test_a_command_may_leave_like_argparse(
    command: types.ModuleType, code: object, returned: int
) -> None:
    def leave(argv: list[str]) -> int:
        raise SystemExit(code)

    command.main = leave  # type: ignore[attr-defined]
    assert main(["greet"]) == returned


def test_an_interrupt_is_quiet(
    command: types.ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(argv: list[str]) -> int:
        raise KeyboardInterrupt

    command.main = interrupted  # type: ignore[attr-defined]
    assert main(["greet"]) == 130
    assert capsys.readouterr() == ("", "")


@pytest.mark.skipif(os.name != "posix", reason="closes a pipe by its descriptor")
def test_a_closed_pipe_is_quiet() -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "touchdown", "--help"],
            stdout=write,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    finally:
        os.close(write)
    assert (ended.returncode, ended.stderr) == (141, b"")


def test_python_m_touchdown_is_the_command() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "touchdown", "nonsense"],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2


def test_no_command_is_imported_to_show_help() -> None:
    program = (
        "import sys; from touchdown.cli.main import main; main([])\n"
        "loaded = {n for n in sys.modules if n.startswith('touchdown.cli.')}\n"
        "assert loaded == {'touchdown.cli.main'}, loaded\n"
        "assert 'pydantic' not in sys.modules and 'rich' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60, capture_output=True)
