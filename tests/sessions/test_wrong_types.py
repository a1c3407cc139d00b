"""Fields of another type or size than they have: taken as missing, and the rest of the file is read."""

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

from tests.sessions import claude_lines as claude
from tests.sessions.claude_lines import answer, prompt, result, tool_use, usage
from tests.sessions.test_atif import STEPS, trajectory
from tests.sessions.test_claude_stream import RUN, ended
from tests.sessions.test_gemini import HEADER, MESSAGES
from tests.sessions.test_otlp import theirs
from tests.sessions.test_pool import gather
from touchdown.report.analysis import Analysis, AnalysisView

FILES = 400
HUGE = 1e308
WRONG = [
    None, True, 0, -1, -5.5, HUGE, 10**30, "", "x", "9" * 400, "0001-01-01T00:00:00Z", [], {}, [None],
    [[]], {"a": None}, "\ud800", {"type": 5},
]  # fmt: skip


def spans() -> dict[str, Any]:
    from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]

    found: dict[str, Any] = MessageToDict(encode_spans(theirs()))
    return found


def codex() -> list[Any]:
    used = {"input_tokens": 100, "cached_input_tokens": 10, "output_tokens": 5}
    told = {"total_token_usage": used, "last_token_usage": used}
    message = {"type": "message", "role": "assistant", "content": [{"text": "hi"}]}
    kinds = {
        "session_meta": {"id": "t1", "cwd": "/w"},
        "turn_context": {"model": "gpt-5.4"},
        "response_item": message,
        "event_msg": {"type": "token_count", "info": told},
    }
    return [
        {"timestamp": claude.at(i), "type": kind, "payload": payload}
        for i, (kind, payload) in enumerate(kinds.items())
    ]


def transcript() -> list[Any]:
    asked = tool_use("t1", "Bash", command="ls")
    failed = {"subtype": "api_error", "error": {"status": 529}, "retryInMs": 500}
    return [
        prompt("u1", None, 0, "go"),
        claude.line("system", "e1", "u1", 1, **failed),
        answer("a1", "e1", 2, "m1", usage(1000, 10, 0, 9), asked, costUSD=0.25),
        result("r1", "a1", 3, "t1", "out", toolUseResult={"durationMs": 7}),
        answer("a2", "r1", 4, "m2", usage(20, 10, 1000, 9), stop="end_turn"),
    ]


ROW = {"timestamp": 1000, "input_length": 1000, "output_length": 9, "hash_ids": [0, 1]}
REQUEST = {
    "t": 1.0,
    "type": "n",
    "model": "claude-opus-4-8",
    "in": 128,
    "out": 9,
    "hash_ids": [1, 2],
}
SIDE = {"t": 9, "type": "subagent", "duration_ms": 10, "requests": [REQUEST]}
SEEDS: dict[str, Any] = {
    "claude": transcript(),
    "stream": [*RUN, ended(0.02, 2000)],
    "codex": codex(),
    "gemini": [HEADER, *MESSAGES],
    "atif": trajectory(*STEPS),
    "otlp": spans(),
    "mooncake": [ROW, ROW],
    "weka": {"id": "w", "block_size": 64, "requests": [REQUEST, SIDE]},
}


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, below in inner if isinstance(value, (dict, list)) else ():
        yield value, key
        if isinstance(below, (dict, list)):
            yield from places(below)


def write(path: Path, seed: Any) -> None:
    lines = seed if isinstance(seed, list) else [seed]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.mark.parametrize("kind", SEEDS)
def test_a_wrong_field_never_takes_its_file_away(tmp_path: Path, kind: str) -> None:
    chosen = random.Random(kind)
    for number in range(FILES // len(SEEDS)):
        seed = copy.deepcopy(SEEDS[kind])
        for where, key in chosen.choices(list(places(seed)), k=chosen.choice([1, 1, 2, 5])):
            where[key] = chosen.choice(WRONG)
        write(tmp_path / f"{number}", seed)
    gathered = gather(tmp_path)
    assert not [problem for problem in gathered.problems if "cannot be analysed" in problem.what]
    assert str(AnalysisView(Analysis(accounts=gathered.accounts)))


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("claude", "durationMs"),
        ("claude", "retryInMs"),
        ("mooncake", "timestamp"),
        ("weka", "t"),
        ("weka", "duration_ms"),
        ("otlp", "endTimeUnixNano"),
    ],
)
def test_a_time_that_nobody_lives_to_see_is_none(tmp_path: Path, kind: str, name: str) -> None:
    seed = copy.deepcopy(SEEDS[kind])
    write(tmp_path / "whole", seed)
    (whole,) = gather(tmp_path / "whole").accounts
    for where, key in list(places(seed)):
        if key == name:
            where[key] = HUGE
    write(tmp_path / "wrong", seed)
    gathered = gather(tmp_path / "wrong")
    assert gathered.problems == []
    assert [a.model_calls for a in gathered.accounts] == [whole.model_calls]
    assert str(AnalysisView(Analysis(accounts=gathered.accounts)))


@pytest.mark.parametrize("name", ["spanId", "traceId"])
def test_a_span_without_an_id_is_counted(tmp_path: Path, name: str) -> None:
    seed = spans()
    call = seed["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    call[name] = ""
    call["parentSpanId"] = ""
    write(tmp_path / "a", seed)
    gathered = gather(tmp_path)
    assert gathered.problems == []
    assert sum(account.model_calls for account in gathered.accounts) == 2
