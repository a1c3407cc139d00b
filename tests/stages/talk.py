"""A conversation with a model that somebody serves, through the real SDKs."""

import json
import secrets
from typing import Any

import anthropic
import openai

import touchdown
from touchdown.engines.host import EngineHost

MODEL = "tiny"
TURNS = 5
PATIENCE_S = 600.0

Messages = list[Any]


TOOL = "run_tests"
OFFERED = {"name": TOOL, "description": "Runs the tests."}
TAKES: Any = {"type": "object", "properties": {"attempt": {"type": "integer"}}}


def begin(name: str) -> Messages:
    """A conversation whose prompt no other one shares."""
    system = f"Session {name} {secrets.token_hex(8)}. " + "You are a careful coding agent. " * 20
    return [
        {"role": "system", "content": system},
        {"role": "user", "content": "The last option of the command line is lost: mend it. " * 4},
    ]


def go_on(messages: Messages, said: str, turn: int) -> None:
    """The model's turn, in which it called a tool, and what that gave: a tiny model calls none by itself."""
    call_id = f"call_{turn}"
    called = {"name": TOOL, "arguments": json.dumps({"attempt": turn})}
    messages += [
        {
            "role": "assistant",
            "content": said,
            "tool_calls": [{"id": call_id, "type": "function", "function": called}],
        },
        {
            "role": "tool",
            "tool_call_id": call_id,
            "content": f"result {turn}: " + "line of output " * 40,
        },
    ]


def ask(client: openai.OpenAI, messages: Messages, stream: bool, tools: bool = False) -> str:
    asked: dict[str, Any] = {"model": MODEL, "messages": messages, "max_tokens": 16}
    if tools:
        asked["tools"] = [{"type": "function", "function": {**OFFERED, "parameters": TAKES}}]
    if not stream:
        return client.chat.completions.create(**asked).choices[0].message.content or ""
    chunks = client.chat.completions.create(stream=True, **asked)
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


def ask_as_claude(
    client: anthropic.Anthropic, messages: Messages, stream: bool, tools: bool = False
) -> str:
    system, *rest = messages
    asked: dict[str, Any] = {"system": system["content"], "messages": list(map(_as_claude, rest))}
    asked |= {"model": MODEL, "max_tokens": 16}
    if tools:
        asked["tools"] = [{**OFFERED, "input_schema": TAKES}]
    if not stream:
        answer = client.messages.create(**asked)
    else:
        with client.messages.stream(**asked) as events:
            answer = events.get_final_message()
    return getattr(answer.content[0], "text", "")


def _as_claude(message: Any) -> Any:
    """A message in Anthropic's form."""
    if message["role"] == "tool":
        result = {"type": "tool_result", "content": message["content"]}
        result["tool_use_id"] = message["tool_call_id"]
        return {"role": "user", "content": [result]}
    parts = [{"type": "text", "text": message["content"]}] if message["content"] else []
    for call in message.get("tool_calls", []):
        called = call["function"]
        given = {"name": called["name"], "input": json.loads(called["arguments"])}
        parts.append({"type": "tool_use", "id": call["id"], **given})
    return {"role": message["role"], "content": parts}


def converse(host: EngineHost, name: str, *, turns: int = TURNS, as_claude: int = TURNS) -> None:
    """So many turns through the openai SDK, then through the anthropic one; every other is a stream."""
    messages = begin(name)
    with (
        openai.OpenAI(base_url=f"{host.url}/v1", api_key="none", timeout=PATIENCE_S) as client,
        anthropic.Anthropic(base_url=host.url, api_key="none", timeout=PATIENCE_S) as claude,
        touchdown.task("mend the option"),
    ):
        for turn in range(turns):
            go_on(messages, ask(client, messages, turn % 2 == 1, tools=True), turn)
        for turn in range(turns, turns + as_claude):
            go_on(messages, ask_as_claude(claude, messages, turn % 2 == 1, tools=True), turn)
