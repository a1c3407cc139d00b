"""The span of a whole run, when spans are sent anywhere: the parent of all spans below it."""

import os
from typing import TYPE_CHECKING, Any

from touchdown.accounting.account import TaskAccount
from touchdown.records import TaskRecord
from touchdown.telemetry.environment import sdk_disabled, wanted_exporters

if TYPE_CHECKING:
    from touchdown.telemetry.held import Held
    from touchdown.telemetry.spans import SpanSink

EXIT_S = 2.0
"""How long the end of a run may take to send its span."""


class RunSpan:
    """Opened before the command starts, closed with its bill; nothing unless ``OTEL_*`` asks for it."""

    def __init__(self, task: TaskRecord) -> None:
        self._sink: SpanSink | None = None
        self._held: Held | None = None
        self._account: TaskAccount | None = None
        asked = [wanted_exporters(signal, os.environ) for signal in ("traces", "metrics")]
        if any(asked) and not sdk_disabled(os.environ):
            from touchdown.telemetry import spans

            self._sink = spans.SpanSink(settled=self._figures)
            self._held = self._sink.open(task)

    @property
    def traceparent(self) -> str:
        """For the processes below; empty when there is no sampled span."""
        held = self._held
        return f"00-{held.trace_id}-{held.span_id}-01" if held is not None and held.span_id else ""

    def close(self, account: TaskAccount) -> None:
        """Write the bill to the span and send it."""
        self._account = account
        if self._sink is not None:
            if self._held is not None:
                self._held.close(account.task, None)
            self._sink.shutdown(EXIT_S)

    def _figures(self, _task_id: str) -> dict[str, Any]:
        from touchdown.telemetry.settled import settled_attributes

        return settled_attributes(self._account) if self._account is not None else {}
