"""Real sessions through the real SDKs: live, from the journal and from exported spans it is one ledger."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

import touchdown
from tests.telemetry.rebuilding import WRITERS
from touchdown.accounting.account import TaskAccount
from touchdown.accounting.ledger import refold
from touchdown.live.journal import read_journal
from touchdown.prices.book import PriceBook
from touchdown.records import Settled
from touchdown.runtime import core
from touchdown.telemetry.reading import read_otlp, read_records
from touchdown.telemetry.span import view_of_sdk_span
from touchdown.testing import Fault, Provider, Reply, ToolUse, capture
from touchdown.testing.capturing import Capture

anthropic = pytest.importorskip("anthropic")
openai = pytest.importorskip("openai")

ASKED: dict[str, Any] = {"model": "claude-sonnet-5", "max_tokens": 50}
LONG = "look at this file again " * 600


@touchdown.tool
def search(pattern: str) -> str:
    return pattern * 100


@touchdown.tool
def broken(pattern: str) -> str:
    raise ValueError(pattern)


def cached(text: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}]


def tools_and_retries(url: str) -> None:
    with anthropic.Anthropic(base_url=url, api_key="k") as client:
        ask_with_tools(client)


def ask_with_tools(client: Any) -> None:
    history: list[Any] = [{"role": "user", "content": cached(LONG)}]
    for name in ("search", "broken"):
        answer = client.messages.create(**ASKED, messages=history)
        use = next(block for block in answer.content if block.type == "tool_use")
        try:
            content, failed = (search if name == "search" else broken)("x"), False
        except ValueError as error:
            content, failed = str(error), True
        result = {"type": "tool_result", "tool_use_id": use.id, "content": content}
        history.append({"role": "assistant", "content": answer.content})
        history.append({"role": "user", "content": [{**result, "is_error": failed}]})
    client.messages.create(**ASKED, messages=history)


def streams(url: str) -> None:
    asked = [{"role": "user", "content": cached(LONG)}]
    with anthropic.Anthropic(base_url=url, api_key="k") as client:
        with client.messages.stream(**ASKED, messages=asked) as whole:
            whole.get_final_message()
        with client.messages.stream(**ASKED, messages=[{"role": "user", "content": "y"}]) as cut:
            next(iter(cut))
    said = [{"role": "user", "content": LONG}]
    with client_of_openai(url) as chat:
        for _ in chat.chat.completions.create(model="gpt-5", messages=said, stream=True):
            pass


def client_of_openai(url: str) -> Any:
    return openai.OpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0)


def errors(url: str) -> None:
    with client_of_openai(url) as client:
        client.responses.create(model="gpt-5", input=LONG)
        with pytest.raises(openai.BadRequestError):
            client.responses.create(model="gpt-5", input=LONG)
        client.responses.create(model="a-model-nobody-prices", input="x")


def inner_tasks_and_agents(url: str) -> None:
    @touchdown.agent("reader")
    async def read(client: Any, part: str) -> str:
        search(part)
        messages = [{"role": "user", "content": cached(LONG)}, {"role": "user", "content": part}]
        answer = await client.messages.create(**ASKED, messages=messages)
        return str(answer.content[0].text)

    async def main() -> None:
        async with anthropic.AsyncAnthropic(base_url=url, api_key="k") as client:
            await read(client, "first")
            with touchdown.task("inside", tags={"team": "core"}) as inside:
                await asyncio.gather(read(client, "one"), read(client, "two"))
                inside.useless("too slow")

    asyncio.run(main())


SESSIONS: list[tuple[Callable[[str], None], list[Any]]] = [
    (
        tools_and_retries,
        [
            Reply(tool_uses=[ToolUse("search", {"pattern": "x"})]),
            Fault(429),
            Reply(tool_uses=[ToolUse("broken", {"pattern": "x"})]),
            "done",
        ],
    ),
    (streams, ["whole", "cut", "chunks"]),
    (errors, ["one", Fault(400), "two"]),
    (inner_tasks_and_agents, ["a", "b", "c"]),
]


@pytest.fixture(params=SESSIONS, ids=lambda session: session[0].__name__)
def session(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Capture]:
    run, script = request.param
    with Provider(script) as provider, capture(journal=tmp_path / "journal") as seen:
        with touchdown.task("goal", user="u-7", tags={"shift": "night"}) as task:
            run(provider.url)
            task.useful()
        yield seen


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_one_ledger(session: Capture, tmp_path: Path, write: Any) -> None:
    live = session.account
    by_journal = refold(read_journal(tmp_path / "journal"), PriceBook()).account()
    told = list(read_otlp(write(tmp_path / "spans", session.spans)))
    by_spans = refold(told, PriceBook()).account()

    assert by_spans == by_journal == live
    assert live.money.total_usd > 0
    assert [one.figures["total"] for one in told if isinstance(one, Settled)] == [
        float(live.money.total_usd)
    ]


def test_each_span_lost_is_missed(session: Capture) -> None:
    spans = [view_of_sdk_span(span) for span in session.spans]
    for lost in spans:
        account = rebuilt([span for span in spans if span is not lost])
        named = [r for r in account.money.incomplete_reasons if r.startswith("span missing")]
        assert not account.money.complete
        assert len(named) == 1 + ("inside" in lost.name)
        if lost.name.startswith(("chat", "embeddings")):
            assert "model call" in named[0]
        assert account.task.name == "goal"


def rebuilt(spans: Any) -> TaskAccount:
    return refold(read_records(spans), PriceBook()).account()


@pytest.mark.parametrize(
    ("limit", "value"),
    [
        ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "12"),
        ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "4"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "32"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "12"),
    ],
)
def test_limits_are_named(limit: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(limit, value)
    run, script = SESSIONS[0]
    with Provider(script) as provider, capture() as seen:
        with touchdown.task("goal"):
            run(provider.url)
        account = rebuilt(map(view_of_sdk_span, seen.spans))
    assert not account.money.complete
    assert any(
        reason.startswith(("attributes cut", "span")) for reason in account.money.incomplete_reasons
    )
    assert account.money.total_usd <= seen.account.money.total_usd


def test_calls_outside_any_task_are_never_called_complete() -> None:
    with (
        Provider(["a", "b"]) as provider,
        capture() as seen,
        client_of_openai(provider.url) as client,
    ):
        for _ in range(2):
            client.responses.create(model="gpt-5", input="x")
        account = rebuilt(map(view_of_sdk_span, seen.spans))
        live = seen.account
    assert account.money.total_usd == live.money.total_usd > 0
    assert account.task.id == live.task.id
    assert account.task.implicit
    assert list(account.money.incomplete_reasons) == [
        "calls outside any task have no span that says how many there were"
    ]


def test_what_ends_after_its_task_is_counted_as_live() -> None:
    with (
        Provider(["a", "b"]) as provider,
        capture() as seen,
        client_of_openai(provider.url) as client,
    ):
        with touchdown.task("goal"):
            client.responses.create(model="gpt-5", input="x")
            stream = client.responses.create(model="gpt-5", input="x", stream=True)
        assert seen.account.model_calls == 1
        for _ in stream:
            pass
        assert seen.account.model_calls == 2
        assert rebuilt(map(view_of_sdk_span, seen.spans)) == seen.account


def test_another_price_book_is_no_gap_and_other_figures_are() -> None:
    with (
        Provider(["a"]) as provider,
        capture() as seen,
        client_of_openai(provider.url) as client,
    ):
        with touchdown.task("goal"):
            client.responses.create(model="gpt-5", input="x")
        told = list(read_records(map(view_of_sdk_span, seen.spans)))
        live = seen.account

    settled = next(one for one in told if isinstance(one, Settled))
    rest = [one for one in told if one is not settled]
    older = replace(settled, figures={**settled.figures, "prices": "older", "total": 0.25})
    account = refold([*rest, older], PriceBook()).account()
    assert account.money.complete
    assert str(account.money.memo["settled_usd"]) == "0.25"

    other = replace(settled, figures={**settled.figures, "model calls": 2})
    account = refold([*rest, other], PriceBook()).account()
    assert account.money.incomplete_reasons == {"settled otherwise: model calls 2, here 1": 0}
    assert account.money.total_usd == live.money.total_usd


def test_records_lost_in_the_process_stay_lost() -> None:
    with (
        Provider(["a"]) as provider,
        capture() as seen,
        client_of_openai(provider.url) as client,
    ):
        with touchdown.task("goal") as task:
            client.responses.create(model="gpt-5", input="x")
            runtime = core.active()
            assert runtime is not None
            runtime.note_dropped(task.id)
        live = seen.account
        again = rebuilt(map(view_of_sdk_span, seen.spans))

    assert live.dropped_records == 1
    assert not live.money.complete
    assert again == live
