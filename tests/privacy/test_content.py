"""Content that was asked for: where it is shown, how it is redacted and cut, and what it costs when off."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import touchdown
from tests.clients.apis import CHAT, MESSAGES, RESPONSES, TEXT, Api
from tests.clients.conftest import make_client
from tests.privacy import talks
from tests.privacy.leaving import Left, listening
from tests.privacy.mark import MARK, canary
from touchdown.clients.openai.chat import ChatReader
from touchdown.runtime import guard
from touchdown.runtime.options import CONTENT_VARIABLE, read_content_options
from touchdown.telemetry import content_names as names
from touchdown.testing import Capture, Provider, Reply, ToolUse, capture

APIS = (CHAT, RESPONSES, MESSAGES)
ANSWER = Reply(TEXT, [ToolUse("look", {"where": "here"}, id="id_1")], reasoning="Let me see.")
CONTENT = {
    value
    for name, value in vars(names).items()
    if name.isupper() and isinstance(value, str) and name not in ("DETAILS", "TOOL_DETAILS")
}


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv(CONTENT_VARIABLE, raising=False)
    guard.forget_warnings()
    yield
    guard.forget_warnings()


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider(lambda _request: ANSWER) as running:
        yield running


@pytest.fixture
def full() -> Iterator[Provider]:
    with Provider(talks.reply) as running:
        yield running


@touchdown.tool
def look(where: str, *, deep: int = 0) -> dict[str, str]:
    return {"found": where}


def ask(api: Api, provider: Provider, *, stream: bool = False) -> None:
    url = provider.url if api.vendor == "anthropic" else provider.openai_url
    client = make_client(api.vendor, url)
    answer = api.of(client).create(**api.ask, **(api.streamed if stream else {}))
    if stream:
        list(answer)
    client.close()


def content_of(seen: Capture) -> list[dict[str, Any]]:
    """The content on each span, decoded."""
    return [
        {
            name: json.loads(value) if isinstance(value, str) and value[:1] in "[{" else value
            for name, value in (span.attributes or {}).items()
            if name in CONTENT
        }
        for span in seen.spans
    ]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("api", APIS, ids=str)
def test_a_call_is_shown_in_the_words_of_the_conventions(
    api: Api, stream: bool, provider: Provider
) -> None:
    with capture(capture_content=True) as seen:
        ask(api, provider, stream=stream)
        (shown,) = content_of(seen)
    question = [{"type": "text", "content": "Which test fails?"}]
    use = {"type": "tool_call", "id": "id_1", "name": "look", "arguments": {"where": "here"}}
    reasoning = {"type": "reasoning", "content": "Let me see."}
    said: list[Any] = [{"type": "text", "content": TEXT}, use]
    assert shown[names.INPUT_MESSAGES] == [{"role": "user", "parts": question}]
    (answered,) = shown[names.OUTPUT_MESSAGES]
    assert answered["role"] == "assistant"
    assert [part for part in answered["parts"] if part != reasoning] == said
    (tool,) = shown[names.TOOL_DEFINITIONS]
    assert tool["name"] == "run_tests"
    assert tool["parameters"]["type"] == "object"
    assert set(shown) == {names.INPUT_MESSAGES, names.OUTPUT_MESSAGES, names.TOOL_DEFINITIONS}


def test_a_tool_is_shown_and_its_objects_are_only_named() -> None:
    class Own:
        def __repr__(self) -> str:
            raise AssertionError("the host's code was called")

    with capture(capture_content=True) as seen:
        look("here", deep=3)
        look(Own())  # type: ignore[arg-type]
        shown = content_of(seen)
    assert shown == [
        {names.TOOL_ARGUMENTS: {"args": ["here"], "deep": 3}, names.TOOL_RESULT: {"found": "here"}},
        {names.TOOL_ARGUMENTS: {"args": ["Own"]}, names.TOOL_RESULT: {"found": "Own"}},
    ]


@pytest.mark.parametrize(
    ("asked", "on_span", "in_event"),
    [
        ("NO_CONTENT", False, False),
        ("SPAN_ONLY", True, False),
        ("EVENT_ONLY", False, True),
        ("span_and_event", True, True),
    ],
)
def test_the_standard_variable_says_where(
    asked: str, on_span: bool, in_event: bool, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CONTENT_VARIABLE, asked)
    with capture() as seen:
        ask(CHAT, provider)
        look("here")
        call, tool = seen.spans
    assert (names.INPUT_MESSAGES in (call.attributes or {})) is on_span
    assert (names.TOOL_RESULT in (tool.attributes or {})) is on_span
    assert [event.name for event in call.events] == [names.DETAILS] * in_event
    assert [event.name for event in tool.events] == [names.TOOL_DETAILS] * in_event


@pytest.mark.parametrize("asked", ["true", "1", "yes please"])
def test_another_value_shows_nothing_and_is_said(
    asked: str,
    provider: Provider,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv(CONTENT_VARIABLE, asked)
    with capture() as seen:
        ask(CHAT, provider)
        assert content_of(seen) == [{}]
    (line,) = caplog.messages
    assert asked in line
    assert "no content is shown" in line


def test_an_argument_goes_before_the_variable(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CONTENT_VARIABLE, "SPAN_ONLY")
    with capture(capture_content=False) as seen:
        ask(CHAT, provider)
        assert content_of(seen) == [{}]


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"capture_content": "all"}, ValueError),
        ({"redact": "secret"}, TypeError),
        ({"content_limit": 0}, ValueError),
        ({"content_limit": True}, ValueError),
    ],
)
def test_what_is_no_option_is_refused(given: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        touchdown.instrument(**given)
    assert touchdown.current_task() is None


def test_nothing_is_done_for_content_when_it_is_off(provider: Provider) -> None:
    assert read_content_options(None, str.upper, 9) is None
    with capture() as seen:
        kept: list[Any] = []
        put = seen._runtime.delivery.put
        seen._runtime.delivery.put = lambda item: (kept.append(item), put(item))[1]  # type: ignore[method-assign]
        ask(CHAT, provider, stream=True)
    assert [type(item.reader) for item in kept if hasattr(item, "reader")] == [ChatReader]


def redact(text: str) -> str:
    return text.replace(MARK, "*")


def test_what_is_redacted_is_never_seen(full: Provider, tmp_path: Path) -> None:
    left, journal = Left(), tmp_path / "journal.jsonl"
    options: dict[str, Any] = {"capture_content": "SPAN_AND_EVENT", "redact": redact}
    with listening() as (heard, warned), capture(**options, journal=journal) as seen:
        task, made = talks.everything(full)
        left.looks(task)
        left.spans(seen.spans)
        shown = [content for content in content_of(seen) if content]
    left.files(tmp_path)
    left.said(heard, warned)
    assert left.leaks() == {}
    assert len(shown) >= made
    assert "* * *" in json.dumps(shown)
    assert not any(names.DROPPED in content for content in shown)


def test_the_journal_holds_no_content_even_when_spans_do(full: Provider, tmp_path: Path) -> None:
    left, journal = Left(), tmp_path / "journal.jsonl"
    with capture(capture_content=True, journal=journal) as seen:
        task, _ = talks.everything(full)
        left.looks(task)
        assert MARK in json.dumps(content_of(seen))
    left.files(tmp_path)
    assert left.leaks() == {}


def raising(text: str) -> str:
    raise ValueError(text)


def giving_none(text: str) -> Any:
    return None


def failing_late() -> Callable[[str], str]:
    """Redacts twice, then fails: what was ready by then must not be shown either."""
    done: list[str] = []

    def redact(text: str) -> str:
        done.append(text)
        return "fine" if len(done) < 3 else raising(text)

    return redact


@pytest.mark.parametrize("how", [raising, giving_none, failing_late()], ids=["", "None", "late"])
def test_a_redaction_that_fails_drops_the_content_and_nothing_else(
    how: Callable[[str], str], full: Provider
) -> None:
    left = Left()
    with listening() as (heard, warned), capture(capture_content=True, redact=how) as seen:
        gpt, claude = talks.clients(full)
        assert gpt.chat.completions.create(**talks.chat("hello")).choices[0].message.content
        talks.read(claude.messages.create(**talks.message("hello"), stream=True))
        assert talks.look("here") == canary("tool result")
        shown = content_of(seen)
        left.spans(seen.spans)
        gpt.close()
        claude.close()
    left.said(heard, warned)
    assert shown == [{names.DROPPED: "redact failed"}] * 3
    assert [call.status for call in seen.calls] == ["ok", "ok"]
    assert len([line for line in heard.said if "redact" in line]) == 1
    assert left.leaks() == {}


def test_long_content_is_cut_latest_last_and_what_was_cut_is_counted(provider: Provider) -> None:
    history = [{"role": "user", "content": f"{number} " * 100} for number in range(200)]
    with capture(capture_content=True, content_limit=500) as seen:
        client = make_client("openai", provider.openai_url)
        client.chat.completions.create(model="gpt-5.4", messages=history)
        client.close()
        (shown,) = content_of(seen)
    texts = [p["content"] for m in shown[names.INPUT_MESSAGES] for p in m["parts"]]
    assert 300 < sum(map(len, texts)) <= 500
    assert texts[-1] == history[-1]["content"]
    cut = sum(len(message["content"]) for message in history) - sum(map(len, texts))
    assert shown[names.CUT_CHARS] == cut


def test_a_stream_keeps_no_more_events_than_there_is_room(provider: Provider) -> None:
    with (
        Provider([Reply("long " * 500, chunk_chars=5)]) as running,
        capture(capture_content=True, content_limit=50) as seen,
    ):
        client = make_client("openai", running.openai_url)
        stream = client.chat.completions.create(**CHAT.ask, **CHAT.streamed)
        parts = [c.choices[0].delta.content or "" for c in stream if c.choices]
        client.close()
        (shown,) = content_of(seen)
    assert "".join(parts) == "long " * 500
    (message,) = shown[names.OUTPUT_MESSAGES]
    assert message["parts"] == [{"type": "text", "content": ("long " * 500)[:34]}]
    assert shown[names.CUT_CHARS] > 400
    assert seen.account.money.complete


def test_the_bill_is_the_same_with_content_and_without(full: Provider) -> None:
    bills = []
    for shows in (False, True):
        full.evict()
        with capture(capture_content=shows) as seen:
            talks.everything(full)
            account = seen.account
            bills.append((account.money, account.usage, account.model_calls, len(seen.records)))
    assert bills[0] == bills[1]
