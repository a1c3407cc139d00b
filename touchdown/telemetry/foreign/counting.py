"""Which spans are calls of their own: each call counts once, however many instrumentations saw it."""

from collections import defaultdict
from collections.abc import Iterator

from touchdown.records import TaskRecord
from touchdown.telemetry.foreign.places import Place, Places

_CALLS = ("model", "opening")


def counted_calls(places: Places) -> list[Place]:
    """The model spans of others that count.

    Of spans inside each other the innermost count, unless only the outer one reports usage; beside a span
    of touchdown's own none does. Spans with one response id are one call.
    """
    models = [place for place in places if place.role in _CALLS]
    dropped = _ended_openings(places) | _seen_twice(places, models)
    kept = [place for place in models if place.id not in dropped]
    ids = {place.call.response_id for place in kept if place.own is not None and place.call}
    counted = []
    for place in sorted((p for p in kept if p.own is None), key=_fullest_first):
        response_id = place.call.response_id if place.call else ""
        if response_id and response_id in ids:
            continue
        ids.add(response_id)
        counted.append(place)
    return counted


def counted_tools(places: Places) -> list[Place]:
    """The tool spans of others that count: of one tool's spans inside each other the innermost."""
    tools = [place for place in places if place.role == "tool"]
    dropped: set[str] = set()
    for inner in tools:
        outer = next((above for above in places.above(inner) if above.role != "none"), None)
        if outer is None or outer.tool is None or inner.tool is None:
            continue
        if outer.own is not None and outer.tool.name == inner.tool.name:
            dropped.add(inner.id)
        elif inner.own is not None or outer.tool.name == inner.tool.name:
            dropped.add(outer.id)
    ids = {place.tool.call_id for place in tools if place.own is not None and place.tool}
    counted = []
    for place in tools:
        call_id = place.tool.call_id if place.tool else None
        if place.own is not None or place.id in dropped or (call_id and call_id in ids):
            continue
        ids.add(call_id)
        counted.append(place)
    return counted


def _seen_twice(places: Places, models: list[Place]) -> set[str]:
    inside: dict[str, list[Place]] = defaultdict(list)
    outside: dict[str, Place] = {}
    for inner in models:
        for outer in _same_call(places, inner):
            inside[outer.id].append(inner)
            outside[outer.id] = outer
    dropped: set[str] = set()
    for name, outer in outside.items():
        inners = inside[name]
        told_below = any(inner.own is not None or _has_usage(inner) for inner in inners)
        if outer.own is not None or (_has_usage(outer) and not told_below):
            dropped |= {inner.id for inner in inners}
        else:
            dropped.add(name)
    return dropped


def _same_call(places: Places, place: Place) -> Iterator[Place]:
    """Model spans around this one, with no tool, agent or task between."""
    for above in places.above(place):
        if above.role in ("tool", "agent") or isinstance(above.own, TaskRecord):
            return
        if above.role in _CALLS:
            yield above


def _ended_openings(places: Places) -> set[str]:
    """Openings of streams whose end another span tells. Of one without a parent no end can be found."""
    ends: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    openings = []
    for place in places:
        call = place.read.record and place.call
        if not call:
            continue
        key = (place.span.parent_id, place.read.dialect, call.model)
        if place.role == "opening":
            openings.append((call.ended_at_ns, place.id, key))
        elif place.role == "model":
            ends[key].append(place.span.ended_ns)
    ended = set()
    for ended_ns, name, key in sorted(openings, reverse=True):
        later = [end for end in ends[key] if end >= ended_ns]
        if later:
            ends[key].remove(min(later))
        if later or not key[0]:
            ended.add(name)
    return ended


def _has_usage(place: Place) -> bool:
    return place.call is not None and place.call.usage.completeness != "none"


def _fullest_first(place: Place) -> tuple[bool, bool, int, str]:
    return not _has_usage(place), not place.segments, place.span.began_ns, place.id
