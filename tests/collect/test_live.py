"""Collecting inside the process: engines' spans join its own calls, and nothing of it reaches the host."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from openai import OpenAI

import touchdown
from tests.collect.exported import exported, rows
from tests.collect.test_http import post
from tests.engines.served import named
from touchdown.collect.asked import configured_port, port_of
from touchdown.collect.live import Collector
from touchdown.runtime import core
from touchdown.runtime.reported import Reported
from touchdown.testing import Provider, Reply, capture
from touchdown.testing.capturing import Capture

QUEUE_S = 0.0005


def span_for(headers: dict[str, str], **changes: Any) -> dict[str, Any]:
    """What vLLM writes of a request with these headers: a real span of its, told of this request."""
    (row, *_) = rows("vllm", "llm_request")
    _, trace_id, span_id, _ = headers["traceparent"].split("-")
    told = {
        **row["attributes"],
        "gen_ai.request.id": f"chatcmpl-{headers['x-request-id']}",
        "gen_ai.latency.time_in_queue": QUEUE_S,
        # Less than the provider takes: what does not fit into the call's own time would be cut.
        "gen_ai.latency.e2e": 0.003,
        "gen_ai.latency.time_in_model_prefill": 0.001,
        "gen_ai.latency.time_in_model_decode": 0.001,
        "gen_ai.latency.time_in_model_inference": 0.002,
    }
    at = {"trace_id": trace_id, "parent_span_id": span_id, "span_id": os.urandom(8).hex()}
    now = time.time_ns()
    times = {"start_ns": str(now - 1_000_000), "end_ns": str(now)}
    return {**row, **at, **times, "attributes": told, **changes}


def ask(client: OpenAI, text: str = "hello") -> None:
    messages: Any = [{"role": "user", "content": text}]
    client.chat.completions.create(model="tiny", messages=messages)


@contextmanager
def agent() -> Iterator[tuple[Provider, OpenAI, Capture, Any]]:
    """A live agent of ours whose provider is named as an engine, and the receiver inside its process."""
    with (
        Provider(lambda _request: Reply("hello " * 20, first_chunk_delay_s=0.01)) as provider,
        OpenAI(base_url=f"{provider.url}/v1", api_key="none") as client,
        capture(collect=0) as seen,
        named(provider.url, "vllm"),
    ):
        runtime = core.active()
        assert runtime is not None
        yield provider, client, seen, runtime.collector


def headers_of(provider: Provider) -> list[dict[str, str]]:
    found = [{n.lower(): v for n, v in r.headers.items()} for r in provider.requests]
    return [
        headers for headers in found if "traceparent" in headers
    ]  # its metrics are asked for, too


def queue_of(seen: Capture) -> float | None:
    time_ns = seen.account.time.taxes.get("queue")
    return None if time_ns is None else time_ns / 1e9


def test_an_engines_spans_join_a_task_while_it_is_open() -> None:
    with agent() as (provider, client, seen, collector):
        with touchdown.task("fix") as task:
            for number in range(3):
                ask(client, f"hello {number}")
                exported(collector.endpoint, [span_for(headers_of(provider)[-1])])
            time_s = task.receipt().report().tasks[0].time
            assert time_s.taxes["queue"] == pytest.approx(3 * QUEUE_S)
            assert time_s.basis["queue"] == "derived"
        assert queue_of(seen) == pytest.approx(3 * QUEUE_S)
        assert collector.counts["parent"] == 3
        time = seen.account.time
        assert time.total_ns == time.work_ns + sum(time.taxes.values()) + time.unexplained_ns


def test_they_join_it_after_it_was_closed_too() -> None:
    with agent() as (provider, client, seen, collector):
        with touchdown.task("fix"):
            ask(client)
        assert queue_of(seen) is None
        reason = seen.account.not_observable["queue"]
        assert "--enable-per-request-metrics" in reason
        exported(collector.endpoint, [span_for(headers_of(provider)[0])])
        assert queue_of(seen) == pytest.approx(QUEUE_S)


def test_a_span_that_came_before_the_call_had_ended() -> None:
    with agent() as (_, _, seen, collector):
        sent: list[dict[str, str]] = []

        def first(request: Any) -> Reply:
            headers = {n.lower(): v for n, v in request.headers.items()}
            sent.append(headers)
            exported(collector.endpoint, [span_for(headers)])
            return Reply("hello", first_chunk_delay_s=0.01)

        with (
            Provider(first) as early,
            OpenAI(base_url=f"{early.url}/v1", api_key="none") as other,
            named(early.url, "vllm"),
            touchdown.task("fix"),
        ):
            ask(other)
        assert len(sent) == 1
        assert seen.account.time.taxes["queue"] > 0


def test_the_journal_has_it(tmp_path: Any) -> None:
    path = tmp_path / "j.jsonl"
    with (
        Provider(lambda _request: Reply("hello", first_chunk_delay_s=0.01)) as provider,
        OpenAI(base_url=f"{provider.url}/v1", api_key="none") as client,
        capture(collect=0, journal=path) as seen,
        named(provider.url, "vllm"),
    ):
        with touchdown.task("fix"):
            ask(client)
        collector = core.active().collector  # type: ignore[union-attr]
        exported(collector.endpoint, [span_for(headers_of(provider)[0])])  # type: ignore[union-attr]
        assert queue_of(seen) == pytest.approx(QUEUE_S)
    kinds = [json.loads(line).get("kind") for line in path.read_text().splitlines()]
    assert kinds.count("EngineReport") == 1
    told = subprocess.run(
        [sys.executable, "-m", "touchdown", "analyze", "--json", str(path)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    (task,) = json.loads(told.stdout)["tasks"]
    assert task["model_calls"] == 1
    assert task["time"]["taxes"]["queue"] == pytest.approx(QUEUE_S)


def test_a_taken_port_is_said_once_and_calls_go_on(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            Provider(lambda _request: Reply("hello")) as provider,
            OpenAI(base_url=f"{provider.url}/v1", api_key="none") as client,
            capture(collect=port) as seen,
            touchdown.task("fix"),
        ):
            ask(client)
            collector = core.active().collector  # type: ignore[union-attr]
            assert collector is not None
            assert (collector.endpoint, str(port) in collector.problem) == ("", True)
        assert seen.account.model_calls == 1
    told = [record for record in caplog.records if "cannot collect" in record.message]
    assert len(told) == 1


@pytest.mark.parametrize(
    ("kind", "part"),
    [*((Collector, part) for part in ("take", "tick", "show", "drain")), (Reported, "deliver")],
)
def test_what_breaks_in_it_reaches_nobody(
    kind: type[object], part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: Any, **_more: Any) -> None:
        raise RuntimeError("on purpose")

    monkeypatch.setattr(kind, part, broken)
    with agent() as (provider, client, seen, collector):
        with touchdown.task("fix"):
            ask(client)
        exported(collector.endpoint, [span_for(headers_of(provider)[0])])
        assert seen.account.model_calls == 1
        assert seen.account.money.unexplained_usd == 0


def test_bad_requests_are_refused_in_the_process_too() -> None:
    with agent() as (_, client, seen, collector):

        class Here:
            receiver = collector._receiver

        assert post(Here, b"\x0a\xff").status == 400  # type: ignore[arg-type]
        with touchdown.task("fix"):
            ask(client)
        assert seen.account.model_calls == 1


def test_uninstrument_closes_the_port_and_a_second_time_opens_it() -> None:
    program = """
