"""The mark stands in every place of content, and nowhere in what leaves."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import touchdown
from tests.privacy import talks
from tests.privacy.leaving import Left, begin_run, listening
from tests.privacy.mark import MARK, canary
from tests.telemetry.receiver import receiving
from touchdown.accounting.fold import Fold
from touchdown.clients.anthropic.reader import MessagesReader
from touchdown.clients.openai.chat import ChatReader, ChatStream
from touchdown.clients.stainless import Hooks
from touchdown.context.tracker import ContextTracker, digest
from touchdown.live.run_folder import VARIABLE
from touchdown.runtime import guard
from touchdown.runtime.guard import guarded
from touchdown.runtime.step import StepObservation
from touchdown.telemetry import quiet, writing
from touchdown.telemetry.held import Held
from touchdown.telemetry.metrics import Metrics
from touchdown.telemetry.spans import SpanSink
from touchdown.testing import Provider, capture

SECRET = {"role": "user", "content": "4711"}


@touchdown.tool
def look(where: str) -> str:
    return "no"


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", VARIABLE, "TOUCHDOWN_JOURNAL"):
        monkeypatch.delenv(name, raising=False)
    yield
    touchdown.uninstrument()
    guard.forget_warnings()
    quiet.forget()


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider(talks.reply) as running:
        yield running


def assert_sent(provider: Provider, made: int) -> None:
    """The mark really was in what was sent: else it would prove nothing that it is not found."""
    assert len(provider.requests) > made  # some were sent again
    for request in provider.requests:
        assert MARK in str(request.body)
        assert MARK in str(request.headers)


def test_nothing_of_content_leaves_by_default(
    provider: Provider,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    left, run = Left(), tmp_path / "run"
    run.mkdir()
    begin_run(run, tmp_path / "journal.jsonl")
    monkeypatch.setenv(VARIABLE, str(run))
    with receiving() as backend, listening() as (heard, warned):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", backend.endpoint)
        touchdown.instrument()
        task, made = talks.everything(provider, talks.QUESTIONS)
        assert touchdown.flush(30)
        left.looks(task)
        assert task.totals.model_calls == made
        assert_sent(provider, made)
        touchdown.uninstrument()
        left.received(backend)
        assert len(backend.spans()) > made
    left.files(tmp_path)
    assert {"file journal.jsonl", "file run.json"} <= set(left.parts)
    assert any(name.endswith(".started") for name in left.parts)
    left.said(heard, warned)
    out, err = capfd.readouterr()
    left.parts |= {"stdout": out, "stderr": err}
    assert left.leaks() == {}


def test_nothing_leaves_by_spans_of_the_hosts_provider(provider: Provider) -> None:
    left, memory = Left(), InMemorySpanExporter()
    tracers = TracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(memory))
    touchdown.instrument(tracer_provider=tracers, cache_diagnostics=True, stream_usage=True)
    task, made = talks.everything(provider)
    left.looks(task)
    left.spans(list(memory.get_finished_spans()))
    assert len(memory.get_finished_spans()) > made
    assert left.leaks() == {}


def telling(*args: object, **kwargs: object) -> Any:
    """What a broken part may raise: an exception that quotes all it was given."""
    raise ValueError(f"cannot read {args!r} {kwargs!r} {MARK}")


PARTS: tuple[tuple[Any, str], ...] = (
    (ChatReader, "read_request"),
    (ChatReader, "read_answer"),
    (ChatReader, "new_stream"),
    (ChatStream, "chunk"),
    (ChatStream, "answer"),
    (MessagesReader, "read_request"),
    (ContextTracker, "shape"),
    (StepObservation, "deliver"),
    (Fold, "take"),
    (Hooks, "_prepare"),
    (SpanSink, "open"),
    (Held, "activate"),
    (writing, "_told"),
    (Metrics, "record"),
)


@pytest.mark.parametrize(("owner", "name"), PARTS, ids=lambda part: getattr(part, "__name__", part))
def test_an_exception_of_ours_says_nothing_of_what_it_was_about(
    owner: Any, name: str, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = getattr(owner, name)
    told = guarded("hooks")(telling) if name == "_prepare" else telling
    monkeypatch.setattr(owner, name, told)
    left = Left()
    with listening() as (heard, warned), capture() as seen:
        with touchdown.task("broken"):
            gpt, claude = talks.clients(provider)
            talks.read(gpt.chat.completions.create(**talks.chat("hello")))
            talks.read(gpt.chat.completions.create(**talks.chat("hello"), stream=True))
            talks.read(claude.messages.create(**talks.message("hello")))
            talks.tools()
            gpt.close()
            claude.close()
            talks.misjudged("no number")
        left.parts["spans"] = "\n".join(span.to_json() for span in seen.spans)
        left.parts["records"] = repr(seen.records)
        monkeypatch.setattr(owner, name, before)
    left.said(heard, warned)
    assert str(left.parts["log"]).count("ValueError at privacy/") >= 2  # the tool's rule is one
    assert left.leaks() == {}


def test_digests_of_small_secrets_cannot_be_guessed(provider: Provider, tmp_path: Path) -> None:
    """Two tasks of the same content share no digest, and none is one without a key."""
    seen: list[set[str]] = []
    with capture() as found:
        for _ in range(2):
            gpt, _claude = talks.clients(provider)
            with touchdown.task("secret"):
                gpt.chat.completions.create(model=talks.GPT, messages=[SECRET])
                look("yes")
            gpt.close()
        for call, tool in zip(found.calls, found.tools, strict=True):
            digests = {segment.digest for segment in call.context.new}
            digests |= {call.context.digest, tool.argument_digest, tool.result_digest}
            seen.append(digests)
    guesses = {digest(each, b"") for each in ("yes", look("yes"), [["yes"], {}], SECRET["content"])}
    guesses |= {digest(["user", "user", SECRET["content"]], b"")}
    assert all(len(digests) >= 4 for digests in seen)
    assert not seen[0] & seen[1]
    assert not (seen[0] | seen[1]) & guesses


def test_digests_compare_across_tasks_with_a_key_of_the_users(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def digest_of_one_call() -> str:
        with capture() as found, touchdown.task("secret"):
            gpt, _claude = talks.clients(provider)
            gpt.chat.completions.create(model=talks.GPT, messages=[SECRET])
            gpt.close()
            return found.calls[0].context.digest

    unlike = {digest_of_one_call() for _ in range(2)}
    monkeypatch.setenv("TOUCHDOWN_DIGEST_KEY", "a key of ours")
    alike = {digest_of_one_call() for _ in range(2)}
    assert (len(unlike), len(alike)) == (2, 1)
    monkeypatch.setenv("TOUCHDOWN_DIGEST_KEY", "another")
    assert digest_of_one_call() not in alike


def test_content_in_the_spans_of_others_goes_no_further(tmp_path: Path) -> None:
    said = [{"role": "user", "parts": [{"type": "text", "content": canary("message")}]}]
    theirs = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": talks.GPT,
        "gen_ai.response.id": "answer_1",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 10,
        "gen_ai.input.messages": json.dumps(said),
        "gen_ai.output.messages": json.dumps(said),
        "gen_ai.system_instructions": json.dumps(said[0]["parts"]),
    }
    tracers = TracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(touchdown.SpanProcessor())
    left, journal = Left(), tmp_path / "journal.jsonl"
    with listening() as (heard, warned), capture(journal=journal) as seen:
        with touchdown.task("foreign") as task:
            tracer = tracers.get_tracer("opentelemetry.instrumentation.genai.openai")
            with tracer.start_as_current_span("chat", attributes=theirs):
                pass
        left.looks(task)
        (call,) = seen.calls
        assert call.context.chars > len(canary())
        left.spans(seen.spans)
    left.files(tmp_path)
    left.said(heard, warned)
    assert left.leaks() == {}
