"""`touchdown run` on mini-swe-agent, an agent nobody here wrote, unchanged and in its own environment.

It asks openai 2.x through litellm. Only what the model decides is scripted, by the loopback provider; the
commands are run by the agent, and really mend a file.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.sessions.reading import read_one
from touchdown.accounting.ledger import refold
from touchdown.live.journal import read_journal
from touchdown.prices.book import PriceBook
from touchdown.records import ModelCall, TaskRecord, ToolCall
from touchdown.testing import Provider, Reply, ToolUse

pytestmark = pytest.mark.stage_mini_swe_agent

SUBMIT = "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"
MEND = "sed -i 's/a - b/a + b/' adder.py"
COMMANDS = (
    "cat adder.py",
    f"{sys.executable} check.py",
    MEND,
    f"{sys.executable} check.py",
    SUBMIT,
)
ADDER = "def add(a, b):\n    return a - b\n"
CHECK = """\
from adder import add
print("checking " * 400)
assert add(2, 3) == 5, add(2, 3)
"""


@dataclass(frozen=True)
class Run:
    """What came of one run of the agent."""

    folder: Path
    ended: "subprocess.CompletedProcess[str]"
    requests: list[Any]

    @property
    def report(self) -> Any:
        return json.loads((self.folder / "report.json").read_text())

    @property
    def trajectory(self) -> Any:
        """What the agent itself wrote down: its messages, with the provider's answers as it got them."""
        return json.loads((self.folder / "trajectory.json").read_text())

    @property
    def answers(self) -> list[Any]:
        messages = self.trajectory["messages"]
        return [m["extra"]["response"] for m in messages if m["role"] == "assistant"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("mini")
    (folder / "adder.py").write_text(ADDER)
    (folder / "check.py").write_text(CHECK)
    python = Path(os.environ["MINI_SWE_PYTHON"])
    script = [
        Reply(f"Step {n}.", [ToolUse("bash", {"command": c})]) for n, c in enumerate(COMMANDS)
    ]
    arguments = ["--yolo", "--exit-immediately", "--model", "openai/gpt-5", "--cost-limit", "0"]
    with Provider(script) as provider:
        ended = subprocess.run(
            [
                *(python, "-m", "touchdown", "run"),
                *("--journal", "journal.jsonl", "--json", "report.json", "--"),
                *(python.with_name("mini"), *arguments),
                *("--task", "add() subtracts. Mend it.", "--output", "trajectory.json"),
            ],
            cwd=folder,
            env={**_environment(folder), **provider.env()},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return Run(folder, ended, provider.requests)


def _environment(folder: Path) -> dict[str, str]:
    ours = ("OTEL_", "TOUCHDOWN_", "OPENAI_", "ANTHROPIC_", "MSWEA_", "PYTHON")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {
        **kept,
        "MSWEA_CONFIGURED": "true",
        "MSWEA_GLOBAL_CONFIG_DIR": str(folder / "config"),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it asks the network for prices
        "MSWEA_MODEL_RETRY_STOP_AFTER_ATTEMPT": "1",
    }


def test_the_agent_does_its_work_as_without_us(run: Run) -> None:
    assert run.ended.returncode == 0, run.ended.stderr
    assert run.trajectory["info"]["exit_status"] == "Submitted"
    assert (run.folder / "adder.py").read_text() == ADDER.replace("-", "+")
    assert "boundary tax" not in run.ended.stdout


def test_one_task_with_every_call_once(run: Run) -> None:
    records = list(read_journal(run.folder / "journal.jsonl"))
    calls = {record.id: record for record in records if isinstance(record, ModelCall)}
    assert len(run.requests) == len(run.answers) == len(calls) == len(COMMANDS)
    assert {call.response_id for call in calls.values()} == {a["id"] for a in run.answers}
    assert {call.task_id for call in calls.values()} == {run.report["tasks"][0]["id"]}
    assert {r.name for r in records if isinstance(r, TaskRecord)} == {"mini"}
    assert [task["model_calls"] for task in run.report["tasks"]] == [len(COMMANDS)]


def test_usage_is_what_the_provider_reported(run: Run) -> None:
    usage = run.report["tasks"][0]["usage"]
    given = [answer["usage"] for answer in run.answers]
    read = sum(each["prompt_tokens_details"]["cached_tokens"] or 0 for each in given)
    assert usage["cache_read"] == read > 0
    assert usage["uncached_input"] == sum(each["prompt_tokens"] for each in given) - read
    assert usage["output"] == sum(each["completion_tokens"] for each in given)


def test_tool_results_are_measured_from_the_context(run: Run) -> None:
    records = list(read_journal(run.folder / "journal.jsonl"))
    assert not [record for record in records if isinstance(record, ToolCall)]
    tools = run.report["tasks"][0]["tools"]
    results = [m["content"] for m in run.trajectory["messages"] if m["role"] == "tool"]
    # The result of the submission is sent to nobody any more.
    sent = results[: len(COMMANDS) - 1]
    assert [(tool["name"], tool["calls"]) for tool in tools] == [("bash", len(sent))]
    assert tools[0]["output_chars"] == sum(map(len, sent)) > 2000
    assert Decimal(tools[0]["first_read_usd"]) > 0


def test_the_bill_is_priced_and_adds_up(run: Run) -> None:
    money = run.report["tasks"][0]["money"]
    taxes = sum((Decimal(usd) for usd in money["taxes"].values()), Decimal(0))
    parts = Decimal(money["work_usd"]) + taxes + Decimal(money["unexplained_usd"])
    assert parts == Decimal(money["total_usd"]) > 0
    # The loopback host is nobody's list price: assumed, and said so.
    assert (money["complete"], money["unpriced_calls"]) == (True, 0)
    assert money["basis"]["work"] == "estimated"
    again = refold(read_journal(run.folder / "journal.jsonl"), PriceBook()).account()
    assert again.money.total_usd == Decimal(money["total_usd"])


def test_the_agent_s_own_trajectory_reads_as_what_was_seen_live(run: Run) -> None:
    read = read_one(run.folder / "trajectory.json")
    live = [r for r in read_journal(run.folder / "journal.jsonl") if isinstance(r, ModelCall)]
    seen = {call.response_id: call.usage for call in live}
    assert {call.response_id: call.usage for call in read.calls} == seen
    assert (
        read.account(PriceBook()).money.total_usd
        == refold(live, PriceBook()).account().money.total_usd
    )
    assert read.session.reported is not None
    tools = [(tool.name, tool.failed) for tool in read.tools]
    assert tools == [("bash", False)] * len(COMMANDS)


def test_one_receipt_on_standard_error(run: Run) -> None:
    told = run.ended.stderr
    assert told.count("boundary tax") == 1
    assert "mini " in told
    assert f"{len(COMMANDS)} model calls" in told
    assert "openai gpt-5" in told
    assert "not everything was seen" not in told
