"""Spans as real engines wrote them, made into spans of the SDK and sent by its own exporters."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from msgspec.structs import replace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.status import Status, StatusCode

from tests.accounting.build import GPT
from tests.engines.captured import spans
from touchdown.collect.bookkeeping import Bookkeeper
from touchdown.collect.receiver import Receiver
from touchdown.live.accountant import LiveAccountant
from touchdown.prices.book import PriceBook
from touchdown.records import ContextShape, ModelCall, Usage
from touchdown.telemetry.span import SpanEvent, SpanView

Row = dict[str, Any]
TRACE = "0af7651916cd43dd8448eb211c80319c"
"""Of the conversation that every capture holds; its calls' spans have the ids 1 to 5."""


def rows(engine: str, name: str = "") -> list[Row]:
    return [row for row in spans(engine) if row["trace_id"] == TRACE and name in row["name"]]


def view(row: Row) -> SpanView:
    """As the receiver reads it."""
    return SpanView(
        name=row["name"],
        trace_id=row["trace_id"],
        span_id=row["span_id"],
        parent_id=row["parent_span_id"] or "",
        began_ns=int(row["start_ns"]),
        ended_ns=int(row["end_ns"]),
        attributes=row["attributes"],
        events=tuple(SpanEvent(e["name"], 0, e["attributes"]) for e in row["events"]),
        scope=row["scope"],
        resource=row["resource"],
    )


def sdk_span(row: Row) -> ReadableSpan:
    """As the engine's own exporter was given it."""

    def context(span_id: str) -> SpanContext:
        trace_id = int(row["trace_id"], 16)
        return SpanContext(trace_id, int(span_id, 16), is_remote=False, trace_flags=TraceFlags(1))

    return ReadableSpan(
        row["name"],
        context=context(row["span_id"]),
        parent=context(row["parent_span_id"]) if row["parent_span_id"] else None,
        resource=Resource(row["resource"]),
        attributes=row["attributes"],
        events=[Event(e["name"], e["attributes"]) for e in row["events"]],
        kind=SpanKind[row["kind"].removeprefix("SPAN_KIND_")],
        status=Status(StatusCode.UNSET),
        start_time=int(row["start_ns"]),
        end_time=int(row["end_ns"]),
        instrumentation_scope=InstrumentationScope(row["scope"]),
    )


def call_of(row: Row, number: int = 1, **more: Any) -> ModelCall:
    """The call that this span of an engine is of, as the agent's side knows it."""
    told = row["attributes"]
    began, ended = int(row["start_ns"]), int(row["end_ns"])
    prompt = told.get("gen_ai.usage.prompt_tokens", told.get("input_tokens"))
    output = told.get("gen_ai.usage.completion_tokens", told.get("output_tokens"))
    call = ModelCall(
        id=f"call-{number}",
        task_id="task-1",
        agent_id="task-1",
        api="chat.completions",
        operation="chat",
        provider="openai",
        vendor="openai",
        sent_at_ns=began - 2_000_000,
        duration_ns=ended - began + 4_000_000,
        usage=Usage(uncached=int(prompt), output=int(output)),
        context=ContextShape(),
        model=GPT,
        trace_id=TRACE,
        span_id=f"{number:016x}",
    )
    return replace(call, **more)


def parent_number(row: Row) -> int:
    """Which turn of the conversation this is, by the span that the request came with."""
    return int(row["parent_span_id"], 16)


def exported(endpoint: str, found: Iterable[Row], **options: Any) -> SpanExportResult:
    """Send rows of a capture with OpenTelemetry's exporter."""
    exporter = OTLPSpanExporter(f"{endpoint}/v1/traces", **options)
    try:
        return exporter.export([sdk_span(row) for row in found])
    finally:
        exporter.shutdown()


class Collected:
    """A receiver and the ledgers behind it."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("http_port", 0)
        self.accountant = LiveAccountant(PriceBook.configured(()))
        self.books = Bookkeeper(self.accountant)
        self.receiver = Receiver(self.books, **options)

    @property
    def endpoint(self) -> str:
        return self.receiver.endpoint

    @property
    def counts(self) -> dict[str, int]:
        return self.receiver.counts.snapshot()

    def finish(self) -> None:
        """Nothing more comes."""
        self.receiver.drain(0.0)
        self.books.finish()


@contextmanager
def collecting(**options: Any) -> Iterator[Collected]:
    """A receiver for the time of a test, at a port that is free."""
    collected = Collected(**options)
    collected.receiver.start()
    try:
        yield collected
    finally:
        collected.receiver.close()
        collected.accountant.close()
