"""Who is told what happened: one sink that folds records into accounts, and sinks that show them.

Sinks fail alone: what one raises is logged once and never reaches the host or another sink.
"""

from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from touchdown.records import CallVerdict, Kept, Later, Record, Start, TaskRecord
from touchdown.runtime.content import Content
from touchdown.runtime.guard import failed

if TYPE_CHECKING:
    from touchdown.accounting.account import Summary, TaskAccount


class Opened(Protocol):
    """What a sink holds between the start and the end of one call, step or task (e.g. a span)."""

    @property
    def trace_id(self) -> str:
        """32 hex digits, or empty when nothing is sampled or sent."""
        ...

    @property
    def span_id(self) -> str:
        """16 hex digits, or empty."""
        ...

    def activate(self) -> AbstractContextManager[object]:
        """A context manager that makes this the parent of what begins inside it. Enterable again."""
        ...

    def show(self, content: Content) -> None:
        """Tell what was said; only where the user asked for it, and before ``close``."""
        ...

    def close(self, record: Record, verdict: CallVerdict | None) -> None:
        """Write the finished record; called once, behind the queue, in the order things ended."""
        ...


class Sink(Protocol):
    """Told of starts in the caller's thread (quickly) and of ends behind the queue."""

    def open(self, start: Start) -> Opened | None:
        """Something began. ``None``: this sink has nothing to hold for it."""
        ...

    def current_trace_id(self) -> str:
        """The trace that is current where the caller stands, or an empty string."""
        ...

    def current_traceparent(self) -> str:
        """The span that is current there, as W3C Trace Context has it, or an empty string."""
        ...

    def flush(self, timeout_s: float) -> bool:
        """Send what is held; true when all of it went out in time."""
        ...

    def shutdown(self, timeout_s: float) -> list[str]:
        """Flush and let go of what this sink itself made; what was lost, in a few words each."""
        ...


class Accountant(Protocol):
    """Folds finished records; the one sink that answers."""

    def fold(self, record: Record) -> CallVerdict | None:
        """Fold one record, behind the queue, in order."""
        ...

    def receive(self, record: Kept, written: Collection[str]) -> None:
        """Fold what another process told; it is written already to the journals named."""
        ...

    def let_rest(self, task_id: str) -> None:
        """Another process closes this task: hold its ledger no longer than that of a closed one."""
        ...

    def account(self, task: TaskRecord) -> "TaskAccount":
        """The account so far of a task and its child tasks."""
        ...

    def accounts(self) -> "list[TaskAccount]":
        """The accounts of all root tasks, oldest first."""
        ...

    def summary(self) -> "Summary":
        """All root tasks so far."""
        ...

    def settled(self, task_id: str) -> "TaskAccount | None":
        """The account of a task by its id; ``None`` when nothing is known of it."""
        ...

    def note(self, told: Later) -> bool:
        """Take in what is told of a task or a call by its id; false when no ledger knows of it."""
        ...

    @property
    def keeps(self) -> bool:
        """Whether records are written to a journal."""
        ...

    def changed_since(self, mark: int) -> "tuple[int, list[TaskAccount]]":
        """The accounts of the root tasks that changed after ``mark``, and the mark of now."""
        ...

    def close(self) -> None:
        """Let go of files."""
        ...

    def lost(self) -> dict[str, int]:
        """What was lost so far, by kind: ``records``, ``journal_lines``."""
        ...

    def unwritten(self) -> list[str]:
        """What could not be written down, in a few words each."""
        ...

    def after_fork(self) -> None:
        """In a forked child: what was folded so far is the parent's."""
        ...

    def note_dropped(self, task_id: str) -> None:
        """A record of this task was lost before it could be folded."""
        ...


def flush_all(sinks: Iterable[Sink], timeout_s: float) -> bool:
    """Have each send what it holds; false where one did not."""
    flushed = True
    for sink in sinks:
        try:
            flushed = sink.flush(timeout_s) and flushed
        except Exception:
            failed("sink.flush")
            flushed = False
    return flushed


@runtime_checkable
class Tended(Protocol):
    """A sink that has something to look after."""

    def tend(self) -> None:
        """About once a second, in the worker."""
        ...


def tend_all(sinks: Iterable[Sink]) -> None:
    """Have each that wants to look after what it holds."""
    for sink in sinks:
        try:
            if isinstance(sink, Tended):
                sink.tend()
        except Exception:
            failed("sink.tend")


def show_content(make: Callable[[], Content | None], opened: list[Opened]) -> None:
    """Make the content and hand it to whoever shows something of this call or step."""
    try:
        content = make()
    except Exception:
        failed("content")
        content = None
    if content is None:
        return
    for handle in opened:
        try:
            handle.show(content)
        except Exception:
            failed("sink.show")


def ids_of(opened: list[Opened]) -> tuple[str, str]:
    """Trace and span id of the first handle that has them."""
    for handle in opened:
        span_id = handle.span_id
        if span_id:
            return handle.trace_id, span_id
    return "", ""
