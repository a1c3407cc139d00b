"""TensorRT-LLM's ``/perf_metrics``, from a server on the loopback interface that hands each record out once.

The records are of the form of ``tensorrt_llm/serve/_perf_metrics_schema.py`` (its main branch of 2026), the
times are when this server really had the request.
"""

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import touchdown
from tests.engines.served import Served, named, serving
from tests.engines.test_texts import TRTLLM
from touchdown.engines import perf_metrics
from touchdown.engines.host import EngineHost
from touchdown.engines.hosts import HOSTS
from touchdown.engines.watching import Watch
from touchdown.records import EngineReport
from touchdown.runtime import core
from touchdown.testing import Capture, capture
from touchdown.testing.provider.answer import Answer

AHEAD_S = 5_000.0
"""The server's steady clock began so much earlier than ours."""
QUEUE_S, PREFILL_S, DECODE_S = 0.002, 0.01, 0.008
PAUSE_S = 0.2

ANSWER: dict[str, Any] = {
    "id": "chatcmpl-0f3c",
    "object": "chat.completion",
    "created": 1,
    "model": "tiny",
    "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}
    ],
    "usage": {
        "prompt_tokens": 40,
        "completion_tokens": 2,
        "total_tokens": 42,
        "prompt_tokens_details": {"cached_tokens": 32},
    },
}


def record_of(began_s: float, number: int | str) -> dict[str, Any]:
    """What the server notes of a request that came at this moment of its clock."""
    scheduled = began_s + 0.001 + QUEUE_S
    times = {
        "server_arrival_time": began_s,
        "arrival_time": began_s + 0.001,
        "first_scheduled_time": scheduled,
        "first_token_time": scheduled + PREFILL_S,
        "server_first_token_time": scheduled + PREFILL_S,
        "last_token_time": scheduled + PREFILL_S + DECODE_S,
    }
    return {"request_id": number, "status": "completed", "perf_metrics": {"timing_metrics": times}}


class Server:
    """Takes as long as its records say."""

    def __init__(self, own: Served) -> None:
        self.own = own
        self.records: list[dict[str, Any]] = []
        self.name: Callable[[int], int | str] = lambda number: number
        self.together = threading.Barrier(1)
        respond = own.server._server.respond

        def served(received: Any) -> Answer:
            if received.method == "POST":
                self.together.wait(10)
                began = time.monotonic() + AHEAD_S
                time.sleep(0.001 + QUEUE_S + PREFILL_S + DECODE_S)
                self.records.append(record_of(began, self.name(len(own.calls) + 1)))
            return respond(received)

        own.server._server.respond = served
        own.pages["/perf_metrics"] = self.hand_out
        own.pages["/steady_clock_offset"] = self.clock

    def hand_out(self) -> str:
        told, self.records = self.records, []
        return json.dumps(told)

    def clock(self) -> str:
        now = time.monotonic() + AHEAD_S
        return json.dumps({"receive_ts": now, "transmit_ts": now})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(perf_metrics, "REST_NS", 0)
    # A look of its own, on a busy machine after the call it is for, would take the records before the test's.
    monkeypatch.setattr(Watch, "wake", lambda *_: None)
    with serving([ANSWER], prometheus_metrics=TRTLLM) as own:
        yield Server(own)


def ask(server: Server, number: int = 0) -> None:
    messages: Any = [{"role": "user", "content": f"mend the option {number}"}]
    server.own.client().chat.completions.create(model="tiny", messages=messages)


@contextmanager
def asked(server: Server, calls: int = 2) -> Iterator[tuple[EngineHost, Capture]]:
    """Some calls in a task, and the host they went to."""
    with capture() as seen, named(server.own.url, "tensorrt_llm") as host:
        with touchdown.task("mend"):
            for number in range(calls):
                ask(server, number)
                time.sleep(PAUSE_S)
        assert len(seen.calls) == calls  # all are read by now
        yield host, seen


def queue_s(seen: Capture) -> float:
    return seen.accounts[0].time.taxes.get("queue", 0) / 1e9


