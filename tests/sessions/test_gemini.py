"""Gemini CLI's chats, in the shapes its chatRecordingService writes."""

import json
from pathlib import Path
from typing import Any

from tests.sessions.reading import read_all, read_one
from touchdown.prices.book import PriceBook

SESSION = "b7f3c2aa-0000-4000-8000-000000000001"
HEADER = {
    "sessionId": SESSION,
    "projectHash": "9f2c" * 16,
    "startTime": "2026-05-01T08:00:00.000Z",
    "lastUpdated": "2026-05-01T08:00:00.000Z",
}


def at(seconds: int) -> str:
    return f"2026-05-01T08:{seconds // 60:02}:{seconds % 60:02}.000Z"


def user(name: str, seconds: int, words: str) -> dict[str, Any]:
    return {"id": name, "timestamp": at(seconds), "type": "user", "content": [{"text": words}]}


def tokens(given: int, made: int, cached: int, thoughts: int = 0, tool: int = 0) -> dict[str, int]:
    total = given + made + thoughts + tool
    named = {"input": given, "output": made, "cached": cached, "thoughts": thoughts, "tool": tool}
    return {**named, "total": total}


def tool(name: str, call_id: str, seconds: int, result: Any, status: str = "success") -> Any:
    answer = {"id": call_id, "name": name, "response": {"output": result}}
    return {
        "id": call_id,
        "name": name,
        "args": {"path": "a.txt"},
        "result": [{"functionResponse": answer}],
        "status": status,
        "timestamp": at(seconds),
        "displayName": name,
    }


def gemini(
    name: str, seconds: int, words: str, used: Any, *tools: Any, model: str = "gemini-2.5-pro"
) -> dict[str, Any]:
    message = {"id": name, "timestamp": at(seconds), "type": "gemini", "content": words}
    thoughts = [{"subject": "Plan", "description": "read it", "timestamp": at(seconds)}]
    message |= {"thoughts": thoughts, "tokens": used, "model": model}
    return message | ({"toolCalls": list(tools)} if tools else {})


MESSAGES = [
    user("u1", 1, "what does a.txt say?"),
    gemini("g1", 5, "", tokens(8000, 20, 0, 100), tool("read_file", "c1", 7, "hello")),
    gemini("g2", 11, "It says hello.", tokens(8200, 10, 7900, 30, 5)),
]


