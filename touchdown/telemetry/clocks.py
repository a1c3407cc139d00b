"""The clocks inside records as attributes, and again. One attribute for each: a span has room for 128."""

import json
from operator import attrgetter
from typing import Any

import msgspec
from msgspec.structs import astuple, fields

from touchdown.records import CallClock, EngineTiming, GapBucket, Mark
from touchdown.telemetry import time_names as names
from touchdown.telemetry.facts import FLAG, NUMBER, TEXT, Column, Fact, Facts, Form

_FIGURES = tuple(field.name for field in fields(CallClock) if field.name != "gaps")
_figures = attrgetter(*_FIGURES)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.decode


def _write_mark(mark: Mark) -> str:
    # One text: of a list of numbers each is two messages of protobuf.
    return _encode(astuple(mark)).decode()


def _read_mark(told: Any) -> Mark:
    return Mark(*map(int, _decode(str(told))))


def _write_clock(clock: CallClock) -> str:
    return _encode((*_figures(clock), *map(astuple, clock.gaps))).decode()


def _read_clock(told: Any) -> CallClock:
    numbers = _decode(str(told))
    figures = dict(zip(_FIGURES, numbers[: len(_FIGURES)], strict=True))
    return CallClock(**figures, gaps=tuple(GapBucket(*gap) for gap in numbers[len(_FIGURES) :]))


def _write_engine(timing: EngineTiming) -> tuple[str, ...]:
    told = {field.name: getattr(timing, field.name) for field in fields(timing)}
    return tuple([f"{n}={json.dumps(v)}" for n, v in told.items() if v not in (None, "", {})])


def _read_engine(told: Any) -> EngineTiming:
    pairs = (str(pair).partition("=") for pair in told)
    return EngineTiming(**{name: json.loads(value) for name, _, value in pairs})


_MARK = Form(_read_mark, _write_mark)

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
