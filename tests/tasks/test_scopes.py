"""``task()`` as a scope: nested, shared, read from elsewhere, decided late, and without touchdown."""

import asyncio
import gc
import multiprocessing
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import pytest

import touchdown
from touchdown.live import ledgers
from touchdown.runtime import core
from touchdown.testing import Provider, capture


@touchdown.tool
def mark() -> str:
    return "x"


def here() -> str | None:
    task = touchdown.current_task()
    return None if task is None else task.name


async def test_with_async_with_and_decorator_are_one_thing() -> None:
    fields: dict[str, Any] = {"tags": {"team": "a"}, "user": "u", "conversation": "c"}

    @touchdown.task("same", **fields)
    def decorated() -> None:
        mark()

    with capture() as seen:
        with touchdown.task("same", **fields):
            mark()
        async with touchdown.task("same", **fields):
            mark()
        decorated()
        closed = [account.task for account in seen.accounts]
        assert {(t.name, t.user, t.conversation, t.tags["team"]) for t in closed} == {
            ("same", "u", "c", "a")
        }
        assert [account.tool_calls for account in seen.accounts] == [1, 1, 1]


def test_a_call_belongs_to_the_innermost_and_counts_in_every_parent() -> None:
    anthropic = pytest.importorskip("anthropic")
    with Provider(lambda _request: "fine") as provider, capture() as seen:
        client = anthropic.Anthropic(base_url=provider.url, api_key="k")

        def ask() -> None:
            client.messages.create(
                model="claude-sonnet-5", max_tokens=9, messages=[{"role": "user", "content": "x"}]
            )

        with client, touchdown.task("root") as root:
            ask()
            with touchdown.task("middle") as middle:
                ask()
                with touchdown.task("leaf") as leaf:
                    ask()
                    mark()
                assert here() == "middle"
            with touchdown.task("second") as second:
                ask()
        totals = {task.name: task.totals for task in (root, middle, leaf, second)}
        assert {name: (t.model_calls, t.tool_calls) for name, t in totals.items()} == {
            "root": (4, 1),
            "middle": (2, 1),
            "leaf": (1, 1),
            "second": (1, 0),
        }
        (one,) = {t.money.total_usd for name, t in totals.items() if name in ("leaf", "second")}
        assert totals["root"].money.total_usd == 4 * one
        assert (seen.summary.tasks, list(seen.summary.by_name)) == (1, ["root"])
        assert seen.summary.total_usd == 4 * one
        assert [call.task_id for call in seen.calls] == [
            task.id for task in (root, middle, leaf, second)
        ]


def test_one_scope_in_many_threads_and_coroutines_and_in_itself() -> None:
    scope = touchdown.task("shared")
    together = threading.Barrier(4)

    def work(n: int) -> tuple[str, int]:
        with scope as task:
            together.wait()
            for _ in range(n):
                mark()
            with scope as inner:
                assert touchdown.current_task().id == inner.id  # type: ignore[union-attr]
            together.wait()
            assert touchdown.current_task().id == task.id  # type: ignore[union-attr]
            return task.id, task.totals.tool_calls

    async def later(order: list[int], n: int) -> None:
        async with scope:
            await asyncio.sleep(order[n] / 100)
            assert here() == "shared"
            mark()

    async def main() -> None:
        await asyncio.gather(*(later([3, 1, 2], n) for n in range(3)))

    with capture() as seen:
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(work, range(4)))
        asyncio.run(main())
        assert [calls for _, calls in found] == [0, 1, 2, 3]
        counts = sorted(account.tool_calls for account in seen.accounts)
        assert counts == [0, 1, 1, 1, 1, 2, 3]
        assert all(not account.open for account in seen.accounts)


def test_totals_are_right_at_any_moment_and_from_any_thread() -> None:
    from_elsewhere: list[int] = []
    with capture(), touchdown.task("live") as task:
        current = touchdown.current_task()
        assert current is not None
        for expected in range(1, 4):
            mark()
            look = threading.Thread(target=lambda: from_elsewhere.append(task.totals.tool_calls))
            look.start()
            look.join()
            assert task.totals.tool_calls == current.totals.tool_calls == expected
            assert (task.totals.open, task.totals.wall_s is not None) == (True, True)
    assert from_elsewhere == [1, 2, 3]
    assert task.totals.open is False


