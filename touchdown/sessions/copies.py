"""Model calls that lie in several sessions: counted once, read everywhere."""

import hashlib
from collections.abc import Iterable, Iterator, Set

from msgspec.structs import replace

from touchdown.records import ModelCall, Segment, Told


def fingerprint(call: ModelCall) -> int | None:
    """A number for the provider's id of an answer, else for its span; ``None`` where it has neither."""
    if call.response_id:
        name = f"{call.provider}:{call.response_id}"
    elif call.trace_id and call.span_id:
        name = f"{call.trace_id}:{call.span_id}"
    else:
        return None
    data = name.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")


def without_copies(records: Iterable[Told], counted: Set[int]) -> Iterator[Told]:
    """The records without the calls that were counted elsewhere.

    A call that was told as what is new since one of those tells its whole context instead.
    """
    given = list(records)
    calls = {record.id: record for record in given if isinstance(record, ModelCall)}
    gone = {name for name, call in calls.items() if fingerprint(call) in counted}
    for record in given:
        if not isinstance(record, ModelCall):
            yield record
        elif record.id not in gone:
            yield _told_whole(record, calls) if record.context.predecessor in gone else record


def _told_whole(call: ModelCall, calls: dict[str, ModelCall]) -> ModelCall:
    chain = [call]
    while (wanted := chain[-1].context.predecessor) is not None:
        before = calls.get(wanted)
        if before is None or len(chain) > len(calls):
            return call
        chain.append(before)
    segments: list[Segment] = []
    for link in reversed(chain):
        segments = [*segments[: link.context.shared], *link.context.new]
    return replace(
        call, context=replace(call.context, predecessor=None, shared=0, new=tuple(segments))
    )
