"""Measurements as plain values: the conventions' metrics, and the cost of tasks."""

from typing import Any

import pytest
from msgspec.structs import replace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from tests.telemetry.samples import (
    AGENT,
    AGENT_START,
    BARE_CALL,
    CALL,
    CALL_START,
    TASK,
    TASK_START,
    TOOL,
    TOOL_START,
    VERDICT,
)
from touchdown.records import CallVerdict, Record, Start
from touchdown.telemetry import SpanSink, metrics

BASE = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-5",
    "server.address": "api.openai.com",
    "server.port": 443,
}
ANSWERED = BASE | {"gen_ai.response.model": "gpt-5-2026-08-07"}


class Measured:
    """A sink with a meter provider in memory."""

    def __init__(self, **options: Any) -> None:
        self.reader = InMemoryMetricReader()
        provider = MeterProvider([self.reader], shutdown_on_exit=False)
        self.sink = SpanSink(meter_provider=provider, **options)

    def tell(self, start: Start, record: Record, verdict: CallVerdict | None = None) -> None:
        opened = self.sink.open(start)
        assert opened is not None
        opened.close(record, verdict)

    def points(self) -> dict[str, list[tuple[float, dict[str, Any]]]]:
        """Metric name to its sums and labels."""
        data = self.reader.get_metrics_data()
        assert data is not None
        return {
            metric.name: [
                (getattr(point, "sum", None) or getattr(point, "value", 0), dict(point.attributes))
                for point in metric.data.data_points
            ]
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def buckets(self, name: str) -> list[float]:
        """The bucket bounds of a histogram."""
        data = self.reader.get_metrics_data()
        assert data is not None
        (found,) = (
            metric.data.data_points[0].explicit_bounds
            for metric in data.resource_metrics[0].scope_metrics[0].metrics
            if metric.name == name
        )
        return list(found)


def test_a_full_call() -> None:
    seen = Measured()
    seen.tell(CALL_START, CALL, VERDICT)
    split = ANSWERED | {"gen_ai.token.modality": "unknown"}
    assert seen.points() == {
        "gen_ai.client.inference.duration": [(2.5, ANSWERED)],
        "gen_ai.client.inference.time_to_first_chunk": [(0.4, ANSWERED)],
        "gen_ai.client.inference.usage.input_tokens": [(1_000, split)],
        "gen_ai.client.inference.usage.output_tokens": [(50, split)],
        "gen_ai.client.inference.usage.cache_read.input_tokens": [(800, split)],
        "gen_ai.client.inference.usage.cache_write.input_tokens": [(100, split)],
        "gen_ai.client.inference.usage.reasoning.output_tokens": [(20, split)],
        "gen_ai.client.inference.operation.input_tokens": [(1_000, ANSWERED)],
        "gen_ai.client.inference.operation.output_tokens": [(50, ANSWERED)],
        "touchdown.cost": [(0.0265, ANSWERED)],
        "touchdown.context.size": [(1_000, ANSWERED)],
        "touchdown.cache.hit_share": [(pytest.approx(8 / 9), ANSWERED)],
    }


def test_a_failed_call_without_usage_counts_as_zero_tokens_and_as_no_percentile() -> None:
    seen = Measured()
    seen.tell(CALL_START, replace(BARE_CALL, status="error", error_type="TimeoutError"))
    split = BASE | {"gen_ai.token.modality": "unknown"}
    assert seen.points() == {
        "gen_ai.client.inference.duration": [(2.5, BASE | {"error.type": "TimeoutError"})],
        "gen_ai.client.inference.usage.input_tokens": [(0, split)],
        "gen_ai.client.inference.usage.output_tokens": [(0, split)],
    }


def test_embeddings_are_no_inference() -> None:
    seen = Measured()
    seen.tell(CALL_START, replace(BARE_CALL, operation="embeddings"))
    labels = BASE | {"gen_ai.operation.name": "embeddings"}
    assert seen.points() == {"gen_ai.client.operation.duration": [(2.5, labels)]}


def test_the_buckets_of_the_conventions() -> None:
    seen = Measured()
    seen.tell(CALL_START, CALL, VERDICT)
    seen.tell(AGENT_START, AGENT)
    durations = seen.buckets("gen_ai.client.inference.duration")
    assert (durations[0], durations[-1], len(durations)) == (0.01, 81.92, 14)
    tokens = seen.buckets("gen_ai.client.inference.operation.input_tokens")
    assert (tokens[0], tokens[-1], len(tokens)) == (1, 67_108_864, 14)
    agents = seen.buckets("gen_ai.invoke_agent.duration")
    assert (agents[0], agents[-1]) == (0.1, 409.6)
    assert seen.buckets("gen_ai.invoke_agent.tool_calls") == [1, 2, 4, 8, 16, 32, 64, 128]


def test_an_agent_counts_its_own_calls_only() -> None:
    seen = Measured()
    seen.tell(CALL_START, BARE_CALL)
    seen.tell(CALL_START, BARE_CALL)
    seen.tell(CALL_START, replace(BARE_CALL, agent_id="another"))
    seen.tell(TOOL_START, TOOL)
    seen.tell(AGENT_START, AGENT)
    points = seen.points()
    labels = {"gen_ai.agent.name": "reviewer"}
    assert points["gen_ai.invoke_agent.duration"] == [(2.5, labels)]
    assert points["gen_ai.invoke_agent.inference_calls"] == [(2, labels)]
    assert points["gen_ai.invoke_agent.tool_calls"] == [(1, labels)]


def test_a_tool_call() -> None:
    seen = Measured()
    seen.tell(TOOL_START, replace(TOOL, failed=True, failure="rule"))
    assert seen.points() == {
        "gen_ai.execute_tool.duration": [
            (
                2.5,
                {
                    "gen_ai.tool.name": "run_tests",
                    "gen_ai.tool.type": "function",
                    "error.type": "tool_error",
                },
            )
        ]
    }


def test_the_accounts_of_a_closed_task_add_up_to_its_bill() -> None:
    figures = {
        "touchdown.task.cost.usd": 1.0,
        "touchdown.task.cost.work_usd": 0.5,
        "touchdown.task.cost.unexplained_usd": 0.25,
        "touchdown.task.tax.cache_miss.usd": 0.25,
        "touchdown.task.tax.retries.usd": 0.0,
        "touchdown.task.tax.retries.seconds": 7.0,
    }
    seen = Measured(settled=lambda _task_id: figures, metric_tags=("team",))
    seen.tell(TASK_START, TASK)
    points = seen.points()
    labels = {"touchdown.task.name": "fix issue", "touchdown.task.tag.team": "core"}
    assert points["touchdown.tasks"] == [(1, labels | {"touchdown.task.outcome": "useful"})]
    assert sorted(points["touchdown.spent"], key=lambda point: str(point[1])) == [
        (0.25, labels | {"touchdown.account": "cache_miss"}),
        (0.25, labels | {"touchdown.account": "unexplained"}),
        (0.5, labels | {"touchdown.account": "work"}),
    ]


def test_a_task_inside_a_task_is_counted_in_its_parent() -> None:
    seen = Measured(settled=lambda _task_id: {"touchdown.task.cost.work_usd": 0.5})
    seen.tell(TASK_START, replace(TASK, parent_id="task-0"))
    points = seen.points()
    assert "touchdown.tasks" not in points
    assert "touchdown.spent" not in points


def test_the_task_of_calls_outside_any_task_is_told_by_its_ledger() -> None:
    seen = Measured(settled=lambda _task_id: {"touchdown.task.cost.work_usd": 0.5})
    seen.tell(replace(TASK_START, implicit=True), replace(TASK, implicit=True))
    assert set(seen.points()) == {"touchdown.tasks", "touchdown.spent"}


def test_task_names_are_bounded_and_tags_stay_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "MOST_TASK_NAMES", 2)
    seen = Measured()
    for index in range(4):
        start = replace(TASK_START, id=f"task-{index}", name=f"fix issue {index}")
        seen.tell(start, replace(TASK, id=start.id, name=start.name))
    counted = {
        labels["touchdown.task.name"]: value for value, labels in seen.points()["touchdown.tasks"]
    }
    assert counted == {"fix issue 0": 1, "fix issue 1": 1, "_OTHER": 2}
