"""Budgets against real SDKs: what is sent, what is refused, and that the sums are exact."""

import asyncio
import logging
import multiprocessing
import pickle
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from decimal import Decimal
from typing import Any

import anthropic
import openai
import pytest

import touchdown
from touchdown.prices.book import PriceBook
from touchdown.runtime import core
from touchdown.runtime.limits import read_limits
from touchdown.testing import Fault, Provider, Reply, Request, capture

ANSWER = Reply("a word or two " * 10, output_tokens=40)
ASK: dict[str, Any] = {
    "model": "claude-sonnet-5",
    "max_tokens": 40,
    "messages": [{"role": "user", "content": "The same question again. " * 100}],
}
CALLS = 64


class Script:
    """What the provider does with the requests that come."""

    def __init__(self) -> None:
        self.steps: list[Any] = []

    def __call__(self, _request: Request) -> Any:
        return self.steps.pop(0) if self.steps else ANSWER


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def provider(script: Script) -> Iterator[Provider]:
    with Provider(script) as provider:
        yield provider


@pytest.fixture
def claude(provider: Provider) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=provider.url, api_key="k", max_retries=2) as client:
        yield client


@pytest.fixture
def gpt(provider: Provider) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=provider.openai_url, api_key="k", max_retries=2) as client:
        yield client


def cost_of_one(client: anthropic.Anthropic) -> Decimal:
    with touchdown.task("one") as task:
        client.messages.create(**ASK)
    usd: Decimal = task.totals.money.total_usd
    assert usd > 0
    return usd


# -- concurrency -----------------------------------------------------------------------------


@pytest.mark.parametrize("counted", [False, True], ids=["nothing counted", "counted before"])
def test_of_64_threads_at_most_ten_send_what_fits_ten_and_a_half_times(
    provider: Provider, claude: anthropic.Anthropic, counted: bool
) -> None:
    with capture():
        usd = cost_of_one(claude)
    with capture() as seen:
        if counted:
            cost_of_one(claude)
        before = len(provider.requests)
        refused: list[touchdown.BudgetExceeded] = []
        budget = usd * Decimal("10.5")

        def ask() -> None:
            try:
                claude.messages.create(**ASK)
            except touchdown.BudgetExceeded as error:
                refused.append(error)

        with touchdown.task("many", budget_usd=budget) as task, ThreadPoolExecutor(CALLS) as pool:
            for future in [pool.submit(copy_context().run, ask) for _ in range(CALLS)]:
                future.result()
        sent = len(provider.requests) - before
        totals = task.totals
        print(f"{sent} of {CALLS} sent; {totals.money.total_usd} of {budget} spent")
        assert 5 <= sent <= 10
        assert sent + len(refused) == CALLS == sent + totals.refused_calls
        assert totals.model_calls == sent
        assert totals.money.total_usd == sent * usd <= budget
        assert {error.unit for error in refused} == {"usd"}
        assert all(e.spent + e.reserved + (e.asked or 0) > e.limit for e in refused)
        assert [account.task.name for account in seen.accounts][-1] == "many"


async def test_of_64_coroutines_too(provider: Provider, claude: anthropic.Anthropic) -> None:
    with capture():
        usd = cost_of_one(claude)
        before = len(provider.requests)
        async with anthropic.AsyncAnthropic(base_url=provider.url, api_key="k") as client:
            with touchdown.task("many", budget_usd=usd * Decimal("10.5")) as task:
                asked = [client.messages.create(**ASK) for _ in range(CALLS)]
                ended = await asyncio.gather(*asked, return_exceptions=True)
        sent = len(provider.requests) - before
        refused = [one for one in ended if isinstance(one, touchdown.BudgetExceeded)]
        assert 5 <= sent <= 10
        assert sent + len(refused) == CALLS
        assert task.totals.money.total_usd == sent * usd


def test_one_after_the_other_the_budget_is_used_to_its_last_call(
    claude: anthropic.Anthropic,
) -> None:
    with capture():
        usd = cost_of_one(claude)
        with touchdown.task("loop", budget_usd=usd * Decimal("10.5")) as task:
            for _ in range(10):
                claude.messages.create(**ASK)
            with pytest.raises(touchdown.BudgetExceeded):
                claude.messages.create(**ASK)
        assert task.totals.model_calls == 10
        assert "1 call refused by the budget" in str(task.receipt())
        assert task.report().tasks[0].refused_calls == 1


