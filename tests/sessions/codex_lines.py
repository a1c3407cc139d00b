"""Lines of Codex rollouts as tests write them, in the real record shapes."""

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

START = datetime(2026, 3, 1, 9, 0, tzinfo=timezone.utc)
THREAD = "01a7c9e4-0000-7000-8000-000000000001"

Line = dict[str, Any]


def line(kind: str, seconds: float, **payload: Any) -> Line:
    """What every line has."""
    at = (START + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")[:-6] + "Z"
    return {"timestamp": at, "type": kind, "payload": payload}


def meta(seconds: float = 0, thread: str = THREAD, **more: Any) -> Line:
    """The first line of a thread."""
    known = {"cwd": "/workspace/project", "originator": "codex_cli_rs", "cli_version": "0.114.0"}
    return line(
        "session_meta",
        seconds,
        **{"id": thread, **known, "source": "cli", "model_provider": "openai", **more},
    )


def sub_agent(parent: str, **more: Any) -> Line:
    """The source of a thread that another began."""
    return {"subagent": {"thread_spawn": {"parent_thread_id": parent, "depth": 1, **more}}}


def turn(seconds: float, model: str = "gpt-5.4") -> Line:
    """The settings of a turn."""
    return line("turn_context", seconds, cwd="/workspace/project", model=model)


def prompt(seconds: float, said: str) -> list[Line]:
    """Something a user typed: once for the model, once for the screen."""
    content = [{"type": "input_text", "text": said}]
    return [
        line("response_item", seconds, type="message", role="user", content=content),
        line("event_msg", seconds, type="user_message", message=said, images=[]),
    ]


def reasoning(seconds: float, seal: str = "gAAAA") -> Line:
    """Reasoning, sealed."""
    return line(
        "response_item", seconds, type="reasoning", summary=[], content=None, encrypted_content=seal
    )


def said(seconds: float, words: str) -> Line:
    """What the model says."""
    content = [{"type": "output_text", "text": words}]
    return line("response_item", seconds, type="message", role="assistant", content=content)


def call(seconds: float, call_id: str, command: str, name: str = "exec_command") -> Line:
    """What the model asks for."""
    arguments = json.dumps({"cmd": command})
    return line(
        "response_item",
        seconds,
        type="function_call",
        name=name,
        arguments=arguments,
        call_id=call_id,
    )


def output(seconds: float, call_id: str, words: object) -> Line:
    """What a tool gave back."""
    return line(
        "response_item", seconds, type="function_call_output", call_id=call_id, output=words
    )


def usage(given: int, cached: int, made: int, thought: int = 0) -> dict[str, int]:
    """Counts as Codex writes them."""
    return {
        "input_tokens": given,
        "cached_input_tokens": cached,
        "output_tokens": made,
        "reasoning_output_tokens": thought,
        "total_tokens": given + made,
    }


def count(seconds: float, total: dict[str, int] | None, last: dict[str, int] | None = None) -> Line:
    """A ``token_count`` event."""
    info = {
        "total_token_usage": total,
        "last_token_usage": last,
        "model_context_window": 258400,
    }
    return line("event_msg", seconds, type="token_count", info=info, rate_limits=None)


def write(path: Path, *lines: Line | list[Line]) -> Path:
    """A rollout of these lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    flat = [one for some in lines for one in (some if isinstance(some, list) else [some])]
    path.write_text("".join(json.dumps(one) + "\n" for one in flat))
    return path
