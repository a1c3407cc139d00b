"""From files to sources: recognised whatever their first lines and their names are."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.sessions import claude_lines as claude
from tests.sessions.claude_lines import SESSION, answer, prompt, usage
from tests.sessions.test_atif import STEPS, trajectory
from tests.sessions.test_atif import write as write_document
from tests.sessions.test_gemini import HEADER, MESSAGES
from tests.sessions.test_pool import gather
from tests.shared_data import shared_data
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


def test_every_kind_of_file_is_read_compressed(tmp_path: Path) -> None:
    plain, packed = tmp_path / "plain", tmp_path / "packed"
    claude.write(plain / f"{SESSION}.jsonl", *spoken())
    write_document(plain / "chat.json", {**HEADER, "messages": MESSAGES})
    write_document(plain / "atif.json", trajectory(*STEPS))
    packed.mkdir()
    for file in plain.iterdir():
        (packed / f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
    read, compressed = gather(plain), gather(packed)
    assert len(read.accounts) == 3
    assert compressed.problems == []
    assert [a.money for a in compressed.accounts] == [a.money for a in read.accounts]
    assert [a.task.id for a in compressed.accounts] == [a.task.id for a in read.accounts]


@pytest.mark.parametrize(
    "name",
    [
        "transcripts/claude-code-session.jsonl",
        "transcripts/codex-rollout.jsonl",
        "weka/trace_0291.json",
    ],
)
def test_real_sessions_are_read_compressed(tmp_path: Path, name: str) -> None:
    file = shared_data(name)
    packed = tmp_path / f"{file.name}.gz"
    packed.write_bytes(gzip.compress(file.read_bytes()))
    (account,), (same,) = gather(packed).accounts, gather(file).accounts
    assert (account.model_calls, account.money) == (same.model_calls, same.money)


@pytest.mark.parametrize("kept", [3, 60, -4])
def test_a_compressed_file_that_is_cut_short_is_one_clear_line(tmp_path: Path, kept: int) -> None:
    lines = "".join(json.dumps(line) + "\n" for line in [SUMMARY, *spoken()] * 40)
    file = tmp_path / "a.jsonl.gz"
    file.write_bytes(gzip.compress(lines.encode())[:kept])
    problems = [str(problem) for problem in gather(tmp_path).problems]
    assert len([said for said in problems if "cut short" in said or "no session" in said]) == 1
    assert not any("permissions" in said for said in problems)


def test_what_cannot_be_read_as_it_is_is_named_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl.zst").write_bytes(b"\x28\xb5\x2f\xfd....")
    (tmp_path / "b.jsonl").write_text('{"type": "summary"}', encoding="utf-16")
    (tmp_path / "c.json").write_text("{}")
    (tmp_path / "d.json").write_text("{}")
    assert [str(problem) for problem in gather(tmp_path).problems] == [
        f"{tmp_path}/a.jsonl.zst: is compressed with zstd; unpack it first; only gzip is read as it is",
        f"{tmp_path}/b.jsonl: is text in UTF-16, not UTF-8; convert it with iconv",
        f"{tmp_path}: 2 JSON files in it are no sessions that can be read, the first: c.json",
    ]