def test_a_growing_conversation_is_bounded_by_what_was_counted_before(
    claude: anthropic.Anthropic,
) -> None:
    history: list[Any] = list(ASK["messages"])
    bounds: list[Any] = []
    with capture() as seen, touchdown.task("talk", budget_tokens=1_000_000):
        gate: Any = core.active().gate  # type: ignore[union-attr]
        inner = gate.admit

        def admit(*given: Any) -> Any:
            reserved = inner(*given)
            bounds.append((reserved.input_tokens, reserved.terms.output_tokens))
            return reserved

        gate.admit = admit
        for _ in range(5):
            answer = claude.messages.create(**{**ASK, "messages": history})
            history += [
                {"role": "assistant", "content": answer.content},
                {"role": "user", "content": "And then? " * 20},
            ]
            _ = seen.calls  # what ended is counted
        real = [(call.usage.input_tokens or 0, call.usage.output or 0) for call in seen.calls]
    print("bounds and counts:", list(zip(bounds, real, strict=True)))
    for (bound, most), (counted, answered) in zip(bounds, real, strict=True):
        assert counted <= bound
        assert answered <= most == 40
    assert bounds[-1][0] < real[-1][0] * 1.3


# -- what ends a reservation ------------------------------------------------------------------


def spent_and_held(task: touchdown.Task) -> tuple[int, int, int]:
    """Pico-dollars spent and held, and calls counted, in the task's own budget."""
    _ = task.totals
    cells = task._state.budgets[0]._cells
    return cells[0], cells[1], cells[5]


def test_a_stream_closed_early_holds_nothing_any_more(claude: anthropic.Anthropic) -> None:
    with capture(), touchdown.task("stream", budget_usd=1) as task:
        with claude.messages.stream(**ASK) as stream:
            next(iter(stream))
            assert spent_and_held(task)[1] > 0
        spent, held, _ = spent_and_held(task)
        assert held == 0
        assert 0 < spent <= 10_000_000_000


@pytest.mark.parametrize("fault", [Fault(400), Fault(500)], ids=["400", "500"])
def test_a_call_that_failed_costs_nothing(
    claude: anthropic.Anthropic, script: Script, fault: Fault
) -> None:
    script.steps = [fault] * 3
    with capture(), touchdown.task("failing", budget_usd=1) as task:
        with pytest.raises(anthropic.APIStatusError):
            claude.messages.create(**ASK)
        assert spent_and_held(task) == (0, 0, 1)


def test_what_a_retried_call_took_is_counted_once(
    claude: anthropic.Anthropic, script: Script
) -> None:
    with capture():
        usd = cost_of_one(claude)
        script.steps = [Fault(429)]
        with touchdown.task("retried", budget_usd=1, max_calls=1) as task:
            claude.messages.create(**ASK)
            assert spent_and_held(task) == (int(usd * 10**12), 0, 1)


def test_child_tasks_count_in_the_budget_of_their_parent(claude: anthropic.Anthropic) -> None:
    with capture(), touchdown.task("parent", max_calls=2) as parent:
        for _ in range(2):
            with touchdown.task("child", max_calls=5):
                claude.messages.create(**ASK)
        with (
            touchdown.task("child", max_calls=5) as child,
            pytest.raises(touchdown.BudgetExceeded, match=r"budget of parent: 2 calls"),
        ):
            claude.messages.create(**ASK)
        assert (child.totals.refused_calls, parent.totals.refused_calls) == (1, 1)


def in_a_child(url: str, queue: Any) -> None:
    sent = 0
    with anthropic.Anthropic(base_url=url, api_key="k") as client:
        try:
            while True:
                client.messages.create(**ASK)
                sent += 1
        except touchdown.BudgetExceeded:
            queue.put(sent)
    queue.close()
    queue.join_thread()


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_forked_children_share_the_budget(provider: Provider, claude: anthropic.Anthropic) -> None:
    forked = multiprocessing.get_context("fork")
    with capture():
        usd = cost_of_one(claude)
        before = len(provider.requests)
        with touchdown.task("family", budget_usd=usd * Decimal("10.5")) as task:
            claude.messages.create(**ASK)
            queue = forked.Queue()
            children = [
                forked.Process(target=in_a_child, args=(provider.url, queue)) for _ in range(3)
            ]
            for child in children:
                child.start()
            sent = [queue.get(timeout=60) for _ in children]
            for child in children:
                child.join(60)
            with pytest.raises(touchdown.BudgetExceeded) as stopped:
                claude.messages.create(**ASK)
        assert len(provider.requests) - before == 1 + sum(sent) == 10
        assert stopped.value.spent == 10 * usd
        assert task.totals.refused_calls == 1  # the children's own are in their own ledgers


