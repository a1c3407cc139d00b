"""The Responses API: payloads to records."""

from collections import Counter
from collections.abc import Mapping, Sequence

from msgspec import Struct

from touchdown.clients.fields import either, get, items, length, text
from touchdown.clients.openai.caching import (
    caching_of,
    compared_with,
    mark_breakpoints,
    read_verdict,
)
from touchdown.clients.openai.chat import MEDIA_PARTS, ROLES, tool_blocks
from touchdown.clients.openai.usage import read_usage, reported_cost
from touchdown.clients.parameters import pick_request
from touchdown.context.growing import LastRequest
from touchdown.integration import AnswerView, Block, Output, RequestView, ToolRequest
from touchdown.records.context import SegmentKind

CACHE_PARAMETERS = ("prompt_cache_key", "text", "reasoning", "service_tier")
RUNNING = frozenset({"queued", "in_progress"})
LAST_EVENTS = frozenset({"response.completed", "response.incomplete", "response.failed"})
SERVER_TOOLS = {"web_search_call": "web_search", "file_search_call": "file_search"}
FREE_ACTIONS = frozenset({"open_page", "find_in_page"})
"""What a web search call may do instead of searching: "search actions incur a tool call cost", these none.

Source: https://platform.openai.com/docs/guides/tools-web-search, 2026-11.
"""
SUMMARIES = frozenset({"compaction", "compaction_summary"})
ITEM_KINDS: Mapping[str, SegmentKind] = {
    "reasoning": "thinking",
    **dict.fromkeys(SUMMARIES, "summary"),
}


class ResponsesReader:
    """Reads ``/responses`` and ``/responses/compact``."""

    api = "responses"
    operation = "chat"

    follows = True
    frame = ("tools", "instructions", "prompt_cache_options")

    def read_request(
        self, body: Mapping[str, object], last: LastRequest | None = None
    ) -> RequestView:
        """Tools, instructions, input; what lies on the server cannot be seen and is said so."""
        read = LastRequest(keeps=False) if last is None else last
        read.follow(self, body)
        previous = text(body, "previous_response_id")
        conversation = body.get("conversation")
        return RequestView(
            read.first + read.said,
            parameters={
                name: body[name] for name in CACHE_PARAMETERS if body.get(name) is not None
            },
            request=pick_request(body),
            caching=caching_of(body, read),
            opaque=_opaque(body),
            previous_response_id=previous,
            conversation=conversation
            if isinstance(conversation, str)
            else text(conversation, "id"),
            compared_with=compared_with(body),
        )

    def items_in(self, body: Mapping[str, object]) -> list[object]:
        """The input."""
        given = body.get("input")
        return [{"role": "user", "content": given}] if isinstance(given, str) else items(given)

    def read_frame(self, body: Mapping[str, object]) -> list[Block]:
        """Tools and instructions."""
        blocks = tool_blocks(body.get("tools"))
        if body.get("instructions"):
            blocks.append(Block("system", body["instructions"], "system"))
        return mark_breakpoints(blocks, body)

    def read_item(
        self, item: object, frame: Mapping[str, object], names: dict[str, str]
    ) -> list[Block]:
        """One item of the input."""
        return mark_breakpoints(_item_blocks(item, names), frame)

    def is_marked(self, block: Block) -> bool:
        """Where a breakpoint of the cache is."""
        return block.cache_life is not None

    def read_answer(self, answer: object) -> AnswerView:
        """A ``Response`` or its JSON, running or ended."""
        output = items(get(answer, "output"))
        status = text(answer, "status")
        usage = get(answer, "usage")
        compacted = text(answer, "object") == "response.compaction"
        return AnswerView(
            usage=read_usage(usage, _server_tools(output)),
            response_id=text(answer, "id"),
            model=text(answer, "model"),
            output=_summary(output) if compacted else _output(output),
            finish_reasons=("compaction",) if compacted else _finish_reasons(answer, status),
            service_tier=text(answer, "service_tier") or None,
            reported_usd=reported_cost(usage),
            provider_verdict=read_verdict(answer),
            terminal=status not in RUNNING,
            complete=status not in RUNNING,
            error_type=text(get(answer, "error"), "code") or None,
            text=() if compacted else tuple(_texts(output)),
        )

    def new_stream(self) -> "ResponsesStream":
        """A stream of events."""
        return ResponsesStream(self)

    def said(self, answer: object) -> list[list[Block]]:
        """What an answer says."""
        output = items(get(answer, "output"))
        return [[block for item in output for block in _item_blocks(item, {})]]

    def said_in(self, events: Sequence[object]) -> list[list[Block]]:
        """What a stream says: its last event tells all of it, else what came of the text."""
        for event in reversed(events):
            if get(event, "type") in LAST_EVENTS:
                return self.said(get(event, "response"))
        deltas = [e for e in events if get(e, "type") == "response.output_text.delta"]
        return [[Block("assistant", "".join(text(e, "delta") for e in deltas), "assistant")]]


