"""Many threads and coroutines at once: ledgers are exact, and nobody waits for ever for a lock of ours."""

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import httpx2
import openai
import pytest
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider

import touchdown
from touchdown.prices import Override
from touchdown.runtime import delivery
from touchdown.testing import Capture, Provider, Reply, Request, capture

THREADS = 64
COROUTINES = 1_000
PRICES = (Override(model="gpt-5.4", input=1, output=1, cache_read=1),)
ASKED = {"model": "gpt-5.4", "messages": [{"role": "user", "content": "hi"}]}


def answer(request: Request) -> Reply:
    """Every request has its own usage, so that no two mix-ups cancel out."""
    tokens = int(request.headers["x-tokens"])
    return Reply(
        "ok",
        usage={"prompt_tokens": tokens, "completion_tokens": 1, "total_tokens": tokens + 1},
    )


def hold_to_sums(seen: Capture, tasks: int, each: Callable[[int], list[int]]) -> None:
    """Each task has its own calls and nobody else's."""
    accounts = {account.task.name: account for account in seen.accounts}
    assert len(accounts) == tasks
    for number in range(tasks):
        account, tokens = accounts[f"task {number}"], each(number)
        assert account.model_calls == len(tokens)
        assert account.usage.uncached_input == sum(tokens)
        assert account.money.total_usd == Decimal(sum(tokens) + len(tokens)) / 1_000_000
        assert account.dropped_records == 0
    calls = sum(len(each(number)) for number in range(tasks))
    assert len({call.id for call in seen.calls}) == calls
    assert len({span.context.span_id for span in seen.spans if span.context}) == calls + tasks
    assert seen.summary.total_usd == sum(a.money.total_usd for a in accounts.values())


def test_threads_get_exact_ledgers_while_others_ask_for_totals() -> None:
    def tokens_of(number: int) -> list[int]:
        return [1_000 * number + 10, 1_000 * number + 20]

    with Provider(answer) as provider, capture(prices=PRICES) as seen:
        client = openai.OpenAI(api_key="k", base_url=provider.openai_url)
        begin = threading.Barrier(THREADS)

        def work(number: int) -> None:
            begin.wait()
            with touchdown.task(f"task {number}") as task:
                for done, tokens in enumerate(tokens_of(number), 1):
                    client.chat.completions.create(**ASKED, extra_headers={"x-tokens": str(tokens)})
                    assert task.totals.model_calls == done
                touchdown.summary()

        with client, ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(work, range(THREADS)))
        hold_to_sums(seen, THREADS, tokens_of)


def test_coroutines_get_exact_ledgers() -> None:
    async def work(client: openai.AsyncOpenAI, number: int) -> None:
        async with touchdown.task(f"task {number}"):
            await client.chat.completions.create(
                **ASKED, extra_headers={"x-tokens": str(1_000 * number)}
            )

    async def main(url: str) -> None:
        limits = openai.DefaultAsyncHttpxClient(limits=httpx2.Limits(max_connections=50))
        async with openai.AsyncOpenAI(api_key="k", base_url=url, http_client=limits) as client:
            await asyncio.gather(*(work(client, number) for number in range(COROUTINES)))

    with Provider(answer) as provider, capture(prices=PRICES) as seen:
        asyncio.run(main(provider.openai_url))
        hold_to_sums(seen, COROUTINES, lambda number: [1_000 * number])


class Curious(SpanProcessor, logging.Handler):
    """A host's code that asks for everything at every chance, from a thread of its own too."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)
        self.asked = 0
        self.over = False

    def ask(self) -> None:
        """All that takes a lock of ours."""
        if self.over:
            return
        touchdown.summary()
        touchdown.flush(0.01)
        task = touchdown.current_task()
        if task is not None:
            str(task.receipt())
        touchdown.instrument()
        self.asked += 1

    def ask_elsewhere(self) -> None:
        """The same while this thread waits."""
        self.ask()
        thread = threading.Thread(target=touchdown.summary, daemon=True)
        thread.start()
        thread.join(20)
        assert not thread.is_alive(), "a lock was held while the host's code ran"

    def on_start(self, span: object, parent_context: object = None) -> None:
        """In the caller's thread."""
        self.ask_elsewhere()

    def on_end(self, span: ReadableSpan) -> None:
        """Behind the queue."""
        self.ask_elsewhere()

    def emit(self, record: logging.LogRecord) -> None:
        """While a warning of ours is logged."""
        self.ask_elsewhere()


@pytest.mark.parametrize("threads", [1, 8])
def test_the_hosts_code_may_ask_back_from_anywhere(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "STUCK_S", 0.05)
    curious = Curious()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(curious)
    logger = logging.getLogger("touchdown")
    logger.addHandler(curious)

    def fails(result: object) -> bool:
        curious.ask_elsewhere()
        raise ValueError("a rule of the host's that is broken, and so logged")

    @touchdown.tool(failed=fails)
    def step() -> str:
        return "done"

    def work() -> None:
        for _ in range(3):
            with touchdown.task("asked about") as task:
                step()
                str(task.receipt())

    touchdown.instrument(tracer_provider=provider)
    try:
        workers = [threading.Thread(target=work, daemon=True) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(120)
            assert not worker.is_alive(), "deadlock"
        assert touchdown.flush(60), "a record is stuck"
        (account,) = {a.tool_calls for a in touchdown.summary().accounts if not a.task.implicit}
        assert account == 1
        assert touchdown.summary().summary.by_name["asked about"].tasks == 3 * threads
    finally:
        curious.over = True
        touchdown.uninstrument()
        logger.removeHandler(curious)
    assert curious.asked > 12 * threads
