"""``touchdown collect`` beside a real Dynamo (``DYNAMO_URL``), which exports to it (``DYNAMO_OTLP_PORT``)."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from tests.collect.test_command import collect, ended, endpoint_in, run_agent
from tests.stages.checks import SETTLE_S

pytestmark = pytest.mark.stage_dynamo

CALLS = 5
AGENT = """
import os
import touchdown
from tests.stages.talk import converse
touchdown.instrument(stream_usage=True)
converse(touchdown.engine(os.environ["DYNAMO_URL"], "dynamo"), "collected", turns=2, as_claude=3)
touchdown.flush()
"""


def test_the_frontends_spans_and_the_workers_join_the_calls(tmp_path: Path) -> None:
    """In Anthropic's form an answer names neither worker nor times: the spans do."""
    path = tmp_path / "journal.jsonl"
    options = ("--json", "--grpc-port", os.environ["DYNAMO_OTLP_PORT"], "--journal", str(path))
    with collect(*options) as (process, said):
        run_agent(endpoint_in(said), AGENT)
        deadline = time.monotonic() + SETTLE_S
        while f"{CALLS} parent" not in "".join(said) and time.monotonic() < deadline:
            time.sleep(0.2)
        report = json.loads(ended(process))
    (task,) = report["tasks"]
    assert report["collected"]["engine_requests"]["parent"] == CALLS
    assert task["model_calls"] == CALLS
    assert task["time"]["taxes"]["runtime_overhead"] > 0
    assert not {"rerouting", "runtime_overhead"} & task["not_observable"].keys()
    told = task["time"]
    parts = told["work_s"] + sum(told["taxes"].values()) + told["unexplained_s"]
    assert parts == pytest.approx(told["total_s"], abs=1e-9)
    timings = list(timings_in(path))
    for timing in timings:
        assert timing["worker"]
        assert timing["basis"]["frontend_ns"] == "derived"
        # What is left of the front end's span: by the clocks of two processes it may be nothing.
        assert 0 <= timing["frontend_ns"] < timing["total_ns"]
    assert any(timing["frontend_ns"] for timing in timings)


def timings_in(path: Path) -> list[dict[str, Any]]:
    """What the frontend said of each request, as the journal has it."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    found = [row["record"]["timing"] for row in rows if row.get("kind") == "EngineReport"]
    assert len(found) == CALLS
    return found
