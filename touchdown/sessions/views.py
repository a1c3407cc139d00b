"""Views: into which group a call falls when an analysis is asked for by day, by model and so on."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone, tzinfo

from touchdown.records import ModelCall

HOUR_NS = 3600 * 10**9
WINDOW_HOURS = 5
"""The length of a plan's window of use. Source: the Claude Code documentation, 2026-08."""

UNKNOWN_MODEL = "(model not reported)"

VIEWS = ("session", "turn", "day", "week", "month", "model", "project", "5h")
IN_ORDER_OF_TIME = frozenset({"day", "week", "month", "5h"})

Group = Callable[[ModelCall], str]


def grouping(view: str, zone: tzinfo | None) -> Group:
    """The group of a call in a view. ``zone`` is ``None`` for the machine's own.

    For ``5h`` it is the hour: windows begin with their first call, so they are made of hours by
    ``windows`` once all calls are known.
    """
    groups: Mapping[str, Group] = {
        "turn": lambda call: call.task_id,
        "day": lambda call: moment(call.sent_at_ns, zone).strftime("%Y-%m-%d"),
        "week": lambda call: _monday(moment(call.sent_at_ns, zone)).strftime("%Y-%m-%d"),
        "month": lambda call: moment(call.sent_at_ns, zone).strftime("%Y-%m"),
        "model": lambda call: call.priced_model or UNKNOWN_MODEL,
        "5h": lambda call: str(call.sent_at_ns // HOUR_NS),
    }
    return groups[view]


def moment(at_ns: int, zone: tzinfo | None) -> datetime:
    """A time of a record in a zone; the nearest that can be written down."""
    try:
        return datetime.fromtimestamp(at_ns // 10**9, timezone.utc).astimezone(zone)
    except (OverflowError, ValueError, OSError):
        return datetime(1970, 1, 1, tzinfo=timezone.utc)


def _monday(at: datetime) -> datetime:
    return at - timedelta(days=at.weekday())


def windows(hours: list[str], zone: tzinfo | None) -> dict[str, str]:
    """Hour to the name of its window: it begins with an hour in which something was called."""
    names: dict[str, str] = {}
    start: int | None = None
    for hour in sorted(map(int, hours)):
        if start is None or hour >= start + WINDOW_HOURS:
            start = hour
        names[str(hour)] = moment(start * HOUR_NS, zone).strftime("%Y-%m-%d %H:%M")
    return names
