"""What is seen inside one call: the pool of connections, an answer that lay unread, the first content."""

import asyncio
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import anthropic
import pytest

from tests.clients import async_shapes, shapes
from tests.clients.apis import APIS, MESSAGES, Api
from tests.clients.conftest import CONTEXT, Desk, make_client
from touchdown.clients import pools
from touchdown.clients.arrival import unread_ns
from touchdown.runtime.clocks import CallClocks
from touchdown.runtime.place import new_task
from touchdown.testing import Reply, capture

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

ClientOf = Callable[[Api], Any]
NARROW = type(anthropic.DEFAULT_CONNECTION_LIMITS)(max_connections=1)
SLOW = Reply("slow", first_chunk_delay_s=0.2)


def waits_of(seen: Any) -> list[int]:
    return sorted(call.clock.pool_ns for call in seen.calls)


def test_a_call_that_waits_for_a_connection(desk: Desk) -> None:
    desk.script(SLOW, SLOW)
    http = anthropic.DefaultHttpxClient(verify=CONTEXT, limits=NARROW)
    client = make_client("anthropic", desk.url("anthropic"), http_client=http)
    with capture() as seen:
        with ThreadPoolExecutor(2) as pool:
            for _ in range(2):
                pool.submit(shapes.create, MESSAGES, client)
        first, second = waits_of(seen)
    client.close()
    assert first == 0
    assert second > 0


async def test_a_call_that_waits_for_a_connection_async(desk: Desk) -> None:
    desk.script(SLOW, SLOW)
    http = anthropic.DefaultAsyncHttpxClient(verify=CONTEXT, limits=NARROW)
    given = {"asynchronous": True, "http_client": http}
    client = make_client("anthropic", desk.url("anthropic"), **given)
    with capture() as seen:
        await asyncio.gather(*(async_shapes.create(MESSAGES, client) for _ in range(2)))
        first, second = waits_of(seen)
    await client.close()
    assert first == 0
    assert second > 0


def test_a_wait_that_cannot_be_noted_is_passed_over() -> None:
    pools._note(object(), 1)


def test_a_transport_without_the_method_is_left_alone() -> None:
    patches = pools.Patches()
    pools._watch("PoolRequest")(patches, SimpleNamespace(PoolRequest=SimpleNamespace()))  # type: ignore[arg-type]
    patches.take_back()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells when the last byte came")
async def test_an_answer_that_lay_unread_while_the_loop_was_held_up(
    desk: Desk, async_client_of: ClientOf
) -> None:
    client, before = async_client_of(MESSAGES), desk.begin()
    desk.script(SLOW)
    with capture() as seen:
        pending = asyncio.ensure_future(async_shapes.create(MESSAGES, client))
        while len(desk.provider.requests) == before:
            await asyncio.sleep(0.001)
        time.sleep(0.5)
        await pending
        (call,) = seen.calls
    assert 0 < call.clock.unread_ns < call.duration_ns


class Silent:
    """A response of another transport."""

    extensions: Any = None


ODD = SimpleNamespace(
    extensions={"network_stream": SimpleNamespace(get_extra_info=lambda _: sys.stdin)}
)
"""One whose socket is no TCP socket."""


@pytest.mark.parametrize("response", [Silent(), ODD, None])
def test_nobody_tells_when_the_last_byte_came(response: object) -> None:
    clocks = CallClocks(new_task("a task"))
    clocks.last_sent_ns, clocks.received_ns = 0, 10**9
    assert unread_ns(response, clocks) is None


@pytest.mark.parametrize("api", APIS, ids=str)
def test_the_first_content_of_a_stream(api: Api, desk: Desk, client_of: ClientOf) -> None:
    desk.script(Reply("some words in pieces", chunk_chars=4))
    with capture() as seen:
        shapes.read(api, client_of(api))
        (call,) = seen.calls
    assert call.first_chunk_ns <= call.clock.first_content_ns <= call.duration_ns
    assert sum(gap.count for gap in call.clock.gaps) < call.chunks
