"""What a test tells the provider to answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct, field

_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    503: "overloaded_error",
    529: "overloaded_error",
}


class ToolUse(Struct, frozen=True):
    """One tool call the model asks for. Without `id`, the provider makes one."""

    name: str
    input: Mapping[str, object] = field(default_factory=dict)
    id: str | None = None


class Reply(Struct, frozen=True):
    """One answer of the model, the same for every API.

    `usage` replaces the usage object and `body` the whole answer (a string is sent as an event
    stream, bytes as they are). `output_tokens` replaces the counted output. `stop_reason` takes the words of
    either vendor (`end_turn`, `max_tokens`, `stop`, `length`, ...). `cut_after_chunks=n` drops
    the connection after n server-sent events; an answer that is not streamed breaks off halfway.
    `stalls_s` holds back single pieces for longer: their number, from 0, to seconds.
    A background response runs for `first_chunk_delay_s` of the provider's clock.

    Units: delays in seconds; `chunk_chars` in characters per streamed piece.
    """

    text: str = ""
    tool_uses: Sequence[ToolUse] = ()
    reasoning: str = ""
    stop_reason: str | None = None
    usage: Mapping[str, object] | None = None
    output_tokens: int | None = None
    response_id: str | None = None
    model: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    service_tier: str | None = None
    chunk_chars: int = 12
    chunk_delay_s: float = 0.0
    stalls_s: Mapping[int, float] = field(default_factory=dict)
    first_chunk_delay_s: float = 0.0
    cut_after_chunks: int | None = None
    body: Mapping[str, object] | str | bytes | None = None


class Fault(Struct, frozen=True):
    """An error instead of an answer; `cut=True` closes the connection without one.

    Without `type`, the error type follows from `status`. The default `retry-after` keeps the
    SDKs' own retries quick.
    """

    status: int = 429
    type: str = ""
    message: str = "the loopback provider was told to fail this request"
    headers: Mapping[str, str] = field(default_factory=lambda: {"retry-after": "0.01"})
    delay_s: float = 0.0
    cut: bool = False

    @property
    def error_type(self) -> str:
        """The `type` in the error body."""
        return self.type or _ERROR_TYPES.get(self.status, "api_error")