def test_a_record_lies_in_one_call_alone(server: Server) -> None:
    with asked(server) as (host, seen):
        assert "queue" in seen.accounts[0].not_observable
        host.look()
        assert queue_s(seen) == pytest.approx(2 * QUEUE_S, abs=1e-6)
        account = seen.accounts[0]
    assert (host.events_problem, host.problem) == ("", "")
    assert "queue" not in account.not_observable
    assert account.time.basis["queue"] == "estimated"
    whole = account.time
    assert whole.work_ns + sum(whole.taxes.values()) + whole.unexplained_ns == whole.total_ns


def test_one_id_names_both(server: Server) -> None:
    server.name = lambda _number: "chatcmpl-0f3c"
    with asked(server, calls=1) as (host, seen):
        host.look()
        assert queue_s(seen) == pytest.approx(QUEUE_S, abs=1e-6)
        assert seen.accounts[0].time.basis["queue"] == "derived"


def test_two_calls_at_once_are_not_told_apart(server: Server) -> None:
    server.together = threading.Barrier(2)
    with capture() as seen, named(server.own.url, "tensorrt_llm") as host:
        with touchdown.task("mend"):
            threads = [
                threading.Thread(target=ask, args=(server, number), daemon=True)
                for number in range(2)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
        assert len(seen.calls) == 2
        host.look()
        assert "queue" in seen.accounts[0].not_observable


def test_a_record_that_another_reader_took_is_missed(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(perf_metrics, "KEEP_NS", 0)
    with asked(server) as (host, seen):
        server.hand_out()
        host.look()
        host.look()
        assert "hands each out only once" in seen.accounts[0].not_observable["queue"]
    assert server.own.fetched.count("/perf_metrics") == 1  # nobody waits for one any more


def test_without_the_servers_clock_only_ids_join(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(perf_metrics, "LOOPBACK", frozenset[str]())
    server.own.pages["/steady_clock_offset"] = 404
    with asked(server) as (host, seen):
        host.look()
        assert "queue" in seen.accounts[0].not_observable
    assert host.events_problem == perf_metrics.NO_CLOCK


@pytest.mark.parametrize(
    ("page", "problem"),
    [
        (404, "/perf_metrics answers 404"),
        ("<html>", "/perf_metrics shows no records"),
        ("{}", "/perf_metrics shows no records"),
        ("[]", ""),
        ('[7, {}, {"perf_metrics": []}, {"request_id": null, "ctx_perf_metrics": 3}]', ""),
    ],
)
def test_what_is_no_record_changes_nothing(server: Server, page: str | int, problem: str) -> None:
    server.own.pages["/perf_metrics"] = page
    with asked(server) as (host, seen):
        host.look()
        assert host.events_problem == problem
        assert len(seen.accounts[0].not_observable) > 0
    assert all(call.error_type is None for call in seen.calls)


def test_records_are_left_to_others_where_the_user_says_so(server: Server) -> None:
    host = touchdown.engine(server.own.url, "tensorrt_llm", perf_metrics=False)
    with capture():
        ask(server)
        host.look()
    HOSTS.forget(host)
    assert "/perf_metrics" not in server.own.fetched


def test_nothing_is_taken_before_a_call_waits_for_it(server: Server) -> None:
    with capture(), named(server.own.url, "tensorrt_llm") as host:
        host.look()
    assert "/perf_metrics" not in server.own.fetched


def test_what_waits_at_the_end_is_read_then(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with named(server.own.url, "tensorrt_llm"):
        touchdown.instrument(journal=str(path))
        assert core.active() is not None
        ask(server)
        touchdown.uninstrument()
    kinds = [json.loads(line).get("kind") for line in path.read_text().splitlines()]
    assert kinds.count(EngineReport.__name__) == 1


def test_a_server_that_hangs_does_not_hold_the_end(server: Server) -> None:
    let_go = threading.Event()
    waited: queue.Queue[bool] = queue.Queue()

    def hang() -> str:
        waited.put(let_go.wait(60))
        return "[]"

    server.own.pages["/perf_metrics"] = hang
    with named(server.own.url, "tensorrt_llm"):
        touchdown.instrument()
        ask(server)
        touchdown.uninstrument()
        let_go.set()
    assert waited.get(timeout=90)  # the end had not waited for the answer
