"""The public names used as a reader would; checked by mypy and pyright."""

from collections.abc import AsyncIterator, Iterator

from opentelemetry.sdk.trace import TracerProvider

import touchdown
from touchdown.engines.hosts import HOSTS
from touchdown.testing import capture


@touchdown.tool
def bare(pattern: str) -> int:
    return len(pattern)


def is_missing(result: object) -> bool:
    return result is None


@touchdown.tool("search", failed=is_missing, read_only=True, human=False)
def named(pattern: str) -> str | None:
    return pattern or None


@touchdown.agent("reviewer")
async def review(diff: str) -> str:
    return diff


@touchdown.agent
def lines(text: str) -> Iterator[str]:
    yield from text.splitlines()


@touchdown.tool
async def stream(text: str) -> AsyncIterator[str]:
    for line in text.splitlines():
        yield line


@touchdown.task
def whole(goal: str) -> int:
    return bare(goal)


def decide(exceeded: touchdown.BudgetExceeded) -> None:
    raise exceeded


@touchdown.task("limited", budget_usd=2.00, budget_tokens=10, max_calls=3, on_budget=decide)
def limited(goal: str) -> str:
    return goal


@touchdown.task("goal", tags={"team": "a"}, user="u", conversation="c")
async def later(goal: str) -> str:
    return await review(goal)


def test_types_survive() -> None:
    with capture() as seen:
        number: int = bare("abc")
        found: str | None = named("x")
        said: list[str] = list(lines("a\nb"))
        total: int = whole("goal")
        with touchdown.task("by hand") as task:
            name: str = task.name
        updates = touchdown.on_update(lambda changed: print(changed[0].task.name), every=2.0)
        skipped: int = updates.skipped
        updates.cancel()
        touchdown.outcome(task.id, useful=True, reason=limited("fine"))
        assert skipped == 0
        assert (number, found, said, total, name) == (3, "x", ["a", "b"], 4, "by hand")
        assert {tool.name for tool in seen.tools} == {"bare", "search"}


def test_the_span_processor_is_one_of_the_sdks() -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(touchdown.SpanProcessor())


def test_a_named_host_says_what_is_known_of_it() -> None:
    host: touchdown.EngineHost = touchdown.engine("http://127.0.0.1:9", kind="vllm")
    engine: str = host.engine
    problem: str = host.problem
    counted: dict[str, float] = dict(host.counted.figures)
    assert (engine, problem, counted) == ("vllm", "its metrics were not read yet", {})
    HOSTS.forget(host)
