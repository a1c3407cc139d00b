"""A sink that writes into memory, and a process in which nothing was said or asked for yet."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.telemetry.samples import plain
from touchdown.telemetry import SpanSink, quiet


@dataclass
class Seen:
    """A sink, its provider, and the spans that ended."""

    sink: SpanSink
    provider: TracerProvider
    memory: InMemorySpanExporter

    def spans(self) -> list[dict[str, Any]]:
        """The finished spans as dicts, in the order they ended."""
        return [plain(span) for span in self.memory.get_finished_spans()]

    def only(self) -> dict[str, Any]:
        """The one finished span."""
        (span,) = self.spans()
        return span


def memory_provider() -> tuple[TracerProvider, InMemorySpanExporter]:
    """A tracer provider of the SDK that keeps its spans."""
    memory = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    return provider, memory


@pytest.fixture
def seen() -> Seen:
    provider, memory = memory_provider()
    return Seen(SpanSink(tracer_provider=provider), provider, memory)


@pytest.fixture(autouse=True)
def _nothing_asked_or_said(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in list(os.environ):
        if name.startswith("OTEL_"):
            monkeypatch.delenv(name)
    quiet.forget()
    yield
    quiet.forget()
