"""Over the network: a request says in its headers which task, agent and span it belongs to."""

import contextlib
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import unquote

from opentelemetry import context as otel_context
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.trace import get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from touchdown.records import TaskRecord
from touchdown.runtime import core
from touchdown.runtime.carried import Carried
from touchdown.runtime.going_out import AGENT, TASK, TOOL, headers_here
from touchdown.runtime.guard import guarded, warn_once
from touchdown.runtime.handing import Above
from touchdown.runtime.identity import now_ns
from touchdown.runtime.place import Place, TaskState
from touchdown.runtime.sinks import Accountant

Headers = Mapping[str, str] | Iterable[tuple[str | bytes, str | bytes]]

_KEY = secrets.token_bytes(16)
"""Contexts of requests are compared within this process."""

_ID = re.compile(r"[a-z]{1,16}-[0-9A-Za-z_-]{1,64}")
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?"
)


def headers() -> dict[str, str]:
    """The headers that say where the caller stands, for a request to a server that you trust with them.

    ``traceparent`` where a span is current, and ``baggage`` with the ids of the task and agent. They replace
    headers of these names. Empty outside any task and span, and when touchdown is off.
    """
    return _headers() or {}


@guarded("headers")
def _headers() -> dict[str, str]:
    runtime = core.active()
    if runtime is None:
        return {}
    ours = headers_here(runtime)
    told: dict[str, str] = {}
    W3CBaggagePropagator().inject(told)
    both = [carrier["baggage"] for carrier in (told, ours) if "baggage" in carrier]
    if both:
        ours["baggage"] = ",".join(both)
    return ours


@contextlib.contextmanager
def joined(headers: Headers) -> Iterator[None]:
    """What happens inside belongs to the task that these headers of a request name.

    ``traceparent`` and ``baggage`` become current for OpenTelemetry, unless a span is current already. Model
    calls inside count in the task and agent that ``touchdown.headers()`` of the caller named, which the
    journals of both processes are joined by; without them, in a task of the trace. Nothing raises: headers
    that cannot be read are said once. Only join what comes from callers that you trust.
    """
    found = _read(headers) or {}
    with contextlib.ExitStack() as inside:
        context = _context(found)
        if context is not None:
            token = otel_context.attach(context)
            inside.callback(_detach, token)
        place = _place(found)
        if place is not None:
            inside.callback(_let_go, place.task)
            inside.enter_context(Carried(place).inside())
        yield


def _detach(token: object) -> None:
    with contextlib.suppress(
        ValueError, RuntimeError
    ):  # left in another context than it was entered in
        token.var.reset(token)  # type: ignore[attr-defined]


@guarded("joined.headers")
def _read(headers: Headers) -> dict[str, str]:
    """The two that matter, by their names in lower case."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    found = {}
    for name, value in pairs:
        key = _text(name).lower()
        if key in ("traceparent", "tracestate", "baggage"):
            found[key] = _text(value)
    traceparent = found.get("traceparent")
    if traceparent is not None and not _TRACEPARENT.fullmatch(traceparent.strip()):
        warn_once("joined:traceparent", "touchdown: a malformed traceparent is passed over")
        del found["traceparent"]
    return found


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


@guarded("joined.context")
def _context(found: Mapping[str, str]) -> Context | None:
    if not found or get_current_span().get_span_context().is_valid:
        return None  # the host's own instrumentation has read them
    context = TraceContextTextMapPropagator().extract(found)
    return W3CBaggagePropagator().extract(found, context)


@guarded("joined.place")
def _place(found: Mapping[str, str]) -> Place | None:
    runtime = core.active()
    members = {
        key.strip(): unquote(value.partition(";")[0].strip())
        for key, _, value in (one.partition("=") for one in found.get("baggage", "").split(","))
    }
    task_id, agent_id = members.get(TASK, ""), members.get(AGENT, "")
    if runtime is None or not task_id:
        return None
    if not (_ID.fullmatch(task_id) and _ID.fullmatch(agent_id)):
        warn_once(
            "joined:baggage", "touchdown: ids in a request's baggage that are none are passed over"
        )
        return None
    above = Above.of(found.get("traceparent", ""))
    record = TaskRecord(task_id, "", now_ns(), trace_id=above[0].trace_id if above else "")
    runtime.deliver_record(record)
    key = runtime.options.digest_key or _KEY
    tool_id = members.get(TOOL, "")
    tool_id = tool_id if _ID.fullmatch(tool_id) else ""
    return Place(TaskState(record, task_id, key), agent_id, tool_id=tool_id, opened=above)


@guarded("joined.end")
def _let_go(task: TaskState) -> None:
    runtime = core.active()
    if runtime is not None:
        runtime.delivery.put(_Rest(runtime.accountant, task.id))


class _Rest:
    """Behind the records of a request: nobody here will say that its task has ended."""

    __slots__ = ("_accountant", "_task_id")

    def __init__(self, accountant: Accountant, task_id: str) -> None:
        self._accountant, self._task_id = accountant, task_id

    def deliver(self) -> None:
        self._accountant.let_rest(self._task_id)

    def drop(self) -> None:
        """The ledger stays until there are too many."""
