"""What is done at the end of the process: one broken action spares the others, and the exit."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
from touchdown.runtime.ending import at_end

def breaks():
    raise ValueError("broken on purpose")

def works():
    open(sys.argv[1], "w").write("done")

at_end(breaks)
at_end(works)
{ending}
"""


def run(folder: Path, ending: str) -> tuple[int, str, str]:
    """Exit code and error output of a program that ends so, and what its last action wrote."""
    wrote = folder / "wrote"
    command = [sys.executable, "-c", PROGRAM.format(ending=ending), str(wrote)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return ended.returncode, ended.stderr, wrote.read_text()


def test_an_action_that_breaks_is_logged_and_the_next_is_done(tmp_path: Path) -> None:
    code, said, wrote = run(tmp_path, "")
    assert (code, wrote) == (0, "done")
    assert said.startswith("touchdown: end failed"), said


def test_the_hosts_own_error_stays_the_last_word(tmp_path: Path) -> None:
    code, said, wrote = run(tmp_path, "raise KeyError('the host')")
    assert (code, wrote) == (1, "done")
    assert said.startswith("Traceback"), said
    assert "KeyError: 'the host'" in said


def test_the_hosts_own_exit_code_stays(tmp_path: Path) -> None:
    code, _said, wrote = run(tmp_path, "sys.exit(7)")
    assert (code, wrote) == (7, "done")
