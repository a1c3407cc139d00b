"""Contexts of recorded calls, each told as what is new since its agent's call before it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from msgspec.structs import replace

from touchdown.context.tracker import digest
from touchdown.records import ContextShape, ModelCall, Segment
from touchdown.telemetry.foreign.places import Place


def shaped(calls: Iterable[ModelCall], places: Mapping[str, Place]) -> Iterator[ModelCall]:
    """The calls, in the order they were sent, with the contexts of their places."""
    before: dict[tuple[str, str], tuple[ModelCall, Place]] = {}
    for call in sorted(calls, key=lambda call: (call.sent_at_ns, call.id)):
        place, whose = places[call.id], (call.task_id, call.agent_id)
        call = replace(call, context=_shape(place, *before.get(whose, (None, None))))
        yield call
        before[whose] = call, place


def _shape(place: Place, before: ModelCall | None, there: Place | None) -> ContextShape:
    segments, shared = place.segments, 0
    old: tuple[Segment, ...] = () if there is None else there.segments
    while shared < min(len(old), len(segments)) and old[shared] == segments[shared]:
        shared += 1
    kinds: Counter[str] = Counter()
    for segment in segments:
        kinds[segment.kind] += segment.chars
    return ContextShape(
        predecessor=before.id if before is not None and shared else None,
        shared=shared,
        new=segments[shared:],
        sequence=0 if before is None else before.context.sequence + 1,
        digest=digest([segment.digest for segment in segments], b"") if segments else "",
        chars=kinds.total(),
        chars_by_kind=dict(kinds),
        opaque=place.opaque,
        caching=place.caching,
    )
