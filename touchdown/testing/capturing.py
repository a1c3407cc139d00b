"""``capture()``: a fresh accountant and spans in memory, for as long as a test runs."""

import contextlib
from collections.abc import Iterator
from contextvars import Token
from typing import Any, cast

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from touchdown import api
from touchdown.accounting.account import Summary, TaskAccount
from touchdown.records import AgentRun, CallVerdict, ModelCall, Record, TaskRecord, ToolCall
from touchdown.runtime import core
from touchdown.runtime.place import Place, reset_place, set_place
from touchdown.runtime.sinks import Accountant
from touchdown.wiring import build_runtime


class Capture:
    """What happened inside ``capture()``. Every property folds what has ended so far first."""

    def __init__(self, runtime: core.Runtime, exporter: InMemorySpanExporter) -> None:
        self._runtime, self._exporter = runtime, exporter
        self._kept = _Kept(runtime.accountant)
        runtime.accountant = cast("Accountant", self._kept)

    @property
    def records(self) -> list[Record]:
        """Everything that ended, in order."""
        self._runtime.drain()
        return list(self._kept.records)

    @property
    def calls(self) -> list[ModelCall]:
        """The model calls."""
        return [record for record in self.records if isinstance(record, ModelCall)]

    @property
    def verdicts(self) -> list[CallVerdict]:
        """What the accountant said of each model call when it was folded."""
        self._runtime.drain()
        return list(self._kept.verdicts)

    @property
    def tools(self) -> list[ToolCall]:
        """The tool executions that decorators and integrations saw."""
        return [record for record in self.records if isinstance(record, ToolCall)]

    @property
    def agents(self) -> list[AgentRun]:
        """The runs of agents."""
        return [record for record in self.records if isinstance(record, AgentRun)]

    @property
    def tasks(self) -> list[TaskRecord]:
        """The tasks, as they opened and again as they closed."""
        return [record for record in self.records if isinstance(record, TaskRecord)]

    @property
    def accounts(self) -> list[TaskAccount]:
        """The accounts of all root tasks."""
        self._runtime.drain()
        return self._runtime.accountant.accounts()

    @property
    def account(self) -> TaskAccount:
        """The account of the one root task; raises ``ValueError`` when there is none or more than one."""
        accounts = self.accounts
        if len(accounts) != 1:
            raise ValueError(f"{len(accounts)} root tasks were captured, not one")
        return accounts[0]

    @property
    def summary(self) -> Summary:
        """All root tasks together."""
        self._runtime.drain()
        return self._runtime.accountant.summary()

    @property
    def spans(self) -> list[ReadableSpan]:
        """The finished spans, in the order they ended."""
        self._runtime.drain()
        return list(self._exporter.get_finished_spans())


class _Kept:
    """An accountant that also keeps what it was given."""

    def __init__(self, inner: Accountant) -> None:
        self._inner = inner
        self.records: list[Record] = []
        self.verdicts: list[CallVerdict] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def fold(self, record: Record) -> CallVerdict | None:
        self.records.append(record)
        verdict = self._inner.fold(record)
        if verdict is not None:
            self.verdicts.append(verdict)
        return verdict


def _stand_again(token: Token[Place | None]) -> None:
    with contextlib.suppress(ValueError, RuntimeError):  # a fixture may end in another context
        reset_place(token)


@contextlib.contextmanager
def capture(**options: Any) -> Iterator[Capture]:
    """Observe everything inside with a fresh accountant and spans in memory; then all is as before.

    Works whether or not the process is instrumented, and nests: the innermost sees what happens. Code under
    test may call ``touchdown.instrument()``: it takes effect when the capture has ended.
    ``options`` are those of :func:`touchdown.instrument` (``prices``, ``stream_usage``, ``journal``...).
    """
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    runtime = build_runtime({"tracer_provider": provider, **options})
    with contextlib.ExitStack() as stack:
        seen = Capture(runtime, exporter)
        stack.callback(provider.shutdown)
        stack.callback(runtime.accountant.close)
        stack.callback(runtime.close)
        stack.callback(core.capture(runtime))
        stack.callback(api.arm_clients())
        stack.callback(_stand_again, set_place(None))
        yield seen
