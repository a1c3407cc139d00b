"""Nothing that is kept grows with the life of the process: every container of ours is looked at.

The bounds are made small, so that some hundreds of tasks do what 100,000 would do.
"""

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Set
from contextlib import suppress
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider

import touchdown
from touchdown.accounting import summary
from touchdown.clients.openai.chat import ChatReader
from touchdown.integration import Seam
from touchdown.live import budgets, ledgers
from touchdown.runtime import core, guard, implicit, trackers
from touchdown.telemetry import quiet
from touchdown.telemetry.recent import Recent
from touchdown.testing import capture

SMALL: tuple[tuple[Any, str, int], ...] = (
    (ledgers, "MAX_CLOSED", 5),
    (ledgers, "MAX_CLOSED_CALLS", 20),
    (ledgers, "MAX_WHOLE", 10),
    (ledgers, "MAX_ACCOUNTS", 20),
    (ledgers, "MAX_LEDGERS", 20),
    (ledgers, "MAX_CALLS", 60),
    (summary, "MOST_NAMES", 20),
    (trackers, "MOST_AGENTS", 20),
    (budgets, "MOST_AGENTS", 20),
    (implicit, "MAX_CALLS", 5),
)
ANSWER: Mapping[str, Any] = {
    "id": "answer",
    "model": "gpt-5.4",
    "choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": "x"}}],
    "usage": {"prompt_tokens": 10, "completion_tokens": 5},
}


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for module, name, most in SMALL:
        monkeypatch.setattr(module, name, most)
    begin = Recent.__init__
    monkeypatch.setattr(Recent, "__init__", lambda self, limit: begin(self, min(limit, 20)))
    guard.forget_warnings()
    quiet.forget()
    yield
    guard.forget_warnings()
    quiet.forget()


def sizes(root: object) -> Counter[str]:
    """How much every container below an object holds, by the path to it; only our own objects are entered."""
    found: Counter[str] = Counter()
    seen: set[int] = set()
    waiting: list[tuple[str, object]] = [(type(root).__name__, root)]
    while waiting:
        path, one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, Mapping):
            found[path] += len(one)
            waiting += [(f"{path}[]", value) for value in list(one.values())]
        elif isinstance(one, (list, tuple, deque, Set)):
            found[path] += len(one)
            waiting += [(f"{path}[]", value) for value in list(one)]
        elif type(one).__module__.startswith("touchdown."):
            waiting += [(f"{path}.{name}", value) for name, value in _fields(one)]
    return found


def _fields(one: object) -> Iterator[tuple[str, object]]:
    """As they stand: an object that is packed would turn back when it is asked."""
    yield from vars(one).items() if hasattr(one, "__dict__") else ()
    for kind in type(one).__mro__:
        for name in getattr(kind, "__slots__", ()):
            if isinstance(name, str) and name != "__weakref__":
                with suppress(AttributeError):
                    yield name, object.__getattribute__(one, name)


def say(seam: Seam, number: int) -> None:
    """One model call, without a wire."""
    reader = ChatReader()
    seen = seam.model_call(
        reader, vendor="openai", provider="openai", model="gpt-5.4", host=f"host-{number % 3}"
    )
    assert seen is not None
    messages = [{"role": "user", "content": f"question {number}"}]
    seen.sent.body = {"model": "gpt-5.4", "messages": messages}
    seen.finish({**ANSWER, "id": f"answer-{number}"})


@touchdown.agent("sub")
def sub_agent(seam: Seam, number: int) -> str:
    say(seam, number)
    return "done"


@touchdown.tool
def look(number: int) -> int:
    return number


def work(number: int) -> None:
    """A task with an agent, a tool, a failure and an outcome."""
    seam = Seam()
    with touchdown.task(f"task {number}", tags={"number": str(number)}) as task:
        say(seam, number)
        sub_agent(seam, number)
        look(number)
        task.useful()


def providers() -> dict[str, Any]:
    return {
        "tracer_provider": TracerProvider(shutdown_on_exit=False),
        "meter_provider": MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False),
        "budget_usd": 1_000_000,
        "max_repeats": 100,
    }


def kept(runtime: core.Runtime) -> Counter[str]:
    """The sizes of everything that a runtime holds, and of what is said once."""
    runtime.delivery.drain()
    found = sizes(runtime)
    # Kept by the test's own accountant.
    for name in [name for name in found if ".accountant.records" in name or "verdicts" in name]:
        del found[name]
    return found


def growth(before: Counter[str], after: Counter[str]) -> dict[str, tuple[int, int]]:
    """What holds more than it did."""
    return {
        name: (before[name], size) for name, size in after.items() if size > before[name] + SLACK
    }


SLACK = 40
"""Containers of one task each differ by a few; what grows has hundreds more by then."""


def test_many_tasks_leave_no_more_than_some() -> None:
    with capture(**providers()) as seen:
        for number in range(200):
            work(number)
        some = kept(seen._runtime)
        for number in range(200, 600):
            work(number)
        many = kept(seen._runtime)
    assert len(some) > 50
    assert growth(some, many) == {}


def test_a_long_task_keeps_no_more_than_its_bound(caplog: pytest.LogCaptureFixture) -> None:
    seam = Seam()
    with capture(**providers()) as seen, touchdown.task("long") as task:
        for number in range(200):
            say(seam, number)
        some = kept(seen._runtime)
        for number in range(200, 600):
            say(seam, number)
        many = kept(seen._runtime)
        assert task.totals.model_calls == 60
        assert task.totals.dropped_records == 540
        assert task.totals.money.complete is False
    assert growth(some, many) == {}


def test_many_agents_of_one_task_keep_no_more_contexts_than_the_bound() -> None:
    seam = Seam()
    with capture(**providers()) as seen, touchdown.task("many agents"):
        for number in range(200):
            sub_agent(seam, number)
        held = kept(seen._runtime)
    assert sum(size for name, size in held.items() if "_trackers._tasks[]" in name) <= 20 * 10


def test_calls_outside_any_task_do_not_pile_up() -> None:
    seam = Seam()
    with capture(**providers()) as seen:
        for number in range(200):
            say(seam, number)
        some = kept(seen._runtime)
        for number in range(200, 600):
            say(seam, number)
        many = kept(seen._runtime)
    assert growth(some, many) == {}
