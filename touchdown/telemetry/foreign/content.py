"""What a model read and answered, where a span carries it: blocks to digest, and sizes."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from touchdown.clients.anthropic.reader import MESSAGES
from touchdown.clients.openai.reader import CHAT, EMBEDDINGS, RESPONSES
from touchdown.context.blocks import Block, RequestView, count_chars
from touchdown.records import AnswerView, Output, ToolRequest
from touchdown.records.context import SegmentKind
from touchdown.runtime.reading import CallReader
from touchdown.telemetry.foreign.values import Values, decoded

NO_CONTENT = "the span carries no content"

_ROLES: Mapping[str, SegmentKind] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "model": "assistant",
    "tool": "tool_result",
    "function": "tool_result",
}
_PARTS: Mapping[str, SegmentKind] = {
    "reasoning": "thinking",
    "thinking": "thinking",
    "tool_call": "tool_use",
    "tool_use": "tool_use",
    "server_tool_call": "tool_use",
    "tool_call_response": "tool_result",
    "tool_result": "tool_result",
    "server_tool_call_response": "tool_result",
    "compaction": "summary",
    "blob": "media",
    "uri": "media",
    "file": "media",
    "image": "media",
    "audio": "media",
    "document": "media",
}


def read_request(values: Values, vendor: str, operation: str) -> RequestView:
    """The context of a model span; opaque where the span does not carry it."""
    body = values.json("request_json")
    reader = _reader(body, vendor, operation)
    if reader is not None:
        return reader.read_request(body)
    blocks = [*_tools(values), *_system(values), *_messages(values)]
    return RequestView(blocks, opaque=None if blocks else NO_CONTENT)


def read_answer(values: Values, vendor: str, operation: str) -> AnswerView | None:
    """The provider's own answer, where the span carries it; else the sizes of what it says of it."""
    body, request = values.json("answer_json"), values.json("request_json")
    reader = _reader(request, vendor, operation)
    if reader is not None and isinstance(body, dict) and ("usage" in body or "id" in body):
        return reader.read_answer(body)
    messages = values.json("answer")
    if not isinstance(messages, list):
        messages = [_unflat(item) for item in values.flat("flat_answer")]
    return AnswerView(output=_output(messages)) if messages else None


def _reader(body: Any, vendor: str, operation: str) -> CallReader | None:
    """Who reads the provider's own request and answer, if that is what the span carries."""
    if not isinstance(body, dict):
        return None
    if operation == "embeddings":
        return EMBEDDINGS if vendor == "openai" and "input" in body else None
    if vendor == "anthropic":
        return MESSAGES if "messages" in body else None
    if "messages" in body:
        return CHAT
    return RESPONSES if vendor == "openai" and "input" in body else None


def _tools(values: Values) -> Iterator[Block]:
    given = values.json("tools")
    if not isinstance(given, list):
        flat = (item.get("tool", item) for item in values.flat("flat_tools"))
        given = [decoded(t.get("json_schema", t)) if isinstance(t, dict) else t for t in flat]
    for tool in given:
        inner = tool.get("function", tool) if isinstance(tool, dict) else {}
        name = inner.get("name") if isinstance(inner, dict) else None
        yield Block("tools", tool, tool_name=name if isinstance(name, str) else None)


def _system(values: Values) -> Iterator[Block]:
    given = values.json("system")
    for part in given if isinstance(given, list) else [given]:
        if part:
            yield Block("system", _content(part), "system")


def _messages(values: Values) -> Iterator[Block]:
    given = values.json("messages")
    if not isinstance(given, list):
        given = [_unflat(item) for item in values.flat("flat_messages")]
    names: dict[str, str] = {}
    for message in given:
        if isinstance(message, dict):
            yield from _message(message, names)


def _message(message: dict[str, Any], names: dict[str, str]) -> Iterator[Block]:
    role = str(message.get("role") or "")
    plain = _ROLES.get(role, "other")
    for part in _parts(message):
        if not isinstance(part, dict):
            yield Block(plain, part, role)
            continue
        kind = _PARTS.get(str(part.get("type")), plain)
        call_id = part.get("id") or part.get("tool_call_id") or message.get("tool_call_id")
        call_id = str(call_id) if call_id and kind in ("tool_use", "tool_result") else None
        block = Block(kind, _content(part), role, call_id)
        if kind == "tool_use":
            block.tool_name = names[call_id or ""] = str(part.get("name") or "")
        elif kind == "tool_result":
            block.tool_name = names.get(call_id or "")
            block.result_text = part.get("response", part.get("result", part.get("content")))
        yield block


def _parts(message: dict[str, Any]) -> list[Any]:
    parts = message.get("parts")
    if isinstance(parts, list):
        return parts
    content = decoded(message.get("content"))
    told = content if isinstance(content, list) else [] if content is None else [content]
    if str(message.get("role")) in ("tool", "function"):
        told = [{"type": "tool_result", "content": message.get("content")}]
    calls = message.get("tool_calls")
    return [*told, *({"type": "tool_use", **_call(c)} for c in calls or () if isinstance(c, dict))]


def _call(call: dict[str, Any]) -> dict[str, Any]:
    inner = call.get("tool_call", call)
    inner = inner if isinstance(inner, dict) else {}
    function = inner.get("function")
    function = function if isinstance(function, dict) else inner
    return {
        "id": inner.get("id"),
        "name": function.get("name"),
        "arguments": function.get("arguments"),
    }


def _unflat(item: dict[str, Any]) -> dict[str, Any]:
    """A message of flat attributes; OpenInference writes a ``message`` around it and around its parts."""
    message = item.get("message", item)
    if not isinstance(message, dict):
        return {}
    contents = message.get("contents")
    if isinstance(contents, list) and message.get("content") is None:
        parts = [c.get("message_content") for c in contents if isinstance(c, dict)]
        texts = [p for p in parts if isinstance(p, dict) and p.get("type") != "tool_use"]
        message = {**message, "content": texts}
    return message


def _content(part: Any) -> Any:
    """What of a part the model reads: its text alone where that is all there is to it."""
    if isinstance(part, dict) and part.get("type") in ("text", None):
        content = part.get("content", part.get("text"))
        return content if isinstance(content, str) else part
    return part


def _output(messages: list[Any]) -> Output:
    text = reasoning = 0
    requests: list[ToolRequest] = []
    for message in messages:
        for part in _parts(message) if isinstance(message, dict) else ():
            kind = _PARTS.get(str(part.get("type"))) if isinstance(part, dict) else None
            if kind == "tool_use":
                name, arguments = str(part.get("name") or ""), part.get("arguments")
                size = len(arguments) if isinstance(arguments, str) else len(json.dumps(arguments))
                requests.append(ToolRequest(str(part.get("id") or ""), name, size))
            elif kind == "thinking":
                reasoning += count_chars(_plain(part))
            else:
                text += count_chars(_plain(part))
    return Output(text, reasoning, tuple(requests))


def _plain(part: Any) -> Any:
    return part.get("content", part.get("text", "")) if isinstance(part, dict) else part
