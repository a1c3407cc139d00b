"""From a process of its own to a backend: what is set in the environment is what happens."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.telemetry.receiver import plain_attributes, receiving

REPOSITORY = Path(__file__).parents[2]

AGENT = """
import sys
from opentelemetry import trace
from tests.telemetry.samples import CALL, CALL_START, TASK, TASK_START, VERDICT
from touchdown.telemetry import SpanSink

sink = SpanSink(settled=lambda task_id: {"touchdown.task.cost.work_usd": 0.5}, version="0.1")
task = sink.open(TASK_START)
if task is None:
    print("nothing to tell anybody; sdk loaded:", "opentelemetry.sdk.trace" in sys.modules)
    sys.exit()
with task.activate():
    call = sink.open(CALL_START)
call.close(CALL, VERDICT)
task.close(TASK, None)
assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider), "installed globally"
if "late" in sys.argv:
    import atexit
    atexit.register(lambda: sys.stderr.writelines(f"{part}\\n" for part in sink.shutdown(2.0)))
else:
    print("sent:", sink.flush(5.0))
    sink.shutdown(2.0)
"""


def run_agent(
    *arguments: str, script: str = AGENT, **environment: str
) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env=clean | {"PYTHONPATH": str(REPOSITORY)} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )


@pytest.mark.parametrize("moment", ["flush", "late"])
def test_spans_and_metrics_reach_a_backend_named_by_the_environment(moment: str) -> None:
    with receiving() as receiver:
        done = run_agent(
            moment,
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint,
            OTEL_SERVICE_NAME="my-agent",
        )
    assert done.stderr == ""
    assert done.stdout == ("sent: True\n" if moment == "flush" else "")
    call, task = sorted(receiver.spans(), key=lambda span: span.name)
    assert (call.name, task.name) == ("chat gpt-5", "invoke_workflow fix issue")
    assert call.trace_id == task.trace_id
    assert call.parent_span_id == task.span_id
    assert call.end_time_unix_nano - call.start_time_unix_nano == 2_500_000_000
    told = plain_attributes(call)
    assert told["gen_ai.usage.input_tokens"] == 1_000
    assert told["touchdown.context.new.kinds"] == ["assistant", "tool_result"]
    assert told["touchdown.cost.exact_usd"] == "0.0265"
    assert plain_attributes(task)["touchdown.task.cost.work_usd"] == 0.5
    resource = receiver.traces[0].resource_spans[0]
    assert resource.scope_spans[0].scope.name == "touchdown"
    assert "my-agent" in {pair.value.string_value for pair in resource.resource.attributes}
    assert {"gen_ai.client.inference.duration", "touchdown.cost", "touchdown.spent"} <= (
        receiver.metric_names()
    )


def test_a_backend_that_never_answers_does_not_hold_the_exit() -> None:
    with receiving(hangs=True) as receiver:
        began = time.monotonic()
        done = run_agent("late", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint)
        took_s = time.monotonic() - began
    assert (
        took_s < 15
    )  # 2 s at the exit, and a slow start of the interpreter; the SDK alone takes 30 s
    assert done.stderr.splitlines() == [
        "2 of 2 spans (not sent within 2.0 s)",
        "the last metrics (not sent within 2.0 s)",
    ]


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"},
        {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
    ],
)
def test_nothing_is_sent_or_even_loaded_unasked(environment: dict[str, str]) -> None:
    done = run_agent(**environment)
    assert done.stdout == "nothing to tell anybody; sdk loaded: False\n"
    assert done.stderr == ""


def test_the_console_is_an_exporter_like_another() -> None:
    done = run_agent(OTEL_TRACES_EXPORTER="console")
    assert '"name": "chat gpt-5"' in done.stdout
    assert done.stderr == ""


def test_grpc_without_its_extra_says_what_to_install() -> None:
    without = "import sys\nsys.modules['opentelemetry.exporter.otlp.proto.grpc'] = None\n"
    done = run_agent(
        script=without + AGENT,
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1",
        OTEL_EXPORTER_OTLP_PROTOCOL="grpc",
    )
    assert done.stderr.splitlines() == [
        "touchdown: OTLP over gRPC needs an extra: "
        'pip install "touchdown-agents[grpc]"; nothing is sent'
    ]


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        (
            {"OTEL_TRACES_EXPORTER": "zipkin"},
            "touchdown: no traces exporter 'zipkin'; "
            "known: otlp (http/protobuf or grpc), console or none",
        ),
        (
            {
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1",
                "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json",
            },
            "touchdown: no traces exporter 'http/json'; "
            "known: otlp (http/protobuf or grpc), console or none",
        ),
    ],
)
def test_an_exporter_that_is_not_known_is_said_in_one_line(
    environment: dict[str, str], line: str
) -> None:
    assert run_agent(**environment).stderr.splitlines() == [line]
