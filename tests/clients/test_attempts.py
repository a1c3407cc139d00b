"""The SDKs' own retries: inside one call and one span; the exceptions stay the SDKs' own."""

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clients import async_shapes, shapes
from tests.clients.apis import APIS, MESSAGES, Api, plain
from tests.clients.conftest import Desk
from tests.clients.shapes import Run
from touchdown.testing import Fault, Reply, capture

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

ClientOf = Callable[[Api], Any]
LIMITED = Fault(429, headers={"retry-after": "0.02"})
BROKEN = Fault(500, headers={})
OVERLOADED = Fault(529, headers={})
CUT = Fault(cut=True)
SLOW = Fault(cut=True, delay_s=30)
QUICK = {"429": LIMITED, "500": BROKEN, "529": OVERLOADED, "cut": CUT}
FAULTS = QUICK | {"time-out": SLOW}


def waiting(client: Any, fault: Fault, retries: int) -> Any:
    """The client with this many retries; it waits briefly only where nothing else ends the attempt."""
    return client.with_options(max_retries=retries, timeout=0.4 if fault is SLOW else 20)


@pytest.mark.parametrize("fault", QUICK.values(), ids=QUICK)
@pytest.mark.parametrize("run", [shapes.create, shapes.read, shapes.raw], ids=lambda r: r.__name__)
@pytest.mark.parametrize("api", APIS, ids=str)
def test_an_attempt_that_is_sent_again(
    api: Api, run: Run, fault: Fault, desk: Desk, client_of: ClientOf
) -> None:
    client = waiting(client_of(api), fault, 2)
    before = desk.begin()
    desk.script(fault)
    with capture() as seen:
        run(api, client)
        check_retried(seen, fault)
    assert len(desk.provider.requests) - before == 2


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("api", APIS, ids=str)
async def test_an_attempt_that_is_sent_again_async(
    api: Api, fault: Fault, desk: Desk, async_client_of: ClientOf
) -> None:
    desk.script(fault)
    with capture() as seen:
        await async_shapes.read(api, waiting(async_client_of(api), fault, 2))
        check_retried(seen, fault)


def check_retried(seen: Any, fault: Fault) -> None:
    (call,) = seen.calls
    (attempt,) = call.attempts
    answered = not fault.cut
    assert attempt.status == (fault.status if answered else None)
    assert attempt.retry_after_s == (0.02 if fault is LIMITED else None)
    assert attempt.backoff_s > 0
    assert attempt.error_type == (str(fault.status) if answered else attempt.error_type) != ""
    assert (call.status, call.http_status) == ("ok", 200)
    assert call.usage.completeness == "full"
    (span,) = seen.spans
    assert f"{span.context.span_id:016x}" == call.span_id
    assert seen.account.usage.output == call.usage.output
    assert (seen.account.model_calls, len(seen.accounts)) == (1, 1)


def test_every_attempt_is_told_in_order(desk: Desk, claude: Any) -> None:
    desk.script(LIMITED, OVERLOADED, CUT)
    with capture() as seen:
        claude.with_options(max_retries=3).messages.create(**MESSAGES.ask)
        (call,) = seen.calls
    assert [attempt.status for attempt in call.attempts] == [429, 529, None]


def how_it_fails(run: Callable[[], Any]) -> Any:
    """The exception as its caller sees it: what it is and says, its causes, and the SDK's frames."""
    try:
        run()
    except Exception as error:
        return told(error)
    raise AssertionError("nothing was raised")


def told(error: BaseException | None) -> Any:
    if error is None:
        return None
    frames = [
        (Path(frame.filename).name, frame.name, frame.lineno)
        for frame in traceback.extract_tb(error.__traceback__)
        if not ({"touchdown", "wrapt", "tests"} & set(Path(frame.filename).parts))
    ]
    return (
        type(error),
        plain(str(error)).replace("\\", ""),
        getattr(error, "status_code", None),
        error.__suppress_context__,
        frames,
        told(error.__cause__),
    )


@pytest.mark.parametrize(
    ("fault", "retries"),
    [*((fault, 2) for fault in QUICK.values()), (BROKEN, 0), (SLOW, 0)],
    ids=[*QUICK, "500, not sent again", "time-out"],
)
@pytest.mark.parametrize("api", APIS, ids=str)
def test_a_call_that_fails_after_all(
    api: Api, fault: Fault, retries: int, desk: Desk, client_of: ClientOf
) -> None:
    client = waiting(client_of(api), fault, retries)

    def run() -> Any:
        desk.begin()
        desk.script(*[fault] * (retries + 1))
        return api.of(client).create(**api.ask)

    without = how_it_fails(run)
    with capture() as seen:
        assert how_it_fails(run) == without
        (call,) = seen.calls
        assert len(seen.spans) == 1
    assert call.status == "error"
    assert call.http_status == (None if fault.cut else fault.status)
    assert len(call.attempts) == retries
    assert call.usage.problems == ("the call failed",)
    assert call.error_type == f"{without[0].__module__}.{without[0].__qualname__}"


@pytest.mark.parametrize("api", APIS, ids=str)
async def test_a_call_that_fails_after_all_async(
    api: Api, desk: Desk, async_client_of: ClientOf
) -> None:
    client = waiting(async_client_of(api), BROKEN, 1)

    async def failing() -> Any:
        desk.begin()
        desk.script(BROKEN, BROKEN)
        try:
            await api.of(client).create(**api.ask, **api.streamed)
        except Exception as error:
            return told(error)

    without = await failing()
    with capture() as seen:
        assert await failing() == without
        (call,) = seen.calls
    assert (call.status, call.http_status, len(call.attempts)) == ("error", 500, 1)


@pytest.mark.parametrize("api", APIS, ids=str)
def test_a_connection_that_is_cut_in_the_answer(api: Api, desk: Desk, client_of: ClientOf) -> None:
    def run() -> Any:
        desk.begin()
        desk.script(Reply("a long answer, cut", cut_after_chunks=2))
        return shapes.read(api, client_of(api))

    without = how_it_fails(run)
    with capture() as seen:
        assert how_it_fails(run) == without
        (call,) = seen.calls
    assert (call.status, call.http_status) == ("error", 200)
    assert call.usage.completeness == api.known_early
