"""Attributes that are filled in at once are those that the SDK itself would have set, in the same order."""

from typing import Any

import pytest
from opentelemetry.sdk.trace import SpanLimits, TracerProvider

from touchdown.telemetry import filling
from touchdown.telemetry.filling import fill

TOLD: dict[str, dict[str, Any]] = {
    "plain": {
        "text": "a",
        "whole": 1,
        "number": 0.5,
        "truth": False,
        "list": ("a", "b"),
        "none": (),
    },
    "again": {"kept": 2, "new": 3},
    "a list": {"kept": 2, "listed": ["a", "b"]},
    "an object": {"object": object, "inside": ("a", object)},
    "more than there is room for": {f"n{n}": n for n in range(20)},
    "a long text": {"long": "x" * 200},
}
LIMITS = {
    "none": SpanLimits(),
    "few": SpanLimits(max_span_attributes=8),
    "short": SpanLimits(max_span_attribute_length=16),
}


def span(limits: SpanLimits) -> Any:
    provider = TracerProvider(span_limits=limits, shutdown_on_exit=False)
    return provider.get_tracer("t").start_span("s", attributes={"first": 0, "kept": 1, "last": 0})


@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS)
@pytest.mark.parametrize("told", TOLD.values(), ids=TOLD)
def test_the_same_as_the_sdk(told: dict[str, Any], limits: SpanLimits) -> None:
    ours, theirs = span(limits), span(limits)
    fill(ours, told)
    theirs.set_attributes(told)
    assert list(ours.attributes.items()) == list(theirs.attributes.items())
    assert ours.dropped_attributes == theirs.dropped_attributes


def test_the_quick_way_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the SDK's own way taken every time, the test above would hold too."""
    quick = span(LIMITS["none"])
    monkeypatch.setattr(type(quick), "set_attributes", None)
    fill(quick, TOLD["plain"])
    assert quick.attributes["text"] == "a"


def test_an_ended_span_stays_as_it_is() -> None:
    ended = span(LIMITS["none"])
    ended.end()
    fill(ended, TOLD["plain"])
    assert "text" not in ended.attributes


def test_another_version_of_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the quick way looks at may have another name one day."""
    other = span(LIMITS["none"])
    monkeypatch.setattr(filling, "BoundedAttributes", dict)
    fill(other, TOLD["plain"])
    assert other.attributes["text"] == "a"
    monkeypatch.undo()
    again = span(LIMITS["none"])
    monkeypatch.delattr(type(again), "_end_time", raising=False)
    lock = again._lock
    del again._end_time
    with pytest.raises(AttributeError):
        again.set_attributes({})  # such a span does not work either; ours asks it all the same
    again._lock = lock
