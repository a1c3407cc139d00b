"""One answer of the API, written over several lines, as one model call with its last usage."""

import re

import msgspec
from msgspec import Struct, field

from touchdown.clients.anthropic.usage import read_usage
from touchdown.clients.fields import getter, words
from touchdown.records import Attempt, ContextShape, ModelCall, Output, ToolRequest, Usage
from touchdown.records.call import Awaited
from touchdown.sessions.claude_code.content import Content, argument_chars, thinking_chars
from touchdown.sessions.claude_code.line import Line, Message
from touchdown.sessions.history import with_unseen
from touchdown.sessions.times import MILLISECOND_NS, SECOND_NS, as_ns

PROVIDERS = {"msg_bdrk_": "aws.bedrock", "msg_vrtx_": "gcp.vertex_ai"}
"""How the ids of answers begin where another company sells the model."""
ID_BEGINS = 9

STATUS = re.compile(r"API Error:\D{0,20}(\d{3})\b")
UNKNOWN_TERMS = ("", "not_available")
NOT_WRITTEN = "the transcript does not hold this request"


class Answer(Struct, eq=False):
    """An answer as it is gathered. Units: nanoseconds since the epoch."""

    id: str
    agent_id: str
    model: str
    sent_at_ns: int
    shape: ContextShape
    last_ns: int = 0
    attempts: tuple[Attempt, ...] = ()
    stop_reason: str | msgspec.UnsetType | None = msgspec.UNSET
    text_chars: int = 0
    reasoning_chars: int = 0
    requests: dict[str, ToolRequest] = field(default_factory=dict)
    error_type: str | None = None
    http_status: int | None = None
    _usage: bytes = b"null"
    _usage_ns: int = -1

    def note_usage(self, message: Message, at_ns: int) -> None:
        """Keep the usage of a line's message if it is the last so far: earlier ones hold placeholders."""
        if at_ns > self.last_ns:
            self.last_ns = at_ns
        if at_ns >= self._usage_ns and (usage := bytes(message.usage)) != b"null":
            self._usage, self._usage_ns = usage, at_ns
            self.stop_reason = message.stop_reason

    def note_content(self, content: Content) -> None:
        """Add the sizes of what one line says."""
        if content.text is not None:
            self.text_chars += len(content.text)
        for part in content.parts:
            kind = part.type
            if kind == "text":
                self.text_chars += len(part.text)
            elif kind == "thinking":
                self.reasoning_chars += thinking_chars(part)
            elif kind == "tool_use":
                self.requests[part.id] = ToolRequest(part.id, part.name, argument_chars(part))

    def usage(self) -> tuple[Usage, object]:
        """The usage, and the object it stands in. An answer that was cut off has a lower bound of output."""
        try:
            value = msgspec.json.decode(self._usage)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            value = None
        usage = value if isinstance(value, dict) else None
        return read_usage(usage, whole=self.stop_reason is not None), usage

    def record(
        self, task_id: str, conversation: str, unseen_chars: int, awaited: Awaited
    ) -> ModelCall:
        """The model call. ``unseen_chars`` is the size of what its agent reads and no transcript holds."""
        usage, terms = self.usage()
        of = getter(terms)
        place = words(of("inference_geo"))
        return ModelCall(
            id=self.id,
            task_id=task_id,
            agent_id=self.agent_id,
            api="messages",
            operation="chat",
            provider=PROVIDERS.get(self.id[:ID_BEGINS], "anthropic"),
            vendor="anthropic",
            sent_at_ns=self.sent_at_ns,
            duration_ns=max(self.last_ns - self.sent_at_ns, 0),
            usage=usage,
            context=self._context(unseen_chars),
            model=self.model,
            response_model="" if self.error_type else self.model,
            response_id="" if self.error_type else self.id,
            attempts=self.attempts,
            output=Output(self.text_chars, self.reasoning_chars, tuple(self.requests.values())),
            finish_reasons=(self.stop_reason,) if isinstance(self.stop_reason, str) else (),
            status="error" if self.error_type else "ok",
            http_status=self.http_status,
            error_type=self.error_type,
            service_tier=words(of("service_tier")) or None,
            speed=words(of("speed")) or None,
            geography=None if place in UNKNOWN_TERMS else place,
            conversation=conversation,
            awaited=awaited,
        )

    def _context(self, unseen_chars: int) -> ContextShape:
        if self.error_type:
            return ContextShape(opaque=NOT_WRITTEN)
        return with_unseen(self.shape, unseen_chars, self.agent_id)


def failed_answer(line: Line, said: str, agent_id: str, model: str, sent_ns: int) -> Answer:
    """A request that failed for good. Its line is written by the agent, not by a model."""
    found = STATUS.search(said)
    status = int(found[1]) if found else None
    failed = Answer(line.uuid or f"error-{sent_ns}", agent_id, model, sent_ns, ContextShape())
    failed.error_type = str(status) if status else "connection"
    failed.http_status = status
    failed.last_ns = line.at_ns or sent_ns
    return failed


def attempt_of(line: Line) -> Attempt:
    """A request that failed and was sent again: a ``system`` line of subtype ``api_error``."""
    try:
        error = msgspec.json.decode(bytes(line.error))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        error = None
    status = error.get("status") if isinstance(error, dict) else None
    known = status if isinstance(status, int) and not isinstance(status, bool) else None
    waited_ns = as_ns(line.retry_in_ms or 0.0, MILLISECOND_NS) or 0
    return Attempt(
        known, max(waited_ns, 0) / SECOND_NS, error_type=str(known) if known else "connection"
    )
