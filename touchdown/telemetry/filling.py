"""Puts attributes on a span at the price of a copy: the SDK looks at each value again, under a lock for each.

Ours are of the types that it lets pass as they are. That is looked at for all of them together; a span of any
other kind, a limit that would cut something and a value of another type go the usual way.
"""

from collections.abc import Mapping
from itertools import chain
from typing import Any

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.trace import Span
from opentelemetry.util.types import AttributeValue

_SDK = ("opentelemetry.sdk.trace", "_Span")
_PLAIN = frozenset({str, int, float, bool})
_KEPT = _PLAIN | {tuple}


def fill(span: Span, told: Mapping[str, AttributeValue]) -> None:
    """As ``span.set_attributes(told)``: what is told later stands later, and ends as the newest."""
    if not _filled(span, told):
        span.set_attributes(told)


def _filled(span: Any, told: Mapping[str, AttributeValue]) -> bool:
    kind = type(span)
    if (kind.__module__, kind.__name__) != _SDK:
        return False
    held = getattr(span, "_attributes", None)
    if type(held) is not BoundedAttributes or not _is_plain(told):
        return False
    try:
        values, most = held._dict, held.maxlen
        if held.max_value_len is not None or held._immutable or type(values) is not dict:
            return False
        if most is not None and len(values) + len(told) > most:
            return False
        with span._lock, held._lock:
            if span._end_time is not None:
                return False
            for name in values.keys() & told.keys():
                del values[name]
            values.update(told)
    except AttributeError:  # another version of the SDK
        return False
    return True


def _is_plain(told: Mapping[str, AttributeValue]) -> bool:
    values = told.values()
    if not _KEPT.issuperset(map(type, values)):
        return False
    listed = chain.from_iterable(value for value in values if type(value) is tuple)
    return _PLAIN.issuperset(map(type, listed))
