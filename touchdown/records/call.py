"""One request to a model, its attempts and its answer."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

from msgspec import Struct, field

from touchdown.records.clock import CallClock, Mark
from touchdown.records.context import ContextShape
from touchdown.records.engine import EngineTiming
from touchdown.records.provider import ProviderVerdict
from touchdown.records.usage import Usage

CallStatus = Literal["ok", "error", "cancelled", "closed_early", "not_read", "not_started"]
"""How a call ended. ``closed_early``: the caller closed the stream before its end; ``not_read``: the
answer was dropped unread; ``not_started``: a coroutine that was never awaited."""

Awaited = Literal["", "human", "tools"]
"""``human``: a person wrote what this call reads; ``tools``: it reads what tools brought."""

Scalar = str | int | float | bool
"""A request parameter small enough to be an attribute."""


class Attempt(Struct, frozen=True):
    """One HTTP request that failed inside a model call and was sent again by the SDK.

    Units: ``backoff_s`` seconds the SDK slept before the next attempt; ``retry_after_s`` what the
    server asked for. ``status`` is ``None`` when no answer came (time-out, lost connection).
    """

    status: int | None
    backoff_s: float
    retry_after_s: float | None = None
    error_type: str = ""
    lasted_s: float | None = None
    """Seconds from its sending to its failure."""


class ToolRequest(Struct, frozen=True):
    """One tool call that the model asked for. Units: ``argument_chars`` characters."""

    call_id: str
    name: str
    argument_chars: int


class Output(Struct, frozen=True):
    """The size of an answer by kind. Units: characters."""

    text_chars: int = 0
    reasoning_chars: int = 0
    tool_requests: tuple[ToolRequest, ...] = ()
    summary_chars: int = 0
    """A summary of the history that the provider made, to be sent back in its place."""

    @property
    def chars(self) -> int:
        """All characters of the answer."""
        return (
            self.text_chars
            + self.reasoning_chars
            + self.summary_chars
            + sum(t.argument_chars for t in self.tool_requests)
        )

    @property
    def is_summary(self) -> bool:
        """Whether it holds a provider's summary and nothing else."""
        return self.summary_chars > 0 and not self.text_chars and not self.tool_requests


class CallStart(Struct, frozen=True):
    """The fact that a model call was sent. Units: ``sent_at_ns`` nanoseconds since the epoch."""

    id: str
    task_id: str
    agent_id: str
    provider: str
    model: str
    operation: str
    sent_at_ns: int
    host: str = ""
    port: int | None = None
    agent_name: str = ""
    conversation: str = ""
    adopt: bool = False
    """The SDK makes a span of its own that the host configured: it is enriched, none is made beside it."""


class ModelCall(Struct, frozen=True):
    """One request to a model with everything that is known of it once it ended.

    Units: ``sent_at_ns`` nanoseconds since the epoch on this process's own steady clock;
    ``first_chunk_ns`` and ``duration_ns`` nanoseconds after it.
    """

    id: str
    task_id: str
    agent_id: str
    api: str
    """``chat.completions``, ``responses``, ``embeddings`` or ``messages``."""
    operation: str
    """``chat`` or ``embeddings``: the operation name of the OpenTelemetry conventions."""
    provider: str
    """The conventions' provider name, e.g. ``openai``, ``anthropic``, ``azure.ai.openai``."""
    vendor: str
    """The vendor of the SDK that made the call."""
    sent_at_ns: int
    duration_ns: int
    usage: Usage
    context: ContextShape
    host: str = ""
    port: int | None = None
    scope: str = ""
    """Keyed digest of base URL and credential: whose prefix cache this is."""
    model: str = ""
    response_model: str = ""
    response_id: str = ""
    stream: bool = False
    first_chunk_ns: int | None = None
    chunks: int = 0
    attempts: tuple[Attempt, ...] = ()
    """Failed attempts that the SDK sent again, in order; the last attempt is the call itself."""
    output: Output = Output()
    finish_reasons: tuple[str, ...] = ()
    status: CallStatus = "ok"
    http_status: int | None = None
    error_type: str | None = None
    service_tier: str | None = None
    speed: str | None = None
    geography: str | None = None
    batch: bool = False
    reported_usd: Decimal | None = None
    """What the provider's own answer says was charged, when it says so."""
    request: Mapping[str, Scalar] = field(default_factory=dict)
    """Small request parameters by their name in the API (``max_tokens``, ``temperature``, ...)."""
    previous_response_id: str = ""
    conversation: str = ""
    provider_verdict: ProviderVerdict | None = None
    """What the provider says of its cache, where it was asked (``cache_diagnostics``)."""
    trace_id: str = ""
    span_id: str = ""
    inside: str = ""
    """Id of the tool execution that made the call; empty outside one."""
    awaited: Awaited = ""
    """What the agent had waited for before this call, where its source tells."""
    begun: Mark | None = None
    ended: Mark | None = None
    clock: CallClock | None = None
    engine: EngineTiming | None = None
    """What the serving engine says of the call, where the user named its host (``touchdown.engine``)."""

    @property
    def began_at_ns(self) -> int:
        """When the answer began: its first chunk, or its end where it came in one piece."""
        return self.sent_at_ns + (
            self.duration_ns if self.first_chunk_ns is None else self.first_chunk_ns
        )

    @property
    def ended_at_ns(self) -> int:
        """When the call ended."""
        return self.sent_at_ns + self.duration_ns

    @property
    def priced_model(self) -> str:
        """The model to price: the one that answered, else the one that was asked for."""
        return self.response_model or self.model
