"""Each part of ours broken on purpose: the user's call, tool and task are as without us."""

import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter

import touchdown
from touchdown.accounting.fold import Fold
from touchdown.accounting.ledger import Ledger
from touchdown.clients.openai.chat import ChatReader, ChatStream
from touchdown.context.tracker import ContextTracker
from touchdown.prices import Override
from touchdown.prices.book import PriceBook
from touchdown.runtime import guard
from touchdown.telemetry import quiet
from touchdown.telemetry.held import Held
from touchdown.telemetry.spans import SpanSink
from touchdown.testing import Capture, Provider, Reply, ToolUse, capture

openai = pytest.importorskip("openai")

AFFECTED = "the call is not affected"
WANTED = ("searched tests", "a streamed answer")


class OnPurposeError(RuntimeError):
    """What is raised on purpose."""


def broken(*_args: object, **_kwargs: object) -> Any:
    raise OnPurposeError


@touchdown.tool
def search(where: str) -> str:
    return f"searched {where}"


def run_agent(url: str) -> tuple[str, str]:
    """A small agent: a call, a tool, a streamed call, a task. What it found, as it sees it."""
    client = openai.OpenAI(base_url=url, api_key="k", max_retries=0)
    history: list[Any] = [{"role": "user", "content": "x"}]
    with client, touchdown.task("broken") as task:
        answer = client.chat.completions.create(model="gpt-5.4", messages=history)
        (use,) = answer.choices[0].message.tool_calls
        found = search(**json.loads(use.function.arguments))
        history += [
            answer.choices[0].message,
            {"role": "tool", "tool_call_id": use.id, "content": found},
        ]
        stream = client.chat.completions.create(
            model="gpt-5.4",
            messages=history,
            stream=True,
            stream_options={"include_usage": True},
        )
        parts = [c.choices[0].delta.content or "" for c in stream if c.choices]
        task.useful()
    return found, "".join(parts)


class BrokenProcessor(SpanProcessor):
    """A host's own processor that raises."""

    def __init__(self, where: str) -> None:
        setattr(self, where, broken)


class BrokenExporter(SpanExporter):
    """A host's own exporter that raises."""

    export = broken

    def shutdown(self) -> None: ...


class BrokenHandler(logging.Handler):
    """A host's own log handler that raises."""

    emit = broken


@dataclass(frozen=True)
class Break:
    """A part to break, and what is then said, known and lost."""

    patch: Callable[[pytest.MonkeyPatch], object] = lambda _monkeypatch: None
    options: Callable[[Path], dict[str, Any]] = lambda _path: {}
    said: tuple[str, ...] = ()
    calls: int = 2
    tools: int = 1
    complete: bool = True
    spans: int = 4
    dropped: int = 0
    problems: tuple[str, ...] = ()


def at(owner: Any, name: str) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda monkeypatch: monkeypatch.setattr(owner, name, broken)


def spans_through(processor: SpanProcessor) -> Callable[[Path], dict[str, Any]]:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    return lambda _path: {"tracer_provider": provider}


def no_folder(path: Path) -> dict[str, Any]:
    (path / "file").touch()
    return {"journal": path / "file" / "journal.jsonl"}


def locked_folder(path: Path) -> dict[str, Any]:
    (path / "locked").mkdir(mode=0o500)
    return {"journal": path / "locked" / "journal.jsonl"}


def refused(why: str) -> tuple[str, ...]:
    return f"cannot be written ({why}); accounts go on without it", "lines of the journal"


