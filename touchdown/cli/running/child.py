"""The command that `touchdown run` runs: started in our place, so to say, and waited for.

It keeps our process group, terminal, files and signal settings. What is sent to us is passed on; what the
terminal sends to the whole group has reached it already. When it stops, we stop; how it ends, we end.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence

NOT_FOUND = 127
NOT_EXECUTABLE = 126

_PASSED_ON = ("HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "WINCH", "CONT", "TSTP")
_FROM_KEYS = ("INT", "QUIT", "TSTP")
_STOPS = ("TSTP", "TTIN", "TTOU")


class StartError(Exception):
    """The command cannot be started: the reason, and the exit code that shells give for it."""

    def __init__(self, reason: str, code: int) -> None:
        super().__init__(reason)
        self.code = code


def run_child(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run the command to its end. Returns its exit code, ``-n`` when signal n killed it.

    Errors: :class:`StartError`.
    """
    try:
        if not hasattr(os, "posix_spawnp"):
            return _run_simply(command, environment)
        return _run_in_place(command, environment)
    except FileNotFoundError:
        raise StartError(f"no command {command[0]!r}", NOT_FOUND) from None
    except OSError as error:
        raise StartError(f"{command[0]}: {error.strerror}", NOT_EXECUTABLE) from error


def replace_us(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Become the command, where the system can; otherwise run it. Returns only in the second case.

    Errors: :class:`StartError`.
    """
    if not hasattr(os, "posix_spawnp"):
        return run_child(command, environment)
    sys.stdout.flush()
    for name in ("PIPE", "XFSZ"):  # Python ignores these; the command shall find them as they were
        signal.signal(_number(name), signal.SIG_DFL)
    try:
        os.execvpe(command[0], list(command), dict(environment))
    except FileNotFoundError:
        raise StartError(f"no command {command[0]!r}", NOT_FOUND) from None
    except OSError as error:
        raise StartError(f"{command[0]}: {error.strerror}", NOT_EXECUTABLE) from error


def end_like(code: int) -> int:
    """End this process by the signal that killed the child, as if it had been us; else hand back the code."""
    if code >= 0:
        return code
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    with contextlib.suppress(OSError, ValueError):
        signal.signal(-code, signal.SIG_DFL)
    with contextlib.suppress(OSError):
        os.kill(os.getpid(), -code)
    return 128 - code


def _run_simply(command: Sequence[str], environment: Mapping[str, str]) -> int:
    found = shutil.which(command[0]) or command[0]
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the console tells the child itself
    with subprocess.Popen([found, *command[1:]], env=dict(environment)) as process:
        return process.wait()


def _run_in_place(command: Sequence[str], environment: Mapping[str, str]) -> int:
    watched = {_number(name) for name in (*_PASSED_ON, "CHLD")}
    # Started with children ignored, we would never hear how ours ended.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    try:
        child = os.posix_spawnp(
            command[0],
            list(command),
            environment,
            setsigmask=before,
            setsigdef=[_number("PIPE"), _number("XFSZ")],
        )
        return _follow(child, watched)
    finally:
        while pending := signal.sigpending() & watched:
            signal.sigwait(pending)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _follow(child: int, watched: set[int]) -> int:
    stops = {_number(name) for name in _STOPS}
    while True:
        number, passed_on = _next_signal(child, watched)
        if number == signal.SIGCHLD:
            pid, status = os.waitpid(child, os.WNOHANG | os.WUNTRACED)
            if pid and os.WIFSTOPPED(status):
                if os.WSTOPSIG(status) in stops:
                    os.kill(os.getpid(), signal.SIGSTOP)
            elif pid:
                return os.waitstatus_to_exitcode(status)
        elif passed_on:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(child, number)


def _next_signal(child: int, watched: set[int]) -> tuple[int, bool]:
    """The next signal, and whether the child has yet to be told of it."""
    if hasattr(signal, "sigwaitinfo"):
        told = signal.sigwaitinfo(watched)
        by_a_process = told.si_code <= 0  # the kernel's own, from the terminal, are above
        return told.si_signo, by_a_process and told.si_pid != child
    number = int(signal.sigwait(watched))
    from_keys = number in {_number(name) for name in _FROM_KEYS} and _in_foreground()
    return number, not from_keys


def _in_foreground() -> bool:
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False


def _number(name: str) -> int:
    return int(getattr(signal, f"SIG{name}"))
