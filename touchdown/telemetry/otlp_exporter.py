"""The SDK's exporter of spans over OTLP/HTTP with an encoder of our own; the SDK's takes what is unusual."""

import os
from collections.abc import Sequence
from typing import Any, cast

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

from touchdown.telemetry.body import Body, takes_parts
from touchdown.telemetry.encoded import Encoded
from touchdown.telemetry.environment import OWN_METRICS
from touchdown.telemetry.quiet import say_once
from touchdown.telemetry.wire import Piece, bytes_of, field_of, pieces_of, size_of

Spans = Sequence[ReadableSpan | Encoded]

LARGE = 1 << 18
"""Bytes of a request from which on it is made while it is sent."""


class QuickSpanExporter(OTLPSpanExporter):
    """Sends as its base does: endpoint, headers, certificates, retries and warnings are the SDK's."""

    @property
    def takes_bytes(self) -> bool:
        """Whether spans may come as :class:`Encoded`: not where the SDK is of another version."""
        client = getattr(self, "_client", None)
        return callable(getattr(client, "export", None)) and hasattr(self, "_max_request_size")

    def export(self, spans: Spans) -> SpanExportResult:
        """Send `spans`."""
        encoded = [span for span in spans if isinstance(span, Encoded)]
        pieces = self._request(spans, encoded)
        if pieces is None:
            return super().export(cast(Sequence[ReadableSpan], spans))
        most, size = self._max_request_size, size_of(pieces)
        if 0 < most < size:
            return self._in_two(spans, size)
        client: Any = self._client
        if size >= LARGE and takes_parts(client):
            sent = client.export(Body(pieces)).success
        else:
            data = b"".join(map(bytes_of, pieces))
            pieces.clear()
            for span in encoded:
                span.let_go()
            sent = client.export(data).success
        return SpanExportResult.SUCCESS if sent else SpanExportResult.FAILURE

    def _request(self, spans: Spans, encoded: list[Encoded]) -> list[Piece] | None:
        """The request; ``None`` for what the base is to see: it says what is too large, or too late."""
        if self._shutdown or not self.takes_bytes or (OWN_METRICS in os.environ and not encoded):
            return None
        try:
            pieces = pieces_of(spans)
        except (
            AttributeError,
            TypeError,
            ValueError,
        ):  # another version of the SDK, or other spans
            if not encoded:
                return None
            pieces = pieces_of([_by_the_sdk(span) for span in spans])
        return pieces if encoded or not 0 < self._max_request_size < size_of(pieces) else None

    def _in_two(self, spans: Spans, size: int) -> SpanExportResult:
        """A request that would be too large, as smaller ones."""
        if len(spans) == 1:
            say_once(
                "too large", f"a span of {size:,} bytes is larger than a request may be; not sent"
            )
            return SpanExportResult.FAILURE
        middle = len(spans) // 2
        results = [self.export(half) for half in (spans[:middle], spans[middle:])]
        return max(results, key=lambda result: result.value)


def _by_the_sdk(span: ReadableSpan | Encoded) -> Encoded:
    if isinstance(span, Encoded):
        return span
    message = encode_spans([span]).resource_spans[0].scope_spans[0].spans[0]
    return Encoded(span, field_of(message.SerializeToString()))
