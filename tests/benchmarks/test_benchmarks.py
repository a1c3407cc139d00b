"""The benchmarks run, and say nothing that their noise does not allow."""

import importlib.util
import json
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import anthropic
import openai
import pytest
from packaging.version import Version

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


paired = load("paired")
instructions = load("instructions")


def run(*arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, *arguments, "--json"],
        cwd=BENCHMARKS.parent,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


newest = pytest.mark.skipif(
    Version(version("openai")) < Version("3"),
    reason="the benchmarks speak httpx2, as the SDKs do now",
)


@newest
def test_the_hot_path_is_measured() -> None:
    parts = run("benchmarks/hot_path.py", "--pairs", "1", "--only", "tiny")
    assert (
        set(parts["at the hook"]) == set(parts["in the call"]) == {"anthropic tiny", "openai tiny"}
    )
    for rows in (parts["at the hook"], parts["in the call"]):
        assert all(set(row) == {"floor", "touchdown"} for row in rows.values())
    stages = {"read", "journal", "fold", "span", "budget", "request"}
    assert set(parts["behind the queue"]) == {
        f"{sdk} tiny: {stage}" for sdk in ("anthropic", "openai") for stage in stages
    }
    assert set(parts["per chunk"]) == {
        f"{sdk} {shape} chunk" for sdk in ("anthropic", "openai") for shape in ("sync", "async")
    }


@newest
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("valgrind") is None, reason="there is no valgrind here")
def test_instructions_are_counted() -> None:
    found = run("benchmarks/instructions.py", "--only", "openai tiny", "--calls", "20", "--host")
    row = found["openai tiny"]
    assert 0 < row["bare"] < row["floor"]
    assert row["bare"] < row["touchdown"]
    ours, theirs = (
        found[f"openai tiny: {stage}"]["touchdown"] for stage in ("encode", "encode by the SDK")
    )
    assert 0 < ours < theirs


def test_a_ratio_is_given_only_where_both_stand_out_of_their_noise() -> None:
    sharp, double = paired.figure([9, 10, 10, 11]), paired.figure([19, 20, 20, 21])
    swinging, negative = paired.figure([-30, 10, 10, 50]), paired.figure([-3, -2, -2, -1])
    assert paired.ratio(double, sharp) == 2.0
    assert paired.ratio(double, swinging) is None
    assert paired.ratio(double, negative) is None
    assert paired.shown(None) == "not resolved"


def test_states_are_compared_within_a_round() -> None:
    now = {"state": "", "drift": 0.0}

    def to(state: str) -> None:
        now["state"] = state

    def measure() -> float:
        now["drift"] += 0.001  # a machine that grows slower all the time
        return {"bare": 5.0, "floor": 15.0}[str(now["state"])] + float(now["drift"])

    added = paired.take_turns(to, ("bare", "floor"), measure, pairs=9)
    assert set(added) == {"floor"}
    assert added["floor"].median == pytest.approx(10.0, abs=0.01)


def test_what_is_no_call_falls_out_of_the_count() -> None:
    counts = {"a|bare|10": 1_010, "a|bare|40": 1_040, "a|floor|10": 1_100, "a|floor|40": 1_400}
    assert instructions.per_unit(counts) == {"a": {"bare": 1.0, "floor": 10.0}}


@newest
def test_a_peer_is_measured_only_when_it_makes_spans_exactly_when_it_is_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    from peers.adapters import floor
    from peers.calls import Counted, Measured, Switch
    from peers.patches import Patches, attributes
    from workload import client_of, request_of

    asks = {state: client_of("openai") for state in ("off", "on")}
    asked = request_of("openai", [{"role": "user", "content": "hi"}], tools=False)
    bound = {state: made.chat.completions.create for state, made in asks.items()}
    before = attributes()
    counted = Counted(SimpleSpanProcessor(InMemorySpanExporter()))
    flush = floor(counted)
    patches = Patches(before)
    try:
        switch = Switch(patches, counted, flush)
        calls = {state: lambda c=create: c(**asked) for state, create in bound.items()}
        switch.prove(Measured("openai tiny", calls))
        with pytest.raises(SystemExit, match="2 spans of 2 calls while off"):
            Switch(Stuck(), counted, flush).prove(Measured("openai tiny", calls))
    finally:
        patches.to("off")
    request = "request"
    for kind in (openai._base_client.SyncAPIClient, anthropic._base_client.SyncAPIClient):
        assert vars(kind)[request] is before[kind, request]


class Stuck:
    """A peer that cannot be taken off."""

    def to(self, state: str) -> None:
        """Nothing changes."""


def test_the_table_names_every_figure_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    from peers.table import rows

    spread = {"median": 2.0, "low": 1.0, "high": 3.0}
    found = {
        "instructions": {"openai tiny": {"caller": 1_500.0, "process": 3_000.0}},
        "calls": {"openai tiny": {"caller": spread, "process": spread}},
        "kept": {"KB per queued call": 3.5},
        "start": {"s": 0.1, "MB": 2.0},
    }
    table = rows({"floor": found, "missing": {"error": "is not set"}})
    assert table["openai tiny, caller's thread, thousand instructions"] == {"floor": "1.5"}
    assert table["openai tiny, whole process, µs"] == {"floor": "2.0 ± 1.0"}
    assert table["kept, KB per queued call"] == {"floor": "3.5"}
    assert table["import and switching on, s of CPU"] == {"floor": "0.10"}
    assert len(table) == 7


def test_the_receiver_is_measured_and_loses_nothing() -> None:
    runs = run("benchmarks/collect.py", "--spans", "3000")
    assert set(runs) == {"as fast as it goes", "at 10,000 spans/s"}
    for told in runs.values():
        assert (told["spans"], told["lost"]) == (3000, 0)
        assert told["joined"]["parent"] > 600
        assert told["calls"] > 300