# -- how it stops a call -----------------------------------------------------------------------


def forms(claude: anthropic.Anthropic, gpt: openai.OpenAI) -> list[Callable[[], object]]:
    chat: dict[str, Any] = {"model": "gpt-5.4", "messages": ASK["messages"]}
    return [
        lambda: claude.messages.create(**ASK),
        lambda: claude.messages.create(**ASK, stream=True),
        lambda: claude.messages.stream(**ASK).__enter__(),
        lambda: claude.messages.with_raw_response.create(**ASK),
        lambda: claude.messages.with_streaming_response.create(**ASK).__enter__(),
        lambda: gpt.chat.completions.create(**chat),
        lambda: gpt.chat.completions.create(**chat, stream=True),
        lambda: gpt.responses.create(model="gpt-5.4", input="x"),
        lambda: gpt.responses.with_raw_response.create(model="gpt-5.4", input="x"),
        lambda: gpt.embeddings.create(model="text-embedding-3-small", input="x"),
    ]


def test_every_form_raises_before_anything_is_sent_and_no_sdk_retries_it(
    provider: Provider, claude: anthropic.Anthropic, gpt: openai.OpenAI
) -> None:
    asked = forms(claude, gpt)
    with capture() as seen, touchdown.task("none", budget_usd=0) as task:
        for ask in asked:
            with pytest.raises(touchdown.BudgetExceeded):
                ask()
        assert provider.requests == []
        assert seen.calls == []
        assert task.totals.refused_calls == len(asked)
    assert not issubclass(touchdown.BudgetExceeded, anthropic.AnthropicError | openai.OpenAIError)


async def test_async_forms_raise_too(provider: Provider) -> None:
    async with anthropic.AsyncAnthropic(base_url=provider.url, api_key="k") as client:
        with capture(), touchdown.task("none", max_calls=0):
            with pytest.raises(touchdown.BudgetExceeded):
                await client.messages.create(**ASK)
            with pytest.raises(touchdown.BudgetExceeded):
                async with client.messages.stream(**ASK):
                    pass
        assert provider.requests == []


def test_a_budget_of_the_process_holds_outside_any_task(
    provider: Provider, claude: anthropic.Anthropic
) -> None:
    with capture(max_calls=1):
        claude.messages.create(**ASK)
        with pytest.raises(touchdown.BudgetExceeded, match="the process"):
            claude.messages.create(**ASK)
        with touchdown.task("inside"), pytest.raises(touchdown.BudgetExceeded):
            claude.messages.create(**ASK)
        assert len(provider.requests) == 1


def test_seconds_are_asked_before_each_call(claude: anthropic.Anthropic) -> None:
    with capture(), touchdown.task("late", budget_seconds=0):
        with pytest.raises(touchdown.BudgetExceeded) as stopped:
            claude.messages.create(**ASK)
        assert stopped.value.unit == "seconds"


def test_a_function_decides(provider: Provider, claude: anthropic.Anthropic) -> None:
    told: list[touchdown.BudgetExceeded] = []

    class EnoughError(Exception):
        pass

    def decide(exceeded: touchdown.BudgetExceeded) -> None:
        told.append(exceeded)
        if len(told) > 1:
            raise EnoughError

    with capture(), touchdown.task("asked", max_calls=0, on_budget=decide) as task:
        claude.messages.create(**ASK)
        with pytest.raises(EnoughError):
            claude.messages.create(**ASK)
        assert len(provider.requests) == 1
        assert (task.totals.model_calls, task.totals.refused_calls) == (1, 1)
        assert [exceeded.unit for exceeded in told] == ["calls", "calls"]


def test_a_warning_is_said_once_and_everything_is_sent(
    claude: anthropic.Anthropic, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.WARNING, "touchdown"),
        capture(),
        touchdown.task("warned", budget_usd=0, on_budget="warn") as task,
    ):
        for _ in range(3):
            claude.messages.create(**ASK)
        assert task.totals.model_calls == 3
        assert len(caplog.records) == 1
        assert "budget of warned: $0.000000" in caplog.text