class ResponsesStream(Struct):
    """What a stream of events tells: sizes as they come, the rest from its last event."""

    __repr__ = object.__repr__

    reader: ResponsesReader
    first: object = None
    last: object = None
    text_chars: int = 0
    argument_chars: int = 0
    other_chars: int = 0
    error: str | None = None

    def chunk(self, event: object) -> None:
        """Look at one event."""
        kind = get(event, "type")
        if kind == "response.output_text.delta":
            self.text_chars += length(get(event, "delta"))
        elif kind == "response.function_call_arguments.delta":
            self.argument_chars += length(get(event, "delta"))
        elif kind in LAST_EVENTS:
            self.last = get(event, "response")
        elif kind == "response.created":
            self.first = get(event, "response")
        elif kind == "error":
            self.error = text(event, "code") or "error"
        elif isinstance(kind, str) and kind.endswith(".delta"):
            self.other_chars += length(get(event, "delta"))

    def has_content(self) -> bool:
        """Whether any of the answer was in what came so far, its reasoning included."""
        return bool(self.text_chars or self.argument_chars or self.other_chars)

    def answer(self) -> AnswerView:
        """What is known so far; whole once a last event came."""
        if self.last is not None:
            return self.reader.read_answer(self.last)
        return AnswerView(
            response_id=text(self.first, "id"),
            model=text(self.first, "model"),
            output=Output(self.text_chars + self.argument_chars),
            service_tier=text(self.first, "service_tier") or None,
            terminal=self.error is not None,
            complete=False,
            error_type=self.error,
        )


def _server_tools(output: list[object]) -> dict[str, int]:
    """Calls of the provider's own tools that it bills apart from tokens."""
    billed = [item for item in output if text(get(item, "action"), "type") not in FREE_ACTIONS]
    names = Counter(SERVER_TOOLS.get(text(item, "type"), "") for item in billed)
    return {name: calls for name, calls in names.items() if name}


def _opaque(body: Mapping[str, object]) -> str | None:
    for name in ("previous_response_id", "conversation", "prompt"):
        if body.get(name):
            return f"{name}: part of the input lies on the server"
    return None


def _finish_reasons(answer: object, status: str) -> tuple[str, ...]:
    reason = text(get(answer, "incomplete_details"), "reason")
    if reason:
        return (reason,)
    return (status,) if status else ()


def _item_blocks(item: object, names: dict[str, str]) -> list[Block]:
    kind = text(item, "type") or "message"
    role = text(item, "role")
    if kind == "message":
        content = get(item, "content")
        named = ROLES.get(role, "other")
        if isinstance(content, str):
            return [Block(named, content, role)]
        return [
            Block("media" if text(p, "type") in MEDIA_PARTS else named, p, role)
            for p in items(content)
        ]
    call_id = text(item, "call_id") or text(item, "id") or None
    if kind.endswith("_output"):
        result = get(item, "output")
        return [
            Block(
                "tool_result", result, "tool", call_id, names.get(call_id or ""), result_text=result
            )
        ]
    if kind.endswith("_call") or kind == "mcp_call":
        name = text(item, "name") or kind
        names[call_id or ""] = name
        return [Block("tool_use", item, "assistant", call_id, name)]
    return [Block(ITEM_KINDS.get(kind, "other"), item, role or "assistant")]


def _summary(output: list[object]) -> Output:
    """A compacted history: the messages in it are the user's own, given back."""
    return Output(summary_chars=sum(_summary_chars(item) for item in output))


def _summary_chars(item: object) -> int:
    return length(get(item, "encrypted_content")) if text(item, "type") in SUMMARIES else 0


def _texts(output: list[object]) -> list[str]:
    messages = [item for item in output if text(item, "type") == "message"]
    return [text(part, "text") for item in messages for part in items(get(item, "content"))]


def _output(output: list[object]) -> Output:
    text_chars = reasoning_chars = summary_chars = 0
    requests: list[ToolRequest] = []
    for item in output:
        kind = text(item, "type")
        if kind == "message":
            parts = items(get(item, "content"))
            text_chars += sum(length(get(p, "text")) + length(get(p, "refusal")) for p in parts)
        elif kind == "reasoning":
            reasoning_chars += sum(length(get(p, "text")) for p in items(get(item, "summary")))
        elif kind in ("function_call", "custom_tool_call"):
            arguments = either(item, "arguments", "input")
            requests.append(
                ToolRequest(text(item, "call_id"), text(item, "name"), length(arguments))
            )
        summary_chars += _summary_chars(item)
    return Output(text_chars, reasoning_chars, tuple(requests), summary_chars)
