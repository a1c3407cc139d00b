"""What a reader makes of one answer, before it is joined with its request into a model call."""

from decimal import Decimal

from msgspec import Struct

from touchdown.records.call import Output
from touchdown.records.provider import ProviderVerdict
from touchdown.records.usage import Usage


class AnswerView(Struct, frozen=True):
    """The facts of one answer. ``terminal`` is false for a background response that still runs."""

    __repr__ = object.__repr__

    usage: Usage = Usage()
    response_id: str = ""
    model: str = ""
    output: Output = Output()
    finish_reasons: tuple[str, ...] = ()
    service_tier: str | None = None
    speed: str | None = None
    geography: str | None = None
    reported_usd: Decimal | None = None
    provider_verdict: ProviderVerdict | None = None
    terminal: bool = True
    complete: bool = True
    """False for a stream that ended before its last event."""
    error_type: str | None = None
    """An error the answer itself carries (a failed response)."""
    engine_parts: tuple[object, ...] = ()
    """The parts of the answer in which a serving engine may speak of itself, as they came. Never recorded."""
    text: tuple[str, ...] = ()
    """The answer's text as the host's own strings, in pieces; empty when it is long. Never recorded."""