def write(path: Path, *records: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_a_document_and_lines_come_to_the_same(tmp_path: Path) -> None:
    document = tmp_path / "session-a.json"
    document.write_text(json.dumps({**HEADER, "messages": MESSAGES}, indent=2))
    old = read_one(document)
    new = read_one(write(tmp_path / "session-a.jsonl", HEADER, *MESSAGES))
    # Thoughts and a tool's prompt stand beside the output and the input, cached tokens inside the input.
    assert old.counted == new.counted == [(8000, 0, 120, 100), (305, 7900, 40, 30)]
    assert old.account(PriceBook()).money == new.account(PriceBook()).money
    assert old.account(PriceBook()).money.complete
    assert old.kinds(1) == ["opaque", "user", "tool_use", "tool_result"]
    assert [(t.name, t.output_chars, t.read_only) for t in old.tools] == [("read_file", 5, True)]


def test_a_message_that_comes_again_replaces_its_earlier_form(tmp_path: Path) -> None:
    bare = {**MESSAGES[1], "tokens": None, "toolCalls": []}
    lines = [
        HEADER,
        MESSAGES[0],
        bare,
        {**bare, "tokens": MESSAGES[1]["tokens"]},
        MESSAGES[1],
        {"$set": {"lastUpdated": at(9)}},
        MESSAGES[2],
        {"$set": {"summary": "Reading a file"}},
    ]
    read = read_one(write(tmp_path / "a.jsonl", *lines))
    assert read.counted == [(8000, 0, 120, 100), (305, 7900, 40, 30)]
    assert read.kinds(1) == ["opaque", "user", "tool_use", "tool_result"]
    assert read.session.name == "Reading a file"
    first, second = read.calls
    assert second.sent_at_ns - first.sent_at_ns == 6 * 10**9  # the tool ended before it was sent


def test_a_step_back_costs_and_is_read_no_more(tmp_path: Path) -> None:
    more = [
        {"$rewindTo": "g2"},
        user("u2", 20, "and now?"),
        gemini("g3", 25, "Nothing.", tokens(8300, 5, 7900)),
    ]
    read = read_one(write(tmp_path / "a.jsonl", HEADER, *MESSAGES, *more))
    assert len(read.calls) == 3
    assert read.kinds(2) == ["opaque", "user", "tool_use", "tool_result", "user"]


def test_a_compressed_history_begins_with_a_summary(tmp_path: Path) -> None:
    summary = user("s1", 18, "<state_snapshot>all is well</state_snapshot>")
    answer = {"id": "s2", "timestamp": at(18), "type": "gemini", "content": [{"text": "Got it."}]}
    more = [
        {"$set": {"messages": [summary, answer], "lastUpdated": at(18)}},
        user("u2", 20, "go on"),
        gemini("g3", 25, "Done.", tokens(900, 5, 0)),
    ]
    read = read_one(write(tmp_path / "a.jsonl", HEADER, *MESSAGES, *more))
    assert [call.id for call in read.calls] == ["g1", "g2", "g3"]
    assert read.kinds(2) == ["opaque", "summary", "assistant", "user"]


def test_a_sub_agent_s_chat_lies_in_its_parent_s_folder(tmp_path: Path) -> None:
    asked = tool("codebase_investigator", "c1", 9, "found") | {"agentId": "sub-1"}
    main = [MESSAGES[0], gemini("g1", 5, "", tokens(8000, 20, 0), asked), MESSAGES[2]]
    write(tmp_path / "chats/session-a.jsonl", HEADER, *main)
    header = {**HEADER, "sessionId": "sub-1", "kind": "subagent"}
    own = [user("u9", 6, "investigate"), gemini("g9", 8, "found", tokens(500, 7, 0))]
    write(tmp_path / f"chats/{SESSION}/sub-1.jsonl", header, *own)
    read = read_one(tmp_path)
    assert len(read.calls) == 3
    (run,) = read.agents
    assert (run.id, run.parent_id, run.name) == ("sub-1", SESSION, "codebase_investigator")
    assert len([task for task in read.tasks if task.parent_id]) == 1


def test_failures_unknown_usage_and_what_only_the_user_sees(tmp_path: Path) -> None:
    lines = [
        HEADER,
        MESSAGES[0],
        gemini("g1", 5, "", tokens(10, 1, 0), tool("edit", "c1", 6, "no such file", "error")),
        {"id": "i1", "timestamp": at(8), "type": "error", "content": "quota exceeded"},
        gemini("g2", 9, "lost", None),
    ]
    read = read_one(write(tmp_path / "a.jsonl", *lines))
    assert [(t.failed, t.failure) for t in read.tools] == [(True, "protocol")]
    assert [part.failed for part in read.context(1)][-1]
    assert read.calls[1].usage.completeness == "none"
    assert not read.account(PriceBook()).money.complete


def test_a_model_that_the_book_does_not_list_stays_unpriced(tmp_path: Path) -> None:
    lines = [
        HEADER,
        MESSAGES[0],
        gemini("g1", 5, "x", tokens(10, 1, 0), model="gemini-99-imagined"),
    ]
    account = read_one(write(tmp_path / "a.jsonl", *lines)).account(PriceBook())
    assert (account.money.total_usd, account.money.complete) == (0, False)


def test_a_document_that_is_cut_short_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "session-a.json"
    path.write_text(json.dumps({**HEADER, "messages": MESSAGES}, indent=2)[:-40])
    _, told = read_all(path)
    assert len(told) == 2
    assert told[0].startswith(f"{path}: not JSON in UTF-8")
