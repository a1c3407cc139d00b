"""gunicorn and Celery fork their workers and end them in their own ways: every call is told once."""

import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.exits.cells import REPOSITORY, clean_environment
from tests.exits.test_families import counted_calls
from tests.telemetry.receiver import Receiver, receiving
from touchdown.live.journal import read_journal
from touchdown.records import ModelCall, TaskRecord
from touchdown.testing import Provider, Reply

pytestmark = pytest.mark.stage_servers

REQUESTS = 12
WORKERS = 2


@contextmanager
def server(
    command: list[str], tmp_path: Path, **environment: str
) -> Iterator[tuple[subprocess.Popen[str], dict[str, str], Receiver]]:
    """A server in its own environment; ended by SIGTERM, as its host's supervisor would."""
    with receiving() as receiver, Provider(lambda _request: Reply("word " * 40)) as provider:
        variables = {
            **clean_environment(),
            **provider.env(),
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
            "TOUCHDOWN_JOURNAL": str(tmp_path / "journal.jsonl"),
            **environment,
        }
        with open(tmp_path / "server.log", "w", encoding="utf-8") as log:
            running = subprocess.Popen(
                [os.environ["SERVERS_PYTHON"], "-m", *command],
                cwd=REPOSITORY,
                env=variables,
                stdout=log,
                stderr=log,
                text=True,
            )
            try:
                yield running, variables, receiver
                running.send_signal(signal.SIGTERM)
                running.wait(60)
            finally:
                running.kill()
                running.wait()


def check(tmp_path: Path, receiver: Receiver, task: str, wanted: int) -> None:
    """Each call and task once in the journal and once as a span, and counted once."""
    records = list(read_journal(tmp_path / "journal.jsonl"))
    calls = Counter(record.id for record in records if isinstance(record, ModelCall))
    assert sorted(calls.values()) == [1] * wanted
    closed = [r.id for r in records if isinstance(r, TaskRecord) and r.duration_ns is not None]
    assert len(closed) == len(set(closed)) == wanted
    spans = receiver.spans()
    assert len({span.span_id for span in spans}) == len(spans)
    names = Counter(span.name for span in spans)
    assert (names["chat gpt-5.4"], names[f"invoke_workflow {task}"]) == (wanted, wanted)
    assert counted_calls(receiver) == wanted
    log = (tmp_path / "server.log").read_text(encoding="utf-8")
    assert "touchdown:" not in log, log


def get(url: str) -> str:
    """Ask, until the server has started."""
    for _ in range(600):
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                return answer.read().decode()
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the server did not start")


@pytest.mark.parametrize("workers", ["sync", "gthread"])
@pytest.mark.parametrize("preload", [False, True])
def test_gunicorn(workers: str, preload: bool, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["gunicorn", "tests.stages.served.web", f"--workers={WORKERS}"]
    command += [f"--bind=127.0.0.1:{port}", f"--worker-class={workers}", "--timeout=120"]
    command += ["--preload"] * preload
    early = {"CALL_AT_IMPORT": "1"} if preload else {}
    with server(command, tmp_path, **early) as (_, _, receiver):
        for _ in range(REQUESTS):
            get(f"http://127.0.0.1:{port}/")
    check(tmp_path, receiver, "request", REQUESTS + preload)


def test_celery_prefork(tmp_path: Path) -> None:
    for folder in ("queue", "control", "results"):
        (tmp_path / folder).mkdir()
    jobs = {"JOBS_FOLDER": str(tmp_path)}
    command = ["celery", "--app=tests.stages.served.jobs", "worker", f"--concurrency={WORKERS}"]
    command += ["--pool=prefork", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    ask = (
        "from tests.stages.served.jobs import ask\n"
        f"for job in [ask.delay() for _ in range({REQUESTS})]: job.get(timeout=120)\n"
    )
    with server(command, tmp_path, **jobs) as (_, variables, receiver):
        subprocess.run(
            [os.environ["SERVERS_PYTHON"], "-c", ask],
            cwd=REPOSITORY,
            env={**variables, "TOUCHDOWN_DISABLED": "1"},
            check=True,
            timeout=180,
        )
    check(tmp_path, receiver, "job", REQUESTS)