BREAKS = {
    "nothing": Break(),
    "reading the request": Break(
        at(ChatReader, "read_request"), said=(f"reader.request failed; {AFFECTED}",)
    ),
    "reading the answer": Break(
        at(ChatReader, "read_answer"),
        said=(f"reader.answer failed; {AFFECTED}",),
        complete=False,
        problems=("answer not readable",),
    ),
    "making a stream's reader": Break(
        at(ChatReader, "new_stream"),
        said=(f"reader.stream failed; {AFFECTED}",),
        complete=False,
        problems=("answer not readable",),
    ),
    "reading an event": Break(
        at(ChatStream, "chunk"),
        said=(f"reader.chunk failed; {AFFECTED}",),
        complete=False,
        problems=("answer not readable",),
    ),
    "context tracker": Break(
        at(ContextTracker, "shape"),
        said=(f"context.tracker failed; {AFFECTED}",),
    ),
    "price book": Break(
        at(PriceBook, "volume"),
        said=(),
        complete=False,
    ),
    "rates": Break(
        at(PriceBook, "rates_for"),
        said=(f"accountant.fold failed; {AFFECTED}",),
        calls=0,
        complete=False,
        dropped=2,
    ),
    "fold": Break(
        at(Fold, "take"),
        said=(f"accountant.fold failed; {AFFECTED}",),
        calls=0,
        complete=False,
        dropped=2,
    ),
    "account": Break(at(Ledger, "account"), said=("settling a task's figures failed",)),
    "sink.open": Break(at(SpanSink, "open"), said=(f"sink.open failed; {AFFECTED}",), spans=0),
    "sink.close": Break(at(Held, "close"), said=(f"sink.close failed; {AFFECTED}",), spans=0),
    "making a span current": Break(
        at(Held, "activate"), said=(f"sink.activate failed; {AFFECTED}",)
    ),
    "looking for a trace": Break(
        at(SpanSink, "current_trace_id"), said=(f"sink.current_trace_id failed; {AFFECTED}",)
    ),
    "processor.on_start": Break(
        options=lambda path: spans_through(BrokenProcessor("on_start"))(path),
        said=("opening a span failed (tests.runtime.test_breakage.OnPurposeError at ",),
        spans=0,
    ),
    "processor.on_end": Break(
        options=lambda path: spans_through(BrokenProcessor("on_end"))(path),
        said=("ending a span failed (tests.runtime.test_breakage.OnPurposeError at ",),
        spans=0,
    ),
    "exporter": Break(
        options=lambda path: spans_through(SimpleSpanProcessor(BrokenExporter()))(path), spans=0
    ),
    "journal: full disk": Break(
        options=lambda _path: {"journal": "/dev/full"}, said=refused("No space left on device")
    ),
    "journal: a folder": Break(
        options=lambda path: {"journal": path}, said=refused("Is a directory")
    ),
    "journal: below a file": Break(options=no_folder, said=refused("File exists")),
    "journal: locked folder": Break(options=locked_folder, said=refused("Permission denied")),
    "prices": Break(
        options=lambda _path: {"prices": [Override(model="gpt-5.4", input="a lot")]},
        said=("prices=[...], entry 1: input",),
    ),
}


@contextmanager
def breaking(how: Break, path: Path) -> Iterator[tuple[Capture, pytest.MonkeyPatch]]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        how.patch(monkeypatch)
        with capture(**how.options(path)) as seen:
            yield seen, monkeypatch


@pytest.fixture(autouse=True)
def _nothing_said() -> Iterator[None]:
    guard.forget_warnings()
    quiet.forget()
    yield
    guard.forget_warnings()
    quiet.forget()


def provider() -> AbstractContextManager[Provider]:
    asks = Reply(tool_uses=[ToolUse("search", {"where": "tests"})])
    return Provider([asks, WANTED[1]] * 2)


@pytest.mark.parametrize("part", BREAKS)
def test_the_host_gets_what_it_would_get_without_us(
    part: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    how = BREAKS[part]
    if "locked" in part and os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    if "full" in part and not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    caplog.set_level(logging.WARNING, "touchdown")
    with provider() as running, breaking(how, tmp_path) as (seen, monkeypatch):
        for _ in range(2):
            assert run_agent(running.openai_url) == WANTED
        touchdown.flush()
        spans = list(seen.spans)
        records, calls = seen.records, seen.calls
        monkeypatch.undo()
        accounts = seen.accounts
    said = [r.getMessage() for r in caplog.records if r.name.startswith("touchdown")]
    assert len(said) == len(how.said), said
    for message, wanted in zip(said, how.said, strict=True):
        assert message.startswith("touchdown: ")
        assert wanted in message
    assert [call.status for call in calls] == ["ok"] * 4
    assert len(spans) == 2 * how.spans
    assert {problem for call in calls for problem in call.usage.problems} == set(how.problems)
    assert len(records) == 2 * (2 + 1) + 2 * (2 + 1)
    assert [a.task.name for a in accounts] == ["broken"] * 2
    for account in accounts:
        assert (account.model_calls, account.tool_calls) == (how.calls, how.tools)
        assert account.money.complete is how.complete
        assert account.dropped_records == how.dropped
        assert account.task.outcome == "useful"
        assert account.task.error_type is None


def test_a_log_handler_that_raises_is_the_hosts_own_affair(tmp_path: Path) -> None:
    handler = BrokenHandler()
    logging.getLogger("touchdown").addHandler(handler)
    try:
        for part in ("fold", "sink.open", "reading the answer", "journal: a folder"):
            with provider() as running, breaking(BREAKS[part], tmp_path):
                assert run_agent(running.openai_url) == WANTED
    finally:
        logging.getLogger("touchdown").removeHandler(handler)