def test_a_thread_stands_in_the_context_that_it_runs_in() -> None:
    with capture() as seen:
        outside = copy_context()
        with touchdown.task("parent"):
            work = threading.Thread(target=copy_context().run, args=(mark,))
            work.start()
            work.join()
            alone = threading.Thread(target=outside.run, args=(mark,))
            alone.start()
            alone.join()
            owners = {account.task.name: account.tool_calls for account in seen.accounts}
    assert owners == {"parent": 1, "process": 1}


def test_what_comes_after_the_end_does_not_belong_to_the_task() -> None:
    with capture():
        scope = touchdown.task("over")
        with scope as task:
            context = copy_context()
        context.run(mark)
        assert context.run(here) != "over"
        assert task.totals.tool_calls == 0


@pytest.mark.parametrize(
    ("said", "outcome", "reason", "score"),
    [
        (["useful"], "useful", "", None),
        (["useless"], "useless", "why", None),
        (["useful", "useless"], "useless", "why", None),
        (["useless", "useful"], "useful", "", None),
        (["score"], "unknown", "", 0.5),
        (["useful", "score"], "useful", "", 0.5),
        (["score", "useless", "useful"], "useful", "", 0.5),
    ],
)
@pytest.mark.parametrize("when", ["inside", "after", "long after"])
def test_the_last_word_on_an_outcome_holds(
    said: list[str],
    outcome: str,
    reason: str,
    score: float | None,
    when: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ledgers, "MAX_CLOSED", 3)
    words = {"useful": (), "useless": ("why",), "score": (0.5,)}

    def say(task: touchdown.Task) -> None:
        for word in said:
            getattr(task, word)(*words[word])

    with capture() as seen:
        with touchdown.task("judged") as task:
            mark()
            if when == "inside":
                say(task)
        for n in range(9 if when == "long after" else 0):
            with touchdown.task(f"other {n}"):
                pass
        if when != "inside":
            say(task)
        account = task.totals
        (listed,) = (a for a in seen.accounts if a.task.name == "judged")
    assert (account.task.outcome, account.task.outcome_reason, account.task.score) == (
        *(outcome, reason, score),
    )
    assert (listed.task, listed.tool_calls, listed.open) == (account.task, 1, False)
    assert seen.summary.useful == (outcome == "useful")


def test_an_exception_ends_the_task_and_passes() -> None:
    with capture():
        with pytest.raises(KeyError), touchdown.task("broken") as task:
            raise KeyError("x")
        assert (task.totals.task.error_type, task.totals.open) == ("KeyError", False)
        assert here() == "process"


def in_a_child(queue: Any) -> None:
    mark()
    mark()
    task = touchdown.current_task()
    assert task is not None
    queue.put((task.name, task.totals.tool_calls))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_goes_on_in_its_task_with_a_ledger_of_its_own() -> None:
    forked = multiprocessing.get_context("fork")
    with capture() as seen, touchdown.task("before the fork") as task:
        mark()
        queue = forked.Queue()
        lock: Any = seen._runtime.accountant.books._lock  # type: ignore[attr-defined]
        with lock:  # as the worker may hold it
            child = forked.Process(target=in_a_child, args=(queue,))
            child.start()
        found = queue.get(timeout=20)
        child.join(20)
        assert found == ("before the fork", 2)
        assert task.totals.tool_calls == 1


async def test_without_touchdown_everything_passes_through() -> None:
    assert core.active() is None

    @touchdown.agent("a")
    def one() -> str:
        return mark()

    @touchdown.task
    async def whole() -> str | None:
        return here()

    with touchdown.task("off") as task:
        assert (one(), here()) == ("x", "off")
        task.useful()
        task.score(1)
    assert await whole() == "whole"
    assert touchdown.current_task() is None
    assert (task.totals.task.outcome, task.totals.money.total_usd) == ("useful", 0)
    assert "not instrumented" in str(task.totals.not_observable)
    assert "off" in str(task.receipt())


def test_a_task_that_is_over_is_let_go_of() -> None:
    class Result:
        pass

    @touchdown.tool
    def made() -> Result:
        return Result()

    with capture() as seen:
        with touchdown.task("memory"):
            result = weakref.ref(made())
        assert len(seen.tools) == 1
        gc.collect()
        assert result() is None
