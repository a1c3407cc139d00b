"""Where things would be sent: the same addresses that the real exporters hold, without secrets."""

import sys

import pytest

from touchdown.telemetry.destinations import destinations
from touchdown.telemetry.environment import Signal
from touchdown.telemetry.exporters import make_exporter

BASE = "OTEL_EXPORTER_OTLP_ENDPOINT"


@pytest.mark.parametrize("signal", ["traces", "metrics"])
@pytest.mark.parametrize(
    "variables",
    [
        {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_METRICS_EXPORTER": "otlp"},
        {BASE: "http://collector:4318"},
        {BASE: "https://collector/"},
        {BASE: "http://[::1]:4318/base/"},
        {
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://a:1/spans",
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://b:2/api/public/otel/v1/metrics",
            BASE: "http://c:3",
        },
    ],
)
def test_the_address_is_the_exporters_own(
    signal: Signal, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    (found,) = destinations(signal)
    assert found.problem == ""
    assert found.url == make_exporter(signal, "otlp")._endpoint  # type: ignore[attr-defined]


def test_grpc_has_its_own_port_and_no_path(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.grpc")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    (found,) = destinations("traces")
    assert (found.url, found.port, found.problem) == ("http://localhost:4317", 4317, "")


def test_a_missing_exporter_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.grpc.trace_exporter", None)
    monkeypatch.setenv(BASE, "http://localhost:4317")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    (found,) = destinations("traces")
    assert "touchdown-agents[grpc]" in found.problem


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "no traces exporter 'zipkin'"),
        ({BASE: "http://c:4318", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, "http/json"),
        ({BASE: "localhost:4318"}, "no address"),
        ({BASE: "http://c:none"}, "no address"),
        ({BASE: "http://c", "OTEL_EXPORTER_OTLP_HEADERS": "Bearer x"}, "no list of name=value"),
    ],
)
def test_what_would_not_work_says_why(
    variables: dict[str, str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    (found,) = destinations("traces")
    assert told in found.problem


@pytest.mark.parametrize(
    ("variables", "hint"),
    [
        ({BASE: "http://c:4317"}, "PROTOCOL=grpc"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318"}, "/v1/traces"),
        ({BASE: "http://c:4318"}, ""),
    ],
)
def test_likely_slips_are_hinted_at(
    variables: dict[str, str], hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    (found,) = destinations("traces")
    assert hint in found.hint
    assert bool(found.hint) is bool(hint)


def test_nothing_asked_for_is_nowhere() -> None:
    assert list(destinations("traces")) == []
