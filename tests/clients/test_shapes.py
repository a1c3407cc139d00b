"""Every call shape of every API: the caller gets what it gets without us, and one record says how it went."""

import gc
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.trace import SpanKind

from tests.clients.apis import APIS, REPLY, Api, plain
from tests.clients.conftest import Desk
from tests.clients.shapes import SHAPES, Shape
from touchdown.testing import Capture, capture

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("api", APIS, ids=str)
def test_a_shape(api: Api, shape: Shape, desk: Desk, client_of: Callable[[Api], Any]) -> None:
    client = client_of(api)
    begun = desk.begin()
    without = plain(shape.run(api, client))
    middle = desk.begin()
    with capture() as seen:
        assert plain(shape.run(api, client)) == without
        if not seen.calls:
            gc.collect()  # the SDK's own stream is part of a cycle
        check(seen, api, shape)
    requests = desk.provider.requests
    assert sent(requests[middle:]) == sent(requests[begun:middle])


def sent(requests: list[Any]) -> list[Any]:
    """What the server read, but for the key that each sending draws anew."""
    return [
        (
            r.method,
            r.path,
            r.query,
            {k: v for k, v in r.headers.items() if k != "idempotency-key"},
            r.raw,
        )
        for r in requests
    ]


def check(seen: Capture, api: Api, shape: Shape) -> None:
    """One record and one span, with what is known after this shape."""
    (call,) = seen.calls
    assert (call.api, call.vendor, call.model) == (api.name, api.vendor, api.ask["model"])
    assert call.status == shape.status
    assert call.usage.completeness == shape.completeness(api)
    assert call.stream == shape.stream
    assert call.http_status == 200
    assert not call.attempts
    if call.usage.completeness == "full":
        assert (call.usage.uncached, call.usage.cache_read) != (None, None)
        assert call.usage.output
        assert call.response_id == "answer_1"
        assert call.output.text_chars == len(REPLY.text)
        assert [request.name for request in call.output.tool_requests] == ["run_tests"]
        assert call.first_chunk_ns is None or 0 < call.first_chunk_ns <= call.duration_ns
    if call.usage.completeness == "none":
        assert call.usage.problems
    (span,) = [span for span in seen.spans if span.kind is SpanKind.CLIENT]
    assert f"{span.context.span_id:016x}" == call.span_id
