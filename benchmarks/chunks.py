"""What following a stream adds to each of its chunks.

In time: the SDK's own streams, long and short ones, with touchdown and without; what a long one takes more is
its chunks'. Each chunk comes as in a program, after all that the SDK did to make it has been through the
caches. In instructions: the same events are read again, through our iterator and without it.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator

from paired import Figure, calls_us, figure
from states import Switch
from workload import client_of, create_of, request_of, streams_of

from touchdown.clients.anthropic.reader import READERS as ANTHROPIC_READERS
from touchdown.clients.events import AsyncEvents, events_of
from touchdown.clients.openai.reader import READERS as OPENAI_READERS
from touchdown.integration import CallObservation, Seam

READERS = {
    "anthropic": ANTHROPIC_READERS["/v1/messages"],
    "openai": OPENAI_READERS["/chat/completions"],
}
SHAPES = ("sync", "async")
SHORT, LONG = 50, 250
STREAMS = 6
"""Of so many streams the quickest counts, for what disturbs one only ever adds."""
Step = Callable[[], object]


def chunk_us(switching: Switch, sdk: str, shape: str, pairs: int) -> Figure:
    """Microseconds of the caller's thread that touchdown adds to a chunk."""
    states = ("bare", "touchdown")
    added = []
    with reading(sdk, shape) as read:
        for pair in range(pairs):
            spent: dict[str, float] = {}
            for state in states if pair % 2 else reversed(states):
                switching.to(state)
                more = _quickest_us(read, LONG) - _quickest_us(read, SHORT)
                spent[state] = more / (LONG - SHORT)
            added.append(spent["touchdown"] - spent["bare"])
    return figure(added)


@contextlib.contextmanager
def reading(sdk: str, shape: str) -> Iterator[Step]:
    """A step that asks for a stream and reads it to its end."""
    asked = request_of(sdk, [{"role": "user", "content": "hi"}], tools=False) | {"stream": True}
    client = client_of(sdk, is_async=shape == "async")
    if shape == "sync":
        yield lambda: deque(create_of(sdk, client)(**asked), 0)
        return
    loop = asyncio.new_event_loop()

    async def read_all() -> None:
        async for _ in await create_of(sdk, client)(**asked):
            pass

    yield lambda: loop.run_until_complete(read_all())
    loop.run_until_complete(asyncio.sleep(0))  # what closes the SDK's generators
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


def _quickest_us(read: Step, chunks: int) -> float:
    with streams_of(chunks):
        return min(calls_us(read, STREAMS))


class Stream:
    """As much of an SDK stream as is followed."""

    def __init__(self, events: list[object]) -> None:
        self._iterator = iter(events)


class AsyncStream:
    """As much of an async SDK stream as is followed."""

    def __init__(self, events: list[object]) -> None:
        self._iterator = self._events(events)

    async def _events(self, events: list[object]) -> AsyncIterator[object]:
        for event in events:
            yield event


def observation(sdk: str) -> CallObservation:
    """A call whose stream is about to be read."""
    seen = Seam().model_call(READERS[sdk], vendor=sdk, provider=sdk, model="m")
    assert seen is not None
    seen.begin_stream()
    return seen


def read_async(events: AsyncIterator[object]) -> None:
    """Read an async stream to its end; nothing in it waits."""

    async def drive() -> None:
        async for _ in events:
            pass

    with contextlib.suppress(StopIteration):
        drive().send(None)


def chunk_steps(sdk: str, events: list[object]) -> dict[str, tuple[Step, Step]]:
    """By shape, reading these events with us and without."""
    seen = observation(sdk), observation(sdk)
    return {
        "sync": (
            lambda: deque(events_of(Stream(events), seen[0]), 0),
            lambda: deque(iter(events), 0),
        ),
        "async": (
            lambda: read_async(AsyncEvents(AsyncStream(events), seen[1])),
            lambda: read_async(AsyncStream(events)._iterator),
        ),
    }
