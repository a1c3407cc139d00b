"""Telemetry fails alone: what goes wrong is said once in one line, and never raised."""

import contextlib
import logging

from touchdown.runtime.guard import describe

_log = logging.getLogger("touchdown.telemetry")
_said: set[str] = set()


def say_once(place: str, line: str) -> None:
    """Log one warning line per place and process. Never raises, even when the host's logging does."""
    if place in _said:
        return
    _said.add(place)
    say(line)


def say(line: str) -> None:
    """Log one warning line. Never raises."""
    with contextlib.suppress(Exception):
        _log.warning("touchdown: %s", line)


def failed(place: str, error: Exception) -> None:
    """Note that `place` raised, once."""
    say_once(place, f"{place} failed ({describe(error)}); the host's call is not affected")


def forget() -> None:
    """Say everything again from here on: a fresh set-up must be able to say what is wrong with it."""
    _said.clear()
