"""``touchdown collect``: an agent and an engine in other processes, and the receipt at the end."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

AGENT = """
import os, sys, time
import touchdown
from openai import OpenAI
from tests.collect.exported import exported
from tests.collect.test_live import headers_of, span_for
from touchdown.testing import Provider, Reply
touchdown.instrument()
endpoint = os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"]
sent = []
with Provider(lambda request: Reply("hello " * 20, first_chunk_delay_s=0.01)) as provider:
    with OpenAI(base_url=f"{provider.url}/v1", api_key="none") as client:
        touchdown.engine(provider.url, "vllm")
        with touchdown.task("fix issue 7") as task:
            for number in range(3):
                client.chat.completions.create(
                    model="tiny", messages=[{"role": "user", "content": f"hello {number}"}]
                )
            task.useful()
        exported(endpoint, [span_for(headers) for headers in headers_of(provider)])
touchdown.flush()
"""
REPOSITORY = Path(__file__).parents[2]


@contextmanager
def collect(*arguments: str, **variables: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """The command, at ports that are free; what it has said so far is in the list."""
    command = [sys.executable, "-m", "touchdown", "collect", "--http-port", "0", "--grpc-port", "0"]
    process = subprocess.Popen(
        [*command, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **variables},
    )
    said: list[str] = []
    listening = threading.Event()

    def listen() -> None:
        assert process.stderr is not None
        for line in process.stderr:
            said.append(line)
            if "(HTTP)" in line:
                listening.set()

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        assert listening.wait(60), said
        yield process, said
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        thread.join()
        for pipe in (process.stdout, process.stderr):
            assert pipe is not None
            pipe.close()


def endpoint_in(said: list[str]) -> str:
    found = re.search(r"http://\S+", "".join(said))
    assert found is not None
    return found[0]


def run_agent(endpoint: str, agent: str = AGENT, **variables: str) -> None:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    subprocess.run(
        [sys.executable, "-c", agent],
        env={**plain, **variables, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint},
        cwd=REPOSITORY,
        check=True,
        timeout=120,
    )


def ended(process: subprocess.Popen[str], by: signal.Signals = signal.SIGTERM) -> str:
    process.send_signal(by)
    assert process.stdout is not None
    out = process.stdout.read()
    assert process.wait(60) == 0
    return out


def test_the_receipt_has_the_engines_queue_and_what_was_not_forwarded_is_said() -> None:
    with collect("--forward", "http://127.0.0.1:9") as (process, said):
        run_agent(endpoint_in(said))
        out = ended(process)
    assert "fix issue 7" in out
    assert "useful" in out
    assert re.search(r"queue +0\.00\d s", out)
    totals = "".join(said)
    assert "3 model calls" in totals
    assert "engine requests: 3 parent" in totals
    assert "forward: failed" in totals
    assert "not all was forwarded" in totals


def test_json_alone_on_stdout_and_a_journal(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    with collect("--json", "--quiet", "--journal", str(path)) as (process, said):
        run_agent(endpoint_in(said))
        report = json.loads(ended(process))
    (task,) = report["tasks"]
    assert report["collected"]["engine_requests"] == {"parent": 3}
    assert report["collected"]["received"]["spans"] == 7
    assert report["collected"]["lost"] == []
    assert report["schema"] == "touchdown.report/1"
    assert (task["name"], task["model_calls"], task["outcome"]) == ("fix issue 7", 3, "useful")
    assert task["time"]["taxes"]["queue"] > 0
    told = task["time"]
    parts = told["work_s"] + sum(told["taxes"].values()) + told["unexplained_s"]
    assert parts == pytest.approx(told["total_s"], abs=1e-9)
    kinds = [json.loads(line).get("kind") for line in path.read_text().splitlines()]
    assert kinds.count("ModelCall") == kinds.count("EngineReport") == 3


def test_nothing_came() -> None:
    with collect() as (process, said):
        out = ended(process, signal.SIGINT)
    assert "0 tasks" in out
    assert "0 spans" in "".join(said)


def refused(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "touchdown", "collect", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_what_cannot_begin_says_why(tmp_path: Path) -> None:
    with collect() as (_, said):
        port = endpoint_in(said).rpartition(":")[2]
        done = refused("--http-port", port)
        assert (done.returncode, "cannot listen" in done.stderr) == (1, True)
    done = refused("--journal", str(tmp_path))
    assert (done.returncode, "folder" in done.stderr) == (1, True)
    for wrong in (["--forward", "nowhere"], ["--http-port", "70000"], ["--forward-header", "x"]):
        done = refused(*wrong)
        assert (done.returncode, wrong[0] in done.stderr) == (2, True)


def test_a_wide_address_is_warned_of() -> None:
    with collect("--host", "0.0.0.0", "--no-grpc") as (process, said):
        ended(process)
    assert "no authentication" in "".join(said)
