"""Telemetry fails alone: what goes wrong is said once in one line, and never raised."""

import logging
from asyncio import CancelledError

from touchdown.runtime.guard import describe, pass_on

_log = logging.getLogger("touchdown.telemetry")
_said: set[str] = set()

BROKEN = (Exception, CancelledError, GeneratorExit)
"""What is a failure where a host's processor, sampler or exporter may raise it.

Nothing is awaited there, and no generator of a host runs: these two were not meant for whoever asked. What
the interpreter itself may raise anywhere, Ctrl-C and a signal handler's ``SystemExit``, passes.
"""


def say_once(place: str, line: str) -> None:
    """Log one warning line per place and process. Never raises, even when the host's logging does."""
    if place in _said:
        return
    _said.add(place)
    say(line)


def say(line: str) -> None:
    """Log one warning line. Never raises."""
    try:
        _log.warning("touchdown: %s", line)
    except Exception as error:
        pass_on(error)


def failed(place: str, error: BaseException) -> None:
    """Note that `place` raised, once. Raises again what the host's own signal handler raised."""
    pass_on(error)
    say_once(place, f"{place} failed ({describe(error)}); the host's call is not affected")


def forget() -> None:
    """Say everything again from here on: a fresh set-up must be able to say what is wrong with it."""
    _said.clear()
