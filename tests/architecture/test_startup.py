"""What ``instrument()`` loads: what a call needs in the caller's thread, and nothing that can come later."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

LATER = {"accounting", "engines", "report", "sessions", "cli", "collect", "servers", "testing"}
"""Rooms that load behind the queue, or when somebody asks."""

NOW = {
    "live": {"accountant", "bounds", "budgets", "journal", "keeper", "kinship", "reservation"}
    | {"run_folder", "sizing"},
    "prices": {"cost", "deferred", "location", "rates"},
    "telemetry.foreign": {"live"},
}
"""Of other rooms no more than this."""

NOT_OURS = {"difflib", "genai_prices", "html", "packaging", "pydantic", "rich", "tomllib"}

MOST_MODULES = 161

_START = """
import json, sys
if len(sys.argv) > 1:
    import anthropic, openai, opentelemetry.sdk.metrics.export, opentelemetry.sdk.trace.export
before = set(sys.modules)
import touchdown
touchdown.instrument(integrations=False)
print(json.dumps(sorted(set(sys.modules) - before)))
"""

_FORKED = """
import os, signal, sys, threading, time, warnings
import touchdown
warnings.simplefilter("ignore")
begun = threading.Event()

class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "genai_prices.data" and not begun.is_set():
            begun.set()
            time.sleep(0.5)

sys.meta_path.insert(0, Slow())
touchdown.instrument(integrations=False, budget_usd=1)  # reads the price book in a thread
assert begun.wait(30)
child = os.fork()
if child == 0:
    signal.alarm(20)
    import genai_prices.data
    os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
os._exit(0)
"""


def _run(program: str, *arguments: str, timeout_s: float = 120) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=True,
    )
    return done.stdout


@pytest.fixture(scope="module", params=["", "with both SDKs"])
def loaded(request: pytest.FixtureRequest) -> set[str]:
    """What importing touchdown and instrumenting brings."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("TOUCHDOWN_ENGINES", "TOUCHDOWN_CONFIG", "TOUCHDOWN_RUN", "TOUCHDOWN_PARENT"):
            patch.delenv(name, raising=False)
        return set(json.loads(_run(_START, *filter(None, [request.param]))))


def test_what_is_needed_later_loads_later(loaded: set[str]) -> None:
    assert "touchdown.runtime.core" in loaded
    ours = [name.split(".") for name in loaded if name.startswith("touchdown.")]
    assert [parts for parts in ours if parts[1] in LATER] == []
    for room, allowed in NOW.items():
        inside = f"touchdown.{room}."
        found = {name.removeprefix(inside) for name in loaded if name.startswith(inside)}
        assert {name for name in found if "." not in name} - {"foreign"} <= allowed


def test_it_stays_small(loaded: set[str]) -> None:
    ours = {name for name in loaded if name.partition(".")[0] == "touchdown"}
    assert len(ours) <= MOST_MODULES
    assert not NOT_OURS & {name.partition(".")[0] for name in loaded}


def test_a_fork_waits_for_what_is_being_loaded() -> None:
    """Else the child would wait for ever for a lock of the interpreter that nobody gives back."""
    assert _run(_FORKED).strip() == "7"


def test_the_places_named_here_exist() -> None:
    root = Path(__file__).parents[2] / "touchdown"
    for room, names in NOW.items():
        folder = root.joinpath(*room.split("."))
        assert [name for name in names if not (folder / f"{name}.py").exists()] == []
