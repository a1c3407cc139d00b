"""The observation of one model call: opened when it is sent, closed once, read behind the queue."""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from touchdown.context.blocks import RequestView
from touchdown.context.tracker import ContextTracker
from touchdown.records import AnswerView, Attempt, CallStart, ContextShape, ModelCall, Usage
from touchdown.records.call import CallStatus
from touchdown.records.engine import told_by_engine
from touchdown.runtime.admission import Admission
from touchdown.runtime.clocks import CallClocks
from touchdown.runtime.core import Runtime
from touchdown.runtime.guard import failed, qualified_name
from touchdown.runtime.identity import since_epoch, this_process
from touchdown.runtime.inside import Inside
from touchdown.runtime.listening import Listening
from touchdown.runtime.marks import mark_of
from touchdown.runtime.place import Place
from touchdown.runtime.raw import RawBody, read_raw
from touchdown.runtime.reading import CallReader, StreamReader, read_request
from touchdown.runtime.sent import Sent
from touchdown.runtime.serving import timing_of
from touchdown.runtime.shaping import shape_of, tracker_of
from touchdown.runtime.sinks import ids_of, show_content
from touchdown.runtime.unreported import with_problems

UNREADABLE = Usage(problems=("answer not readable",))


class CallObservation:
    """One model call between send and end. Every method is quick; none raises into the host.

    ``finish`` and ``fail`` close it once, whoever comes first; the finished observation is the queue's
    item and becomes a :class:`ModelCall` when it is delivered.
    """

    __slots__ = (
        "__weakref__",
        "_admission",
        "_answer",
        "_attempts",
        "_end_ns",
        "_error",
        "_once",
        "_opened",
        "_process",
        "_runtime",
        "_status",
        "chunks",
        "clocks",
        "first_ns",
        "hide_usage_chunk",
        "hold",
        "is_stream",
        "place",
        "raw",
        "reader",
        "reading",
        "sent",
        "start",
        "stream",
        "vendor",
    )

    def __init__(
        self,
        runtime: Runtime,
        reader: CallReader,
        start: CallStart,
        place: Place,
        vendor: str,
        admission: Admission | None = None,
    ) -> None:
        self._admission = admission
        self._runtime = runtime
        self.reader = reader
        self.start = start
        self.clocks = CallClocks(place.task)
        self.place = place
        self.vendor = vendor
        self.sent = Sent()
        self.stream: StreamReader | None = None
        self.raw: RawBody | None = None
        self.is_stream = False
        self.reading = False
        """A read of the stream is under way: it will say how it ended, closing the body does not."""
        self.hide_usage_chunk = False
        self.hold: Callable[[CallObservation, object], bool | None] | None = None
        """Asked before a call is finished: true keeps it open (a background response still runs)."""
        self.first_ns: int | None = None
        self.chunks = 0
        self._attempts: tuple[Attempt, ...] = ()
        self._answer: object = None
        self._status: CallStatus = "ok"
        self._error: str | None = None
        self._end_ns = 0
        self._once = threading.Lock()
        self._process = this_process()
        runtime.began(place.task)
        self._opened = [] if start.adopt else runtime.open(start)

    # -- while it runs -------------------------------------------------------------------------

    def activate(self) -> AbstractContextManager[object]:
        """Make the call's span current, for what the SDK does inside ``request``."""
        return Inside(self._opened)

    def open_adopted(self) -> None:
        """The SDK's own span is current now: enrich that one."""
        if self.start.adopt and not self._opened:
            self._opened = self._runtime.open(self.start)

    def retried(self, attempt: Attempt) -> None:
        """The SDK sends the request again after this failed attempt."""
        self._attempts += (attempt,)

    def begin_stream(self) -> None:
        """The answer is a stream of events that the host will read."""
        self.is_stream = True
        if self.stream is None:
            try:
                self.stream = self.reader.new_stream()
            except Exception:
                failed("reader.stream")

    def chunk(self, event: object) -> None:
        """Look at one event of the stream."""
        if self.first_ns is None:
            self.first_ns = time.monotonic_ns()
        self.chunks += 1
        try:
            if self.stream is not None:
                self.stream.chunk(event)
        except Exception:
            self.stream = None  # what it says from here on would be half of the truth
            failed("reader.chunk")

    @property
    def ids(self) -> tuple[str, str]:
        """Trace and span id, empty where no span is recorded."""
        return ids_of(self._opened)

    @property
    def closed(self) -> bool:
        """Whether the call has ended."""
        return self._once.locked()

    # -- its end ---------------------------------------------------------------------------------

    def finish(self, answer: object = None, status: CallStatus = "ok") -> None:
        """The call ended with this answer, or with what its stream told."""
        if self.hold is not None and self.hold(self, answer):
            return
        if not self._once.acquire(blocking=False):
            return
        self._answer = answer
        self._status = status
        self._close()

    def dropped(self) -> None:
        """Whoever read the answer let go of it; ends the call if nothing else has."""
        if not self.closed:
            begun = self.chunks or (self.raw is not None and self.raw.size)
            self.finish(status="closed_early" if begun else "not_read")

    def fail(self, error: BaseException) -> None:
        """The call ended with an exception, a cancellation included."""
        if self.hold is not None and self.hold(self, None):
            return
        if not self._once.acquire(blocking=False):
            return
        self._error = qualified_name(error)
        self._status = "error" if isinstance(error, Exception) else "cancelled"
        self.sent.note_status(error)
        self._close()

    def _close(self) -> None:
        if self._process != this_process():
            return  # a forked child let go of it: the parent tells how it ended
        try:
            self._end_ns = self.clocks.end()
            runtime = self._runtime
            runtime.ended(self.place.task)
            runtime.delivery.put(self)
            if self.start.adopt:
                runtime.delivery.drain()
        except Exception:
            failed("call.close")

    # -- behind the queue ---------------------------------------------------------------------

    def deliver(self) -> None:
        """Read the payloads and hand the record on."""
        record = self.record()
        try:
            if isinstance(self.reader, Listening):
                show_content(self.reader.content, self._opened)
        finally:
            verdict = self._runtime.settle(record, self._opened)
            if self._admission is not None:
                self._admission.settle(record, verdict)

    def drop(self) -> None:
        """The queue was full."""
        self._runtime.note_dropped(self.start.task_id)
        if self._admission is not None:
            self._admission.settle(None, None)

    def record(self) -> ModelCall:
        """The finished record; what cannot be read is unknown in it, with the reason."""
        tracker = tracker_of(self._runtime, self.place.task, self.start.agent_id)
        view = self._read_request(tracker)
        answer = self._read_answer()
        return self._join(view, answer, shape_of(tracker, self.start.id, view, answer))

    def _read_request(self, tracker: ContextTracker | None) -> RequestView:
        try:
            last = None if tracker is None else tracker.last
            return read_request(self.reader, self.sent.body, last)
        except Exception:
            failed("reader.request")
            return RequestView([], opaque="request not readable")

    def _read_answer(self) -> AnswerView:
        try:
            if self.stream is not None and (self.chunks or self.raw is None):
                return self.stream.answer()
            if self.raw is not None:
                return read_raw(self.reader, self.raw)
            if self._answer is not None:
                return self.reader.read_answer(self._answer)
            if not self.is_stream:
                return AnswerView(complete=self._status == "ok")
        except Exception:
            failed("reader.answer")
        return AnswerView(usage=UNREADABLE, complete=self._status == "ok")

    def _join(self, view: RequestView, answer: AnswerView, context: ContextShape) -> ModelCall:
        start, runtime = self.start, self._runtime
        trace_id, span_id = self.ids
        sent_ns = start.sent_at_ns
        events = self.raw if self.raw is not None and self.raw.is_event_stream else None
        first_ns = events.first_ns if events is not None else self.first_ns
        engine = timing_of(self.sent.serving, answer, self)
        status: CallStatus = self._status
        if status == "closed_early" and answer.complete:
            status = "ok"
        elif status == "ok" and self.is_stream and not (answer.complete or answer.error_type):
            status = "closed_early"
        return ModelCall(
            id=start.id,
            task_id=start.task_id,
            agent_id=start.agent_id,
            api=self.reader.api,
            operation=start.operation,
            provider=start.provider,
            vendor=self.vendor,
            sent_at_ns=sent_ns,
            duration_ns=max(0, since_epoch(self._end_ns) - sent_ns),
            usage=told_by_engine(with_problems(answer, view, status), engine),
            context=context,
            host=start.host,
            port=start.port,
            scope=runtime.scope(self.sent.base_url, self.sent.credential),
            model=start.model,
            response_model=answer.model,
            response_id=answer.response_id,
            stream=self.is_stream or events is not None,
            first_chunk_ns=None if first_ns is None else since_epoch(first_ns) - sent_ns,
            chunks=self.chunks,
            attempts=self._attempts,
            output=answer.output,
            finish_reasons=answer.finish_reasons,
            status="error" if answer.error_type and status == "ok" else status,
            http_status=self.sent.http_status,
            error_type=self._error or answer.error_type,
            service_tier=answer.service_tier,
            speed=answer.speed,
            geography=answer.geography,
            reported_usd=answer.reported_usd,
            request=view.request,
            previous_response_id=view.previous_response_id,
            conversation=start.conversation or view.conversation,
            provider_verdict=view.verdict_in(answer),
            engine=engine,
            trace_id=trace_id,
            span_id=span_id,
            inside=self.place.tool_id,
            begun=mark_of(self.clocks.begun),
            ended=mark_of(self.clocks.ended),
            clock=self.clocks.record(sent_ns, first_ns, self._end_ns),
        )
