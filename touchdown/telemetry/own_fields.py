"""What a span of our own says, straight from its record in the bytes that it is sent in."""

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

from msgspec import Struct
from opentelemetry.util.types import AttributeValue

from touchdown.records import CallStart, CallVerdict, ModelCall, Record, Start
from touchdown.telemetry import attributes as names
from touchdown.telemetry.begun import start_attributes
from touchdown.telemetry.checking import check_of_bytes, facts_of, tell_facts
from touchdown.telemetry.facts import ID, Fact, Facts
from touchdown.telemetry.known import Ids
from touchdown.telemetry.protobuf import UnusualError
from touchdown.telemetry.quiet import failed
from touchdown.telemetry.telling import AsBytes, Telling
from touchdown.telemetry.verdict import tell_verdict

Beside = CallVerdict | Mapping[str, AttributeValue]
"""What others say of a record: the accountant's provisional verdict, or a task's settled ledger."""


class Predecessor(Struct, frozen=True, gc=False):
    """The span of the call that a context goes on from, and the digest of what that one read."""

    span_id: str
    digest: str


PREDECESSOR = Facts(
    Fact("span_id", names.CONTEXT_PREDECESSOR_SPAN, ID),
    Fact("digest", names.CONTEXT_PREDECESSOR_DIGEST, ID),
)
_checks = Ids(names.SPAN_CHECK)
_Told = Mapping[str, AttributeValue]
_begun: Callable[[object], tuple[Any, ...]] = attrgetter(
    "operation", "provider", "model", "host", "port"
)
"""What a call says from its beginning, and again when it ends."""


def tell_beside(beside: Beside, told: Telling) -> None:
    """What others say of a record."""
    if isinstance(beside, CallVerdict):
        tell_verdict(beside, told)
    else:
        told.more(beside)


def own_fields(
    start: Start, record: Record, before: Predecessor | None, beside: Beside, place: _Told
) -> AsBytes | None:
    """All attributes as fields, the essential last; some are empty. ``None`` where only the SDK can."""
    told, facts = AsBytes(), AsBytes()
    try:
        if isinstance(record, ModelCall) and isinstance(start, CallStart) and all(_begun(record)):
            tell_facts(record, facts)
            if start.agent_name:
                told.one(names.AGENT_NAME, start.agent_name)
        else:
            known = facts_of(record)
            facts.more(known)
            told.more(_without(known, start_attributes(start)))
            place = _without(known, place)
        if before is not None:
            told.facts(PREDECESSOR, before)
        tell_beside(beside, told)
        told += facts
        told.within += facts.within
        told.more(place)
        told.append(_checks[check_of_bytes(record, facts)])
    except (UnusualError, UnicodeEncodeError):
        return None
    except Exception as error:
        failed("encoding a span", error)
        return None
    return told


def _without(known: _Told, attributes: _Told) -> _Told:
    return {name: value for name, value in attributes.items() if name not in known}