import socket, time, touchdown
for _ in range(2):
    handle = touchdown.instrument(collect=0)
    endpoint = handle.collector.endpoint
    port = int(endpoint.rpartition(":")[2])
    socket.create_connection(("127.0.0.1", port), 5).close()
    began = time.monotonic()
    handle.uninstrument()
    assert handle.collector is None
    try:
        socket.create_connection(("127.0.0.1", port), 5)
    except ConnectionRefusedError:
        print("closed", time.monotonic() - began < 5)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60
    )
    assert (done.stdout.split("\n")[:2], done.stderr) == (["closed True"] * 2, "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_lets_go_of_the_port() -> None:
    program = """
import os, socket, sys, touchdown
handle = touchdown.instrument(collect=0)
port = int(handle.collector.endpoint.rpartition(":")[2])
read, write = os.pipe()
child = os.fork()
if not child:
    os.close(write)
    os.read(read, 1)
    print("child", handle.collector.endpoint == "", "forked" in handle.collector.problem, flush=True)
    sys.exit(0)
socket.create_connection(("127.0.0.1", port), 5).close()
handle.uninstrument()
try:
    socket.create_connection(("127.0.0.1", port), 5)
    print("still open")
except ConnectionRefusedError:
    print("closed", flush=True)
os.write(write, b"x")
os.waitpid(child, 0)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.splitlines() == ["closed", "child True True"], done.stderr


@pytest.mark.parametrize(
    ("asked", "port"), [(None, None), (False, None), (True, 4318), (0, 0), (9000, 9000)]
)
def test_what_the_option_means(asked: Any, port: int | None) -> None:
    assert port_of(asked) == port


@pytest.mark.parametrize("asked", [-1, 65_536, "yes", 1.5])
def test_a_wrong_option_is_refused(asked: Any) -> None:
    with pytest.raises(ValueError, match="collect is True, False or a port"):
        touchdown.instrument(collect=asked)


def test_the_variable_and_the_file(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "touchdown.toml"
    monkeypatch.setenv("TOUCHDOWN_CONFIG", str(path))
    path.write_text("collect = 9000\n")
    assert configured_port({}) == (9000, "")
    for text, port in (("1", 4318), ("on", 4318), ("0", None), ("free", 0), ("4400", 4400)):
        assert configured_port({"TOUCHDOWN_COLLECT": text}) == (port, "")
    assert "TOUCHDOWN_COLLECT" in configured_port({"TOUCHDOWN_COLLECT": "maybe"})[1]
    path.write_text('collect = "maybe"\n')
    assert "maybe" in configured_port({})[1]
    path.write_text("collect = true\n")
    assert configured_port({}) == (4318, "")


def doctor(**variables: str) -> dict[str, Any]:
    environment = {**os.environ, **variables}
    done = subprocess.run(
        [sys.executable, "-m", "touchdown", "doctor", "--json"],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
    )
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def test_doctor_tells_of_it() -> None:
    def collect(found: dict[str, Any]) -> dict[str, Any]:
        return next(one for one in found["settings"] if one["name"] == "TOUCHDOWN_COLLECT")

    assert not collect(doctor())["set"]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        busy = doctor(TOUCHDOWN_COLLECT=port)
        assert port in collect(busy)["problem"]
        assert any(port in problem for problem in busy["problems"])
    assert collect(doctor(TOUCHDOWN_COLLECT=port))["problem"] == ""
    assert "port" in collect(doctor(TOUCHDOWN_COLLECT="maybe"))["problem"]


def test_the_end_is_not_held_longer_for_the_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it takes is taken from the others' time: together they have what was given."""
    with capture(collect=0):
        runtime = core.active()
        assert runtime is not None
        given: list[float] = []

        def slow(timeout_s: float) -> list[str]:
            given.append(timeout_s)
            time.sleep(0.3)
            return []

        monkeypatch.setattr(runtime.collector, "close", slow)
        close = runtime.delivery.close
        monkeypatch.setattr(runtime.delivery, "close", lambda t: given.append(t) or close(t))
        runtime.close(1.0)
        monkeypatch.undo()
    assert given[0] <= 1.0
    assert given[1] <= 0.7
