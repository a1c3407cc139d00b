"""The clocks inside records as attributes, and again. One attribute for each: a span has room for 128."""

import json
from operator import attrgetter
from typing import Any

from msgspec.structs import astuple, fields

from touchdown.records import CallClock, EngineTiming, GapBucket, Mark
from touchdown.telemetry import time_names as names
from touchdown.telemetry.facts import FLAG, NUMBER, TEXT, Column, Fact, Facts, Form

UNSEEN = -1
_BUCKET = 3
_FIGURES = tuple(field.name for field in fields(CallClock) if field.name != "gaps")
_figures = attrgetter(*_FIGURES)


def _read_mark(told: Any) -> Mark:
    return Mark(*map(int, told))


def _write_clock(clock: CallClock) -> tuple[int, ...]:
    told = [UNSEEN if figure is None else figure for figure in _figures(clock)]
    for gap in clock.gaps:
        told += [gap.power, gap.count, gap.total_ns]
    return tuple(told)


def _read_clock(told: Any) -> CallClock:
    numbers = list(map(int, told))
    figures = [None if number == UNSEEN else number for number in numbers[: len(_FIGURES)]]
    rest = numbers[len(_FIGURES) :]
    gaps = tuple(GapBucket(*rest[i : i + _BUCKET]) for i in range(0, len(rest), _BUCKET))
    return CallClock(**dict(zip(_FIGURES, figures, strict=True)), gaps=gaps)


def _write_engine(timing: EngineTiming) -> tuple[str, ...]:
    told = {field.name: getattr(timing, field.name) for field in fields(timing)}
    return tuple([f"{n}={json.dumps(v)}" for n, v in told.items() if v not in (None, "", {})])


def _read_engine(told: Any) -> EngineTiming:
    pairs = (str(pair).partition("=") for pair in told)
    return EngineTiming(**{name: json.loads(value) for name, _, value in pairs})


_MARK = Form(_read_mark, astuple)

_STOOD = (
    Fact("inside", names.INSIDE, TEXT),
    Fact("begun", names.BEGUN, _MARK),
    Fact("ended", names.ENDED, _MARK),
)
_CPU = (
    Fact("cpu_s", names.CPU, NUMBER),
    Fact("children_cpu_s", names.CHILDREN_CPU, NUMBER),
)
CALL_CLOCKS = Facts(
    *_STOOD,
    Fact("awaited", names.AWAITED, TEXT),
    Fact("clock", names.CALL, Form(_read_clock, _write_clock)),
    Fact("engine", names.ENGINE, Form(_read_engine, _write_engine)),
)
AGENT_CLOCKS = _STOOD
TOOL_CLOCKS = (*_STOOD, *_CPU, Fact("human", names.HUMAN, FLAG))
TASK_CLOCKS = (*_STOOD, *_CPU)
ATTEMPT_LASTED = Column("lasted_s", names.ATTEMPTS_LASTED, float, nothing=-1.0, needed=False)
