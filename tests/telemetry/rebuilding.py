"""Records written as spans by the real sink, sent through real OTLP, and read back."""

import base64
import gzip
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]
from msgspec.structs import replace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan

from tests.accounting.build import FixedPrices
from tests.telemetry.conftest import memory_provider
from touchdown.accounting.ledger import Ledger
from touchdown.records import (
    CallStart,
    ModelCall,
    Record,
    Start,
    StepStart,
    TaskRecord,
    ToolCall,
)
from touchdown.telemetry import SpanSink
from touchdown.telemetry.held import Held
from touchdown.telemetry.settled import settled_attributes

PRICES = FixedPrices()


def start_of(record: Record) -> Start:
    """The start that the runtime would have told of."""
    if isinstance(record, TaskRecord):
        return replace(record, duration_ns=None)
    if isinstance(record, ModelCall):
        return CallStart(
            record.id,
            record.task_id,
            record.agent_id,
            record.provider,
            record.model,
            record.operation,
            record.sent_at_ns,
            agent_name=record.agent_id,
        )
    kind, agent = ("tool", "agent_id") if isinstance(record, ToolCall) else ("agent", "parent_id")
    return StepStart(
        kind,  # type: ignore[arg-type]
        record.id,
        record.task_id,
        getattr(record, agent),
        record.name,
        record.started_at_ns,
    )


@dataclass
class Exported:
    """A session as it went: its live ledger, the records as they were folded, and their spans."""

    live: Ledger
    records: list[Record]
    spans: list[ReadableSpan]


def export(records: Iterable[Record]) -> Exported:
    """Fold and export these records. Those of tasks that only open are passed over."""
    provider, memory = memory_provider()
    ledger = Ledger(PRICES)
    sink = SpanSink(
        tracer_provider=provider,
        settled=lambda task_id: settled_attributes(ledger.account(task_id=task_id)),
    )
    ended = [r for r in records if not isinstance(r, TaskRecord) or r.duration_ns is not None]
    opened: dict[str, Held | None] = {}
    folded: list[Record] = []
    for record in sorted(ended, key=lambda record: not isinstance(record, TaskRecord)):
        opened[record.id] = sink.open(start_of(record))
    for record in ended:
        held = opened[record.id]
        assert held is not None
        record = replace(record, trace_id=held.trace_id, span_id=held.span_id)
        folded.append(record)
        held.close(record, ledger.add(record))
    return Exported(ledger, folded, list(memory.get_finished_spans()))


def write_protobuf(path: Path, spans: Sequence[ReadableSpan]) -> Path:
    """One request, gzipped."""
    path.write_bytes(gzip.compress(encode_spans(spans).SerializeToString()))
    return path


def write_framed(path: Path, spans: Sequence[ReadableSpan]) -> Path:
    """A request per span, each behind its length, as the collector's file exporter writes them."""
    messages = [encode_spans([span]).SerializeToString() for span in spans]
    path.write_bytes(b"".join(len(m).to_bytes(4, "big") + m for m in messages))
    return path


def write_json(path: Path, spans: Sequence[ReadableSpan]) -> Path:
    """A request per line, ids in base64 as generic writers have them."""
    lines = [json.dumps(MessageToDict(encode_spans([span]))) for span in spans]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def write_document(path: Path, spans: Sequence[ReadableSpan]) -> Path:
    """One indented document with ids in hex, as OTLP has it."""
    document = MessageToDict(encode_spans(spans))
    for group in document["resourceSpans"]:
        group["somethingNew"] = {"not": "known"}
        for scope in group["scopeSpans"]:
            for span in scope["spans"]:
                for name in ("traceId", "spanId", "parentSpanId"):
                    if name in span:
                        span[name] = base64.b64decode(span[name]).hex()
    path.write_text(json.dumps(document, indent=1), "utf-8")
    return path


WRITERS = (write_protobuf, write_framed, write_json, write_document)
