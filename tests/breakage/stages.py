"""The parts of touchdown, and the host's own code that it calls: how each is put out of order."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased

import touchdown
from tests.breakage import shapes
from tests.breakage.faults import BEHIND, BESIDE, KINDS, OWN, Fault, Kind
from touchdown import tasks
from touchdown.accounting.fold import Fold
from touchdown.accounting.ledger import Ledger
from touchdown.clients import inside, stainless
from touchdown.clients.anthropic.reader import MessagesReader
from touchdown.clients.anthropic.stream import MessageStreamReader
from touchdown.clients.openai.chat import ChatReader, ChatStream
from touchdown.clients.openai.embeddings import EmbeddingsReader
from touchdown.clients.openai.responses import ResponsesReader, ResponsesStream
from touchdown.context.tracker import ContextTracker
from touchdown.live.accountant import LiveAccountant
from touchdown.live.budgets import BudgetGate
from touchdown.live.journal import Journal
from touchdown.live.reservation import Reservation
from touchdown.prices.book import PriceBook
from touchdown.runtime.core import Runtime
from touchdown.runtime.delivery import Delivery
from touchdown.runtime.implicit import ImplicitTasks
from touchdown.telemetry import held, own_fields, own_tracer, writing
from touchdown.telemetry.foreign.live import Beside
from touchdown.telemetry.held import Held
from touchdown.telemetry.metrics import Metrics
from touchdown.telemetry.own_span import OwnSpan, OwnTracer
from touchdown.telemetry.private import CountedProcessor, OwnProvider
from touchdown.telemetry.spans import SpanSink
from touchdown.telemetry.waiting import Waiting

READERS = (ChatReader, ResponsesReader, MessagesReader, EmbeddingsReader)
STREAMS = (ChatStream, ResponsesStream, MessageStreamReader)

Options = dict[str, Any]
Break = Callable[[pytest.MonkeyPatch, Fault, Path], Options]


@dataclass(frozen=True)
class Stage:
    """One part: how it is broken, and in which ways it may be."""

    name: str
    break_it: Break
    kinds: tuple[Kind, ...] = KINDS
    late: Callable[[Fault], Callable[[], object]] | None = None
    """What begins once we observe, and how it ends."""

    def __str__(self) -> str:
        return self.name


def method(name: str, *owners: Any, kinds: tuple[Kind, ...] = KINDS, title: str = "") -> Stage:
    """A method of these, replaced."""

    def break_it(patch: pytest.MonkeyPatch, fault: Fault, _path: Path) -> Options:
        for owner in owners:
            patch.setattr(owner, name, fault)
        return {}

    return Stage(title or f"{owners[0].__name__}.{name}", break_it, kinds)


class _Processor(SpanProcessor):
    """A host's own processor with one method of its broken."""

    def __init__(self, name: str, fault: Fault) -> None:
        setattr(self, name, fault)


class _Exporter(SpanExporter):
    """A host's own exporter, broken."""

    def __init__(self, fault: Fault) -> None:
        self.export = fault  # type: ignore[method-assign]

    def shutdown(self) -> None: ...


def _tracing(processor: SpanProcessor) -> Options:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    return {"tracer_provider": provider}


def _on_start(_patch: pytest.MonkeyPatch, fault: Fault, _path: Path) -> Options:
    return _tracing(_Processor("on_start", fault))


def _on_end(_patch: pytest.MonkeyPatch, fault: Fault, _path: Path) -> Options:
    return _tracing(_Processor("on_end", fault))


def _sampler(_patch: pytest.MonkeyPatch, fault: Fault, _path: Path) -> Options:
    sampler = TraceIdRatioBased(1)
    sampler.should_sample = fault  # type: ignore[method-assign]
    return {"tracer_provider": TracerProvider(sampler, shutdown_on_exit=False)}


class _Taking(SpanExporter):
    """An exporter that takes what our own provider makes."""

    takes_bytes = True

    def export(self, spans: Any) -> SpanExportResult:
        assert all(span.data for span in spans)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None: ...


def _own(owner: Any, *names: str) -> Break:
    """Parts of our own spans, where the provider is ours."""

    def break_it(patch: pytest.MonkeyPatch, fault: Fault, _path: Path) -> Options:
        for name in names:
            patch.setattr(owner, name, fault)
        return {"tracer_provider": OwnProvider((CountedProcessor("otlp", _Taking()),))}

    return break_it


def _exporter(_patch: pytest.MonkeyPatch, fault: Fault, _path: Path) -> Options:
    return _tracing(SimpleSpanProcessor(_Exporter(fault)))


def _meter(_patch: pytest.MonkeyPatch, fault: Fault, _path: Path) -> Options:
    class Broken(MeterProvider):
        get_meter = fault  # type: ignore[assignment]

    return {"meter_provider": Broken(shutdown_on_exit=False)}


def _redact(_patch: pytest.MonkeyPatch, fault: Fault, _path: Path) -> Options:
    return {"capture_content": "SPAN_AND_EVENT", "redact": fault}


def _shown(patch: pytest.MonkeyPatch, fault: Fault, _path: Path) -> Options:
    patch.setattr(Held, "show", fault)
    return {"capture_content": True}


def _budget(owner: Any, name: str) -> Break:
    """Part of the gate, where there is a budget that holds."""

    def break_it(patch: pytest.MonkeyPatch, fault: Fault, _path: Path) -> Options:
        patch.setattr(owner, name, fault)
        return {"budget_usd": 1_000}

    return break_it


