"""``BaseException`` at every point of a call: it passes through, and closes the record once."""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Iterator
from typing import Any

import pytest
import wrapt

from tests.clients import async_shapes, shapes
from tests.clients.apis import APIS, CHAT, MESSAGES, Api
from tests.clients.conftest import Desk, make_client
from touchdown.testing import Capture, Reply, capture

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

ClientOf = Callable[[Api], Any]
REPLY = Reply("It is test_sum.", response_id="answer_1", chunk_chars=8)


class Transport(wrapt.ObjectProxy):  # type: ignore[misc, type-arg]
    """The transport of a client, interrupted when it sends or after some parts of the body."""

    def __init__(self, inner: Any, after: int, error: BaseException) -> None:
        super().__init__(inner)
        self._self_left, self._self_error = after, error

    def count(self) -> None:
        self._self_left -= 1
        if self._self_left < 0:
            raise self._self_error

    def handle_request(self, request: Any) -> Any:
        self.count()
        response = self.__wrapped__.handle_request(request)
        response.stream = Parts(response.stream, self.count)
        return response


class Parts(wrapt.ObjectProxy):  # type: ignore[misc, type-arg]
    """The parts of a body, counted."""

    def __init__(self, inner: Any, count: Callable[[], None]) -> None:
        super().__init__(inner)
        self._self_count = count

    def __iter__(self) -> Iterator[bytes]:
        for part in self.__wrapped__:
            self._self_count()
            yield part


def check(seen: Capture, error_type: str) -> None:
    (call,) = seen.calls
    (span,) = seen.spans
    assert (call.status, call.error_type) == ("cancelled", error_type)
    assert f"{span.context.span_id:016x}" == call.span_id


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
@pytest.mark.parametrize("run", [shapes.create, shapes.read], ids=lambda run: run.__name__)
@pytest.mark.parametrize("api", [CHAT, MESSAGES], ids=str)
def test_an_interrupt_while_the_sdk_sends_or_reads(
    api: Api, run: Any, kind: type[BaseException], desk: Desk
) -> None:
    client = make_client(api.vendor, desk.url(api.vendor))
    own = client._client._transport
    for after in (0, 1):
        desk.begin()
        desk.script(REPLY)
        error = kind("now")
        client._client._transport = Transport(own, after, error)
        with capture() as seen:
            with pytest.raises(kind) as raised:
                run(api, client)
            assert raised.value is error
            check(seen, kind.__name__)
            assert seen.calls[0].usage.completeness != "full"
    client._client._transport = own
    client.close()


class CancelledAt:
    """Awaits something, and cancels its own task at the n-th await; with too high an n it runs to its end."""

    def __init__(self, pending: Awaitable[Any], n: int) -> None:
        self._pending, self._n = pending, n

    def __await__(self) -> Generator[Any, Any, Any]:
        steps, left = self._pending.__await__(), self._n
        sent: Any = None
        while True:
            try:
                waits_for = steps.send(None) if sent is None else steps.throw(sent)
            except StopIteration as end:
                return end.value
            left -= 1
            if left == 0:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            try:
                yield waits_for
                sent = None
            except BaseException as error:
                sent = error


async def run_cancelled(pending: Awaitable[Any], n: int) -> Any:
    return await CancelledAt(pending, n)


@pytest.mark.parametrize(
    "run", [async_shapes.create, async_shapes.read], ids=lambda run: run.__name__
)
@pytest.mark.parametrize("api", APIS, ids=str)
async def test_a_cancellation_at_every_await(
    api: Api, run: Any, desk: Desk, async_client_of: ClientOf
) -> None:
    client = async_client_of(api)
    for n in range(1, 60):
        desk.begin()
        desk.script(REPLY)
        with capture() as seen:
            task = asyncio.create_task(run_cancelled(run(api, client), n))
            await asyncio.wait([task])
            if not task.cancelled():
                break
            check(seen, "asyncio.exceptions.CancelledError")
    (call,) = seen.calls
    assert task.result()
    assert (call.status, call.usage.completeness) == ("ok", "full")
    assert n > 2


class UntoldError(Exception):
    """An exception of the host's transport that raises when it is asked for a status."""

    @property
    def status_code(self) -> int:
        raise RuntimeError("not to be asked")


@pytest.mark.parametrize("api", [CHAT, MESSAGES], ids=str)
def test_an_exception_that_raises_when_it_is_looked_at_reaches_the_reader_of_a_stream(
    api: Api, desk: Desk
) -> None:
    client = make_client(api.vendor, desk.url(api.vendor))
    own = client._client._transport
    desk.begin()
    desk.script(*[REPLY] * 2)
    with capture() as seen:
        client._client._transport = Transport(own, 2, UntoldError())
        stream = api.of(client).create(**api.ask, **api.streamed)
        with pytest.raises(UntoldError) as caught:
            list(stream)
        assert caught.value.__context__ is None
        client._client._transport = Transport(own, 2, UntoldError())
        raw = api.of(client, "with_raw_response").create(**api.ask, **api.streamed)
        with pytest.raises(UntoldError):
            list(raw.http_response.iter_bytes())
        assert [call.status for call in seen.calls] == ["error", "error"]
    client._client._transport = own
    client.close()
