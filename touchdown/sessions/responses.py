"""Items of OpenAI's Responses API as sessions keep them: what a model answered and what it read.

Source: openai/codex ``codex-rs/protocol/src/models.rs`` (``ResponseItem``), 2026-08; openai 3.57
``types/responses/response_input_item.py``.
"""

import re
from collections.abc import Iterator, Mapping

import msgspec

from touchdown.clients.fields import get, items, text
from touchdown.records import Segment
from touchdown.sessions import segments
from touchdown.sessions.history import digest
from touchdown.sessions.times import SECOND_NS, as_ns

ANSWERS = frozenset(
    {
        "reasoning",
        "function_call",
        "custom_tool_call",
        "local_shell_call",
        "web_search_call",
        "tool_search_call",
        "image_generation_call",
    }
)
"""Items that the model made; a message is one where its role is ``assistant``."""

REQUESTS = frozenset({"function_call", "custom_tool_call", "local_shell_call", "tool_search_call"})
RESULTS = frozenset({"function_call_output", "custom_tool_call_output", "tool_search_output"})
SUMMARIES = frozenset({"compaction", "compaction_summary", "context_compaction"})

_WALL_TIME = re.compile(r"^Wall time: ([0-9.]+) seconds", re.M)
_HEADER_CHARS = 300


def is_answer(item: Mapping[str, object]) -> bool:
    """Whether the model made this item."""
    kind = text(item, "type")
    return kind in ANSWERS or (kind == "message" and text(item, "role") == "assistant")


def segments_of(item: Mapping[str, object], names: Mapping[str, str]) -> Iterator[Segment]:
    """An item as the model reads it. ``names`` holds the tools of calls by id."""
    kind, call_id = text(item, "type"), text(item, "call_id")
    if kind == "message":
        yield from segments.message(item.get("content"), text(item, "role"))
    elif kind == "reasoning":
        size, content = reasoning_chars(item), item.get("encrypted_content")
        thought = digest("thinking", segments.as_json([content, item.get("summary")]))
        yield Segment("thinking", size, thought, "assistant")
    elif kind in REQUESTS:
        yield segments.asked(call_id, tool_of(item), arguments_of(item))
    elif kind in RESULTS:
        yield segments.returned(call_id, names.get(call_id, ""), output_of(item), failed(item))
    elif kind in SUMMARIES:
        yield segments.said("summary", text(item, "encrypted_content") or segments.as_json(item))
    elif kind in ANSWERS:
        told = segments.as_json(item)
        yield Segment("other", len(told), digest("other", told), "assistant")


def tool_of(item: Mapping[str, object]) -> str:
    """The name of the tool that an item asks for."""
    return text(item, "name") or text(item, "type").removesuffix("_call")


def arguments_of(item: Mapping[str, object]) -> str:
    """The arguments as the model wrote them."""
    for name in ("arguments", "input"):
        if isinstance(item.get(name), str):
            return text(item, name)
    given = item.get("arguments") or item.get("action")
    return "" if given is None else segments.as_json(given)


def output_of(item: Mapping[str, object]) -> str:
    """What a tool gave back, as the model reads it."""
    output = item.get("output")
    content = get(output, "content") if isinstance(output, dict) else None
    return segments.words_of(content if isinstance(content, str) else output)


def failed(item: Mapping[str, object]) -> bool:
    """Whether the protocol flags the result as failed. An exit code alone says nothing of the kind."""
    return get(item.get("output"), "success") is False


def duration_ns(output: str) -> int | None:
    """How long a command ran, where its output says so."""
    if found := _WALL_TIME.search(output[:_HEADER_CHARS]):
        return _ns(found[1])
    if output.startswith('{"output":'):
        try:
            told = msgspec.json.decode(output)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        return _ns(get(get(told, "metadata"), "duration_seconds"))
    return None


def text_chars(item: Mapping[str, object]) -> int:
    """Characters of what an assistant's message says."""
    return sum(len(text(part, "text")) for part in items(item.get("content")))


def reasoning_chars(item: Mapping[str, object]) -> int:
    """Characters of reasoning; of reasoning that is only there sealed, the size of its seal."""
    parts = [*items(item.get("summary")), *items(item.get("content"))]
    shown = sum(len(text(part, "text")) for part in parts)
    return shown or len(text(item, "encrypted_content")) * 3 // 4


def _ns(seconds: object) -> int | None:
    try:
        return as_ns(float(str(seconds)), SECOND_NS)
    except ValueError:
        return None