def _logger(patch: pytest.MonkeyPatch, fault: Fault, _path: Path) -> Options:
    """A handler of the host's that is broken, and a part that gives it something to say."""
    handler = logging.Handler()
    handler.emit = fault  # type: ignore[method-assign]
    patch.setattr(logging.getLogger("touchdown"), "handlers", [handler])
    patch.setattr(Fold, "take", Fault("raises"))
    return {}


def _journal(patch: pytest.MonkeyPatch, fault: Fault, path: Path) -> Options:
    patch.setattr(Journal, "write", fault)
    return {"journal": path / "journal.jsonl"}


def _journal_at(where: Callable[[Path], Path]) -> Break:
    """A file that cannot be written: the fault is the system's."""

    def break_it(patch: pytest.MonkeyPatch, fault: Fault, path: Path) -> Options:
        refused = Journal._refused

        def note(journal: Journal, error: Exception) -> None:
            fault.met += 1
            refused(journal, error)

        patch.setattr(Journal, "_refused", note)
        return {"journal": where(path)}

    return break_it


def _below_a_file(path: Path) -> Path:
    (path / "file").touch()
    return path / "file" / "journal.jsonl"


def _closed(patch: pytest.MonkeyPatch, fault: Fault, path: Path) -> Options:
    write = Journal.write

    def closed_first(journal: Journal, record: Any) -> None:
        fault.met += 1
        journal.close()
        write(journal, record)

    patch.setattr(Journal, "write", closed_first)
    return {"journal": path / "journal.jsonl"}


def _nothing(_patch: pytest.MonkeyPatch, _fault: Fault, _path: Path) -> Options:
    return {}


def _updates(fault: Fault) -> Callable[[], object]:
    return touchdown.on_update(fault, every=0.01).cancel


STAGES = (
    method("parts_of", stainless, title="hook: before sending"),
    method("keep_body", inside, title="hook: each attempt"),
    method("watch_body", inside, title="hook: body"),
    method("follow", inside, title="hook: stream"),
    method("open_step", tasks, kinds=OWN, title="hook: tool or agent"),
    method("began", Runtime, title="observation: begin"),
    method("ended", Runtime, title="observation: end"),
    method("put", Delivery, title="queue"),
    method("read_request", *READERS, title="reader: request"),
    method("read_answer", *READERS, title="reader: answer"),
    method("new_stream", *READERS, title="reader: stream"),
    method("chunk", *STREAMS, title="reader: chunk"),
    method("answer", *STREAMS, title="reader: streamed answer"),
    method("shape", ContextTracker, title="context"),
    method("rates_for", PriceBook, title="price book: rates"),
    method("take", Fold, title="fold"),
    method("fold", LiveAccountant, title="accountant"),
    method("account", Ledger, title="account"),
    method("open", SpanSink, title="sink: open"),
    method("open", Beside, title="sink: open (others' spans)"),
    method("current_trace_id", SpanSink, title="sink: trace"),
    method("activate", Held, title="sink: current span"),
    method("close", Held, title="sink: close"),
    Stage("sink: content", _shown),
    method("_told", writing, title="span attributes"),
    method("record", Metrics, title="metrics"),
    Stage("meter provider", _meter),
    Stage("span processor: start", _on_start, BESIDE),
    Stage("sampler", _sampler, BESIDE),
    Stage("span processor: end", _on_end, BEHIND),
    Stage("span exporter", _exporter, BEHIND),
    Stage("own span: begin", _own(OwnTracer, "begin_own"), OWN),
    Stage("own span: current", _own(held, "around"), ("raises",)),
    Stage("own span: end", _own(OwnSpan, "finish"), OWN),
    Stage("own span: attributes", _own(writing, "own_fields"), OWN),
    Stage("own span: check", _own(own_fields, "check_of_bytes"), OWN),
    Stage("own span: bytes", _own(own_tracer, "encode_own"), OWN),
    Stage("own span: as the SDK's", _own(own_tracer, "encode_own", "_Span"), OWN),
    Stage("own span: queue", _own(CountedProcessor, "on_end"), OWN),
    Stage("own span: waiting", _own(Waiting, "note"), OWN),
    Stage("journal", _journal),
    Stage("journal: full disk", _journal_at(lambda _path: Path("/dev/full")), ("raises",)),
    Stage("journal: a folder", _journal_at(lambda path: path), ("raises",)),
    Stage("journal: below a file", _journal_at(_below_a_file), ("raises",)),
    Stage("journal: closed", _closed, ("raises",)),
    Stage("logger", _logger, KINDS),
    Stage("budget: size", _budget(BudgetGate, "_bound")),
    Stage("budget: hold", _budget(BudgetGate, "_try"), OWN),
    Stage("budget: settle", _budget(Reservation, "settle")),
    Stage("redaction", _redact, BEHIND),
    method("is_bad", shapes, title="rule of a tool"),
    Stage("on_update", _nothing, BEHIND, _updates),
    method("close_idle", ImplicitTasks, title="closing idle tasks"),
)


@contextmanager
def broken(stage: Stage, fault: Fault, path: Path) -> Iterator[Options]:
    """The stage out of order; hands out what ``instrument()`` is to be asked for."""
    with pytest.MonkeyPatch.context() as patch:
        yield stage.break_it(patch, fault, path)
