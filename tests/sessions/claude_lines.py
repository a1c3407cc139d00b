"""Lines of Claude Code transcripts as tests write them, in the real record shapes."""

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

START = datetime(2026, 6, 1, 5, 40, tzinfo=timezone.utc)
SESSION = "2f8b1c4d-0000-4000-8000-000000000001"


def at(seconds: float) -> str:
    """A time as transcripts write it."""
    return (START + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")[:-6] + "Z"


def line(kind: str, uuid: str, parent: str | None, seconds: float, **more: Any) -> dict[str, Any]:
    """What every line in the tree has."""
    return {
        "parentUuid": parent,
        "isSidechain": False,
        "type": kind,
        "uuid": uuid,
        "timestamp": at(seconds),
        "userType": "external",
        "cwd": "/workspace/project",
        "sessionId": SESSION,
        "version": "2.1.157",
        "gitBranch": "HEAD",
        **more,
    }


def prompt(uuid: str, parent: str | None, seconds: float, said: str, **more: Any) -> dict[str, Any]:
    """Something a user typed."""
    return line("user", uuid, parent, seconds, message={"role": "user", "content": said}, **more)


def usage(uncached: int, written: int, read: int, output: int, life: str = "5m") -> dict[str, Any]:
    """Usage as the API reports it."""
    lives = {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0}
    lives[f"ephemeral_{life}_input_tokens"] = written
    return {
        "input_tokens": uncached,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "output_tokens": output,
        "service_tier": "standard",
        "speed": "standard",
        "inference_geo": "not_available",
        "cache_creation": lives,
    }


def text(said: str) -> dict[str, Any]:
    """A block of text."""
    return {"type": "text", "text": said}


def tool_use(call: str, name: str, **arguments: Any) -> dict[str, Any]:
    """A block that asks for a tool."""
    return {"type": "tool_use", "id": call, "name": name, "input": arguments}


def answer(
    uuid: str,
    parent: str | None,
    seconds: float,
    message: str,
    used: dict[str, Any] | None,
    *blocks: dict[str, Any],
    model: str = "claude-opus-4-8",
    stop: str | None = "tool_use",
    **more: Any,
) -> dict[str, Any]:
    """One line of an answer."""
    said = {
        "model": model,
        "id": message,
        "type": "message",
        "role": "assistant",
        "content": list(blocks) or [text("done")],
        "stop_reason": stop,
        "usage": used,
    }
    return line(
        "assistant", uuid, parent, seconds, message=said, requestId=f"req_{message}", **more
    )


def result(
    uuid: str, parent: str, seconds: float, call: str, said: str, failed: bool = False, **more: Any
) -> dict[str, Any]:
    """A tool's result."""
    block = {"tool_use_id": call, "type": "tool_result", "content": said, "is_error": failed}
    return line("user", uuid, parent, seconds, message={"role": "user", "content": [block]}, **more)


def write(path: Path, *lines: dict[str, Any]) -> Path:
    """A transcript of these lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(one) + "\n" for one in lines))
    return path
