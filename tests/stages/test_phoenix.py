"""The spans of a demo run reach a real Phoenix, over HTTP and over gRPC, and are read back by its API."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.stage_phoenix


def run_demo(project: str, protocol: str, endpoint: str, cwd: Path) -> None:
    """Run the demo with its spans sent to `endpoint`, under a project of its own."""
    environment = {
        **os.environ,
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_EXPORTER_OTLP_INSECURE": "true",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_RESOURCE_ATTRIBUTES": f"openinference.project.name={project}",
    }
    ran = subprocess.run(
        [sys.executable, "-m", "touchdown", "demo", "--json"],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr


def read_spans(project: str, wanted: int) -> list[dict[str, Any]]:
    """The project's spans as Phoenix has them, once at least `wanted` are there."""
    url = f"{os.environ['PHOENIX_URL']}/v1/projects/{project}/spans?limit=1000"
    spans: list[dict[str, Any]] = []
    for _ in range(60):
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                spans = json.load(answer)["data"]
        except urllib.error.HTTPError:
            spans = []
        if len(spans) >= wanted:
            return spans
        time.sleep(0.5)
    return spans


@pytest.mark.parametrize(
    ("protocol", "variable"), [("http/protobuf", "PHOENIX_URL"), ("grpc", "PHOENIX_GRPC")]
)
def test_a_demo_run_is_read_back(protocol: str, variable: str, tmp_path: Path) -> None:
    project = f"demo-{protocol.partition('/')[0]}"
    run_demo(project, protocol, os.environ[variable], tmp_path)
    spans = read_spans(project, wanted=38)
    calls = [span for span in spans if span["name"].startswith("chat ")]
    tools = [span for span in spans if span["name"].startswith("execute_tool ")]
    tasks = [span for span in spans if span["name"].startswith("invoke_workflow ")]
    assert (len(calls), len(tools), len(tasks)) == (19, 15, 2)
    for span in calls:
        attributes = flattened(span["attributes"])
        assert attributes["touchdown.context.tokens"] > 1000
        assert attributes["touchdown.cost.usd"] > 0
        assert attributes["touchdown.cache.state"] in {"cold", "warm", "partial", "missed"}
    lengths = [flattened(span["attributes"]).get("touchdown.tool.output.chars") for span in tools]
    assert sum(length is not None and length > 0 for length in lengths) == 14, lengths
    for span in tasks:
        assert flattened(span["attributes"])["touchdown.task.cost.usd"] > 0


def flattened(value: Any, prefix: str = "") -> dict[str, Any]:
    """Attributes by their dotted names, whether Phoenix nests them or not."""
    flat: dict[str, Any] = {}
    for key, inner in value.items():
        name = f"{prefix}{key}"
        if isinstance(inner, dict):
            flat.update(flattened(inner, f"{name}."))
        else:
            flat[name] = inner
    return flat
