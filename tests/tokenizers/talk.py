"""Sessions of an agent that reads code, JSON and terminal output, and what a tokenizer makes of them."""

import json
import random
import subprocess
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tests.shared_data import REPOSITORY, shared_data
from tests.tokenizers.counting import Count

TOOLS = {"read_file": "code", "fetch": "JSON", "shell": "terminal"}
"""Each tool and what its output is made of."""

MESSAGE_TOKENS = 4
"""Around each message: where it starts, whose it is, where its text starts, where it ends."""
PRIMING_TOKENS = 3
"""At the end of a request: where the answer starts, whose it will be. Its end is part of the answer."""
REQUEST_TOKENS = 12
"""Around each tool request of an answer."""


@cache
def material() -> Mapping[str, Sequence[str]]:
    """Texts by kind: real sources, real recordings, real commands, and what a model said between them."""
    stdlib = Path(sysconfig.get_paths()["stdlib"])
    sources = [path.read_text("utf-8", "replace") for path in sorted(stdlib.glob("*.py"))]
    recordings = sorted(shared_data("recordings").glob("*.json"))
    turns = [
        json.loads(line)
        for path in sorted(shared_data("agent-text").glob("*.jsonl"))
        for line in path.read_text("utf-8").splitlines()
    ]
    commands = (
        ["ls", "-lR", str(stdlib / "email"), str(stdlib / "json"), str(stdlib / "asyncio")],
        ["git", "log", "--stat", "-n", "60"],
        ["grep", "-rn", "import", "touchdown/accounting", "touchdown/records"],
        ["df", "-h"],
    )
    printed = [
        subprocess.run(c, capture_output=True, text=True, cwd=REPOSITORY).stdout for c in commands
    ]
    return {
        "code": [text for text in sources if len(text) > 2_000],
        "JSON": [path.read_text("utf-8") for path in recordings],
        "terminal": [text for text in [*printed, *(t["input"] for t in turns)] if len(text) > 200],
        "prose": [turn["output"] for turn in turns if len(turn["output"]) > 200],
    }


@dataclass
class Talk:
    """A conversation in the form of Anthropic's Messages API, one request after another."""

    seed: int
    calls: int
    requests: list[dict[str, Any]] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    """What each segment of the last request is made of."""

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        tools = [self._tool(name) for name in [*TOOLS, "write_file", "search", "run_tests"]]
        messages: list[dict[str, Any]] = []
        self.kinds += ["schema"] * len(tools) + ["prose", "prose"]
        messages.append({"role": "user", "content": [_text(self._cut("prose", 600, 3_000))]})
        system = [_text(self._cut("prose", 2_000, 9_000))]
        for number in range(self.calls):
            if number:
                messages += self._turn(number)
            self.requests.append({"tools": tools, "system": system, "messages": list(messages)})

    def _turn(self, number: int) -> list[dict[str, Any]]:
        names = [self._random.choice(list(TOOLS)) for _ in range(self._random.randint(1, 3))]
        asked = [
            {
                "type": "tool_use",
                "id": f"toolu_{number}_{index}",
                "name": name,
                "input": {"path": f"src/part_{number}/{self._random.randint(1, 9999)}.py"},
            }
            for index, name in enumerate(names)
        ]
        results = [
            {
                "type": "tool_result",
                "tool_use_id": request["id"],
                "content": self._cut(TOOLS[name], 300, 9_000),
            }
            for request, name in zip(asked, names, strict=True)
        ]
        self.kinds += ["prose", *("request" for _ in names), *(TOOLS[name] for name in names)]
        said = [_text(self._cut("prose", 100, 900)), *asked]
        return [{"role": "assistant", "content": said}, {"role": "user", "content": results}]

    def _tool(self, name: str) -> dict[str, Any]:
        about = self._cut("prose", 200, 900)
        properties = {
            word: {"type": "string", "description": self._cut("prose", 30, 120)}
            for word in ("path", "pattern", "reason")
        }
        schema = {"type": "object", "properties": properties, "required": ["path"]}
        return {"name": name, "description": about, "input_schema": schema}

    def _cut(self, kind: str, least: int, most: int) -> str:
        text = self._random.choice(material()[kind])
        length = int(least * (most / least) ** self._random.random())
        start = self._random.randrange(max(len(text) - length, 1))
        return text[start : start + length]


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def true_tokens(request: Mapping[str, Any], count: Count) -> list[int]:
    """The tokens of each segment of a request, the marks of a message at its first block."""
    tokens = [count(json.dumps(tool)) + MESSAGE_TOKENS for tool in request["tools"]]
    tokens += [count(part["text"]) + MESSAGE_TOKENS for part in request["system"]]
    for message in request["messages"]:
        for index, part in enumerate(message["content"]):
            marks = 0 if index and part["type"] != "tool_result" else MESSAGE_TOKENS
            tokens.append(_count_part(part, count) + marks)
    return tokens


def _count_part(part: Mapping[str, Any], count: Count) -> int:
    if part["type"] == "tool_use":
        return count(part["name"]) + count(json.dumps(part["input"])) + REQUEST_TOKENS
    return count(part["text"] if part["type"] == "text" else part["content"])


def answer_tokens(request: Mapping[str, Any], count: Count) -> int:
    """What the answer to a request was billed, given the request that came after it."""
    said = next(m for m in reversed(request["messages"]) if m["role"] == "assistant")
    end = 1
    return sum(_count_part(part, count) for part in said["content"]) + end