def test_the_same_call_over_and_over_is_stopped(gpt: openai.OpenAI, provider: Provider) -> None:
    with capture(), touchdown.task("loop", max_repeats=3):
        ask: dict[str, Any] = {"model": "gpt-5.4", "input": "x"}
        for _ in range(3):
            gpt.responses.create(**ask)
        with pytest.raises(touchdown.BudgetExceeded) as stopped:
            gpt.responses.create(**ask)
        assert (stopped.value.unit, stopped.value.spent) == ("repeats", 3)
        gpt.responses.create(**{**ask, "input": "y"})
        gpt.responses.create(**ask)
        assert len(provider.requests) == 5


def test_the_same_call_at_the_same_time_is_no_loop() -> None:
    everyone = threading.Barrier(4, timeout=30)

    def answer(_request: Request) -> Reply:
        everyone.wait()
        return ANSWER

    with (
        Provider(answer) as slow,
        openai.OpenAI(base_url=slow.openai_url, api_key="k") as client,
        capture(),
        touchdown.task("samples", max_repeats=1),
    ):

        def ask() -> None:
            client.responses.create(model="gpt-5.4", input="x")

        with ThreadPoolExecutor(4) as pool:
            for future in [pool.submit(copy_context().run, ask) for _ in range(4)]:
                future.result()


def test_calls_without_a_price(
    gpt: openai.OpenAI, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    ask: dict[str, Any] = {"model": "my-own-model", "input": "x"}
    with caplog.at_level(logging.WARNING, "touchdown"), capture():
        with touchdown.task("allowed", budget_usd=1):
            gpt.responses.create(**ask)
            gpt.responses.create(**ask)
        assert caplog.text.count("does not count in budget_usd") == 1
        with (
            touchdown.task("blocked", budget_usd=1, unpriced="block"),
            pytest.raises(touchdown.BudgetExceeded, match="does not list my-own-model"),
        ):
            gpt.responses.create(**ask)
    assert len(provider.requests) == 2


def test_a_broken_price_book_makes_calls_unpriced(
    claude: anthropic.Anthropic, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: object) -> object:
        raise RuntimeError("no book")

    monkeypatch.setattr(PriceBook, "rates_for", broken)
    with capture(), touchdown.task("broken", budget_usd=1):
        claude.messages.create(**ASK)


# -- words and mistakes ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"budget_usd": -1},
        {"budget_usd": "2"},
        {"budget_usd": True},
        {"budget_usd": float("nan")},
        {"budget_tokens": 1.5},
        {"budget_seconds": float("inf")},
        {"max_calls": -1},
        {"max_repeats": 0},
        {"on_budget": "stop", "max_calls": 1},
        {"unpriced": "never"},
    ],
    ids=str,
)
def test_what_is_no_limit_is_said_where_it_is_given(wrong: dict[str, Any]) -> None:
    (name, value), *_ = wrong.items()
    with pytest.raises(ValueError, match=name):
        touchdown.task("x", **wrong)
    with pytest.raises(ValueError, match=name):
        touchdown.instrument(**wrong)
    assert core.active() is None
    assert repr(value)


async def _waits(_exceeded: touchdown.BudgetExceeded) -> None:
    """No plain function."""


def test_a_coroutine_function_cannot_decide() -> None:
    with pytest.raises(ValueError, match="plain function"):
        touchdown.task("x", max_calls=1, on_budget=_waits)


def test_none_is_no_limit() -> None:
    assert read_limits(budget_usd=None, max_calls=None) is None


def test_without_instrument_a_budget_says_that_it_holds_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, "touchdown"), touchdown.task("x", budget_usd=1):
        pass
    assert "the budget of task 'x' holds nothing" in caplog.text


def test_the_exception_travels_between_processes() -> None:
    error = touchdown.BudgetExceeded(
        "usd", Decimal(2), Decimal("1.9"), Decimal(0), Decimal("0.2"), "goal", "why"
    )
    again = pickle.loads(pickle.dumps(error))
    assert vars(again) == vars(error)
    assert (
        str(again)
        == str(error)
        == (
            "budget of goal: $2.000000; $1.900000 spent, this call may take $0.200000 (why);"
            " the call was not sent"
        )
    )
