"""From files to sources: recognised whatever their first lines and their names are."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.sessions import claude_lines as claude
from tests.sessions.claude_lines import SESSION, answer, prompt, usage
from tests.sessions.test_pool import gather
from touchdown.sessions.source import HEAD_BYTES, LONG_HEAD_BYTES

LONG = "x" * (HEAD_BYTES + 1)
SNAPSHOT = {"type": "file-history-snapshot", "messageId": "m", "snapshot": {"a": LONG}}
SUMMARY = {"type": "summary", "summary": "what was done " * 10, "leafUuid": "l"}


def own_order(line: dict[str, Any]) -> dict[str, Any]:
    """A line as builds from 2.1.150 on write it: the session's id behind the message."""
    return {key: line[key] for key in sorted(line, key=lambda key: key == "sessionId")}


def spoken(said: str = "go") -> list[dict[str, Any]]:
    used = usage(1000, 0, 0, 100)
    return [prompt("u", None, 0, said), answer("a", "u", 5, "m1", used, stop="end_turn")]


@pytest.mark.parametrize(
    "before", [[SNAPSHOT], [SUMMARY] * 600, []], ids=["snapshot", "summaries", "prompt"]
)
def test_a_transcript_is_recognised_behind_a_long_beginning(
    tmp_path: Path, before: list[dict[str, Any]]
) -> None:
    lines = [*before, *map(own_order, spoken("go" if before else LONG))]
    claude.write(tmp_path / "any.name", *lines)
    assert [account.model_calls for account in gather(tmp_path).accounts] == [1]


@pytest.mark.parametrize("chars", [len(LONG), LONG_HEAD_BYTES + 1])
def test_a_long_first_line_keeps_its_sub_agents(tmp_path: Path, chars: int) -> None:
    lines = spoken("x" * chars)
    if chars > LONG_HEAD_BYTES:
        assert json.dumps(lines[0]).index('"sessionId"') < HEAD_BYTES
    side: dict[str, Any] = {"isSidechain": True, "agentId": "sub"}
    used = usage(500, 0, 0, 50)
    agent = [
        prompt("v", None, 6, "x" * chars, **side),
        answer("b", "v", 9, "m2", used, stop="end_turn", **side),
    ]
    claude.write(tmp_path / f"{SESSION}.jsonl", *lines)
    claude.write(tmp_path / SESSION / "subagents" / "agent-sub.jsonl", *agent)
    (account,) = gather(tmp_path).accounts
    assert (account.model_calls, account.agents) == (2, 1)


def test_a_first_line_that_no_head_holds_is_recognised_by_how_it_begins(tmp_path: Path) -> None:
    claude.write(tmp_path / "a.jsonl", *map(own_order, spoken("x" * LONG_HEAD_BYTES)))
    assert [account.model_calls for account in gather(tmp_path).accounts] == [1]
