"""Tool events: the row of each execution, and what is pushed over real ZeroMQ sockets, and when not."""

import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

import touchdown
from tests.engines.served import serving
from touchdown.engines.hosts import HOSTS
from touchdown.engines.tool_events import MOST_WAITING, NOBODY, NOT_INSTALLED, ToolEvents, row_of
from touchdown.records import ToolCall
from touchdown.testing import capture

zmq = pytest.importorskip("zmq")

PATIENCE_S = 30.0
MS = 1_000_000
RAN = ToolCall(
    "tool-1",
    "task-1",
    "agent-1",
    "run_tests",
    1_795_446_802_553 * MS,
    duration_ns=420 * MS,
    call_id="call_2",
    output_chars=900,
)
ANSWER: dict[str, Any] = {
    "id": "1",
    "choices": [{"message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
}


@pytest.fixture
def pull() -> Iterator[Any]:
    with zmq.Context() as context, context.socket(zmq.PULL) as socket:
        socket.linger, socket.rcvtimeo = 0, int(PATIENCE_S * 1000)
        socket.bind_to_random_port("tcp://127.0.0.1")
        yield socket


@pytest.fixture
def events() -> Iterator[Callable[[str], ToolEvents]]:
    made: list[ToolEvents] = []

    def make(endpoint: str) -> ToolEvents:
        made.append(ToolEvents(endpoint))
        made[-1].knows("agent-1")
        return made[-1]

    yield make
    for one in made:
        one.stop()
        one.rest(PATIENCE_S)


def at(socket: Any) -> str:
    return socket.getsockopt_string(zmq.LAST_ENDPOINT)


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert holds()


def test_the_row_of_an_execution() -> None:
    assert row_of(RAN) == {
        "schema": "dynamo.request.trace.v1",
        "event_type": "tool_end",
        "event_time_unix_ms": 1_795_446_802_973,
        "session_id": "agent-1",
        "parent_session_id": "task-1",
        "tool": {
            "tool_call_id": "call_2",
            "tool_class": "run_tests",
            "started_at_unix_ms": 1_795_446_802_553,
            "ended_at_unix_ms": 1_795_446_802_973,
            "duration_ms": 420.0,
            "status": "succeeded",
        },
    }


@pytest.mark.parametrize(
    ("changed", "event", "status"),
    [
        ({"failed": True, "failure": "rule"}, "tool_error", "error"),
        ({"failed": True, "status": "error", "error_type": "OSError"}, "tool_error", "error"),
        ({"status": "cancelled"}, "tool_end", "cancelled"),
        ({"status": "closed_early"}, "tool_end", "cancelled"),
    ],
)
def test_how_an_execution_ended(changed: dict[str, Any], event: str, status: str) -> None:
    row: Any = row_of(replace(RAN, **changed))
    assert (row["event_type"], row["tool"]["status"]) == (event, status)
    assert row["tool"].get("error_type") == changed.get("error_type")


def test_what_has_no_times_or_never_ran_has_no_row() -> None:
    assert row_of(replace(RAN, duration_ns=None)) is None
    assert row_of(replace(RAN, status="not_started")) is None
    row: Any = row_of(replace(RAN, agent_id="task-1", call_id=None))
    assert "parent_session_id" not in row
    assert row["tool"]["tool_call_id"] == "tool-1"


def test_rows_are_pushed_in_order_and_numbered(pull: Any, events: Any) -> None:
    pushed = events(at(pull))
    for number in range(3):
        pushed.put(replace(RAN, call_id=f"call_{number}"))
    pushed.put(replace(RAN, agent_id="agent-2"))  # calls some other host
    frames = [pull.recv_multipart() for _ in range(3)]
    assert [topic for topic, _, _ in frames] == [b"agent-tool-events"] * 3
    assert [int.from_bytes(number, "big") for _, number, _ in frames] == [1, 2, 3]
    told = [msgspec.msgpack.decode(row)["tool"]["tool_call_id"] for _, _, row in frames]
    assert told == ["call_0", "call_1", "call_2"]
    assert pushed.flush(PATIENCE_S)
    pushed.rest(PATIENCE_S)
    assert pushed._thread is None
    pushed.put(RAN)  # and begins again
    assert int.from_bytes(pull.recv_multipart()[1], "big") == 4
    assert pushed.flush(
        PATIENCE_S
    )  # what was received a moment ago may still be counted as waiting
    assert (pushed.undelivered, pushed.problem) == (0, "")


def test_where_nobody_listens_rows_are_lost_and_counted(events: Any) -> None:
    with zmq.Context() as context, context.socket(zmq.PULL) as socket:
        port = socket.bind_to_random_port("tcp://127.0.0.1")
    pushed = events(f"tcp://127.0.0.1:{port}")
    pushed.put(RAN)
    until(lambda: pushed.problem == NOBODY)
    assert pushed.undelivered == 1
    assert pushed.flush(0.0)


def test_what_waits_is_bounded(events: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pushed = events("tcp://127.0.0.1:1")
    monkeypatch.setattr(pushed, "_start", lambda: None)
    for _ in range(MOST_WAITING + 7):
        pushed.put(RAN)
    assert (len(pushed._waiting), pushed.lost) == (MOST_WAITING, 7)
    pushed.after_fork()
    assert pushed.undelivered == 0


def test_without_pyzmq_it_says_what_to_install(
    events: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "zmq", None)
    pushed = events("tcp://127.0.0.1:1")
    pushed.put(RAN)
    until(lambda: pushed.problem == NOT_INSTALLED)


def test_a_host_that_is_asked_to_take_them_has_those_of_its_own_agents(pull: Any) -> None:
    @touchdown.tool
    def look() -> str:
        return "secret content"

    with serving([ANSWER]) as own, capture():
        host = touchdown.engine(own.url, "dynamo", tool_events=at(pull))
        with touchdown.task("elsewhere"):
            look()
        with touchdown.task("fix") as task:
            own.client().chat.completions.create(
                model="tiny", messages=[{"role": "user", "content": "hello"}]
            )
            look()
        row = pull.recv_multipart()[-1]
        HOSTS.forget(host)
    told = msgspec.msgpack.decode(row)
    assert (told["session_id"], told["tool"]["tool_class"]) == (task.id, "look")
    assert b"secret" not in row
    assert not pull.poll(0)
