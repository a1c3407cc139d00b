"""Records as OpenTelemetry spans and metrics."""

from touchdown.telemetry.spans import SpanSink as SpanSink
