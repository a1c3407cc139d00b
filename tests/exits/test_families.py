"""Children by every start method: no deadlock, nothing lost, nothing twice, and each counts its own."""

import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.exits.cells import REPOSITORY, clean_environment
from tests.exits.family import CALLS, CHILDREN, FAMILIES, FORKS_UNDER_LOAD
from tests.telemetry.receiver import Receiver, receiving
from touchdown.live.journal import read_journal
from touchdown.records import ModelCall, TaskRecord, ToolCall
from touchdown.testing import Provider, Reply

QUICK = ("os_fork", "fork_under_load")

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@dataclass(frozen=True, slots=True)
class Left:
    """What a family left behind."""

    printed: str
    said: str
    records: list[object]
    spans: list[Any]
    requests: int
    receiver: Receiver


def run_family(start: str, tmp_path: Path) -> Left:
    """Run it with a journal and a backend that all its processes share."""
    journal = tmp_path / "journal.jsonl"
    with receiving() as receiver, Provider(lambda _request: Reply("word " * 40)) as provider:
        done = subprocess.run(
            [sys.executable, "-W", "ignore::DeprecationWarning", "-m", "tests.exits.family", start],
            cwd=REPOSITORY,
            env={
                **clean_environment(),
                **provider.env(),
                "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
                "TOUCHDOWN_JOURNAL": str(journal),
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        records = list(read_journal(journal))
        requests = len(provider.requests)
        return Left(done.stdout, done.stderr, records, receiver.spans(), requests, receiver)


def calls_of(start: str) -> int:
    """How many model calls a family makes."""
    if start in ("fork_and_exec", "fork_under_load"):
        return CALLS
    return CALLS + CALLS * CHILDREN + (start == "os_fork")


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(start, marks=() if start in QUICK else pytest.mark.stage_exits)
        for start in FAMILIES
    ],
)
def test_every_process_of_a_family_tells_its_own_once(start: str, tmp_path: Path) -> None:
    left = run_family(start, tmp_path)
    assert left.said == ""
    wanted = calls_of(start)
    looks = left.printed.count("looked") + FORKS_UNDER_LOAD * (start == "fork_under_load")
    assert left.requests == wanted
    calls = Counter(record.id for record in left.records if isinstance(record, ModelCall))
    assert sorted(calls.values()) == [1] * wanted
    tools = Counter(record.id for record in left.records if isinstance(record, ToolCall))
    assert sorted(tools.values()) == [1] * looks
    tasks = [r for r in left.records if isinstance(r, TaskRecord) and r.name == "a family"]
    assert sum(task.duration_ns is not None for task in tasks) == 1
    assert len({span.span_id for span in left.spans}) == len(left.spans)
    names = Counter(span.name for span in left.spans)
    assert names["chat gpt-5.4"] == wanted
    assert names["execute_tool look"] == looks
    assert names["invoke_workflow a family"] == 1
    assert counted_calls(left.receiver) == wanted


def counted_calls(receiver: Receiver) -> int:
    """Model calls by the metric, the last word of each process added up."""
    last: dict[str, int] = {}
    for request in receiver.metrics:
        for resource in request.resource_metrics:
            process = str(resource.resource.attributes)
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    if metric.name == "gen_ai.client.inference.duration":
                        last[process] = sum(p.count for p in metric.histogram.data_points)
    return sum(last.values())
