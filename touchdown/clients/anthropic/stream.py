"""A stream of Anthropic's events: the input side from ``message_start``, the rest from ``message_delta``."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct, field

from touchdown.clients.anthropic.usage import read_usage
from touchdown.clients.anthropic.verdict import last_verdict
from touchdown.clients.fields import get, length, text
from touchdown.clients.pieces import MOST_PIECES, Pieces
from touchdown.integration import AnswerView, Output, ToolRequest


class MessageStreamReader(Struct):
    """Looks at each event, keeps counts, the first message and the last cumulative usage."""

    __repr__ = object.__repr__

    message: object = None
    delta: object = None
    usage: object = None
    last: object = None
    reasoning_chars: int = 0
    summary_chars: int = 0
    pieces: Pieces = field(default_factory=Pieces)
    stopped: bool = False
    error: str | None = None
    tools: dict[int, list[object]] = field(default_factory=dict)

    def looking(self) -> Callable[[Any], None]:
        """What looks at each event. Nearly all are pieces of text: those take the short way."""
        new, look, count = self.pieces.new, self.chunk, self.pieces.count

        def chunk(event: Any) -> None:
            try:
                fields = event.__dict__
                said = fields["delta"].__dict__
                piece = said["text"]
                if said["type"] != "text_delta" or fields["type"] != "content_block_delta":
                    piece = None
            except (AttributeError, KeyError):
                piece = None
            if type(piece) is str:
                new.append(piece)
                if len(new) > MOST_PIECES:
                    count()
            else:
                look(event)

        return chunk

    def has_content(self) -> bool:
        """Whether any of the answer was in what came so far."""
        return bool(self.pieces.chars or self.reasoning_chars or self.summary_chars or self.tools)

    def chunk(self, event: object) -> None:
        """Look at one event."""
        kind = get(event, "type")
        if kind == "content_block_delta":
            self._delta(event, get(event, "delta"))
        elif kind == "message_start":
            self.message = get(event, "message")
        elif kind == "message_delta":
            self.delta, self.usage, self.last = get(event, "delta"), get(event, "usage"), event
        elif kind == "message_stop":
            self.stopped = True
        elif kind == "content_block_start":
            block = get(event, "content_block")
            if get(block, "type") == "tool_use":
                self.tools[_index(event)] = [text(block, "id"), text(block, "name"), 0]
        elif kind == "error":
            self.error = text(get(event, "error"), "type") or "error"

    def _delta(self, event: object, delta: object) -> None:
        kind = get(delta, "type")
        if kind == "text_delta":
            self.pieces.say(text(delta, "text"))
        elif kind == "thinking_delta":
            self.reasoning_chars += length(get(delta, "thinking"))
        elif kind == "input_json_delta":
            tool = self.tools.get(_index(event))
            if tool is not None:
                tool[2] = int(tool[2]) + length(get(delta, "partial_json"))  # type: ignore[call-overload]
        elif kind == "compaction_delta":
            self.summary_chars += length(get(delta, "content"))

    def answer(self) -> AnswerView:
        """What is known so far: whole after ``message_stop``; a stream cut short keeps its input."""
        first = get(self.message, "usage")
        reason = text(self.delta, "stop_reason")
        requests = tuple(
            ToolRequest(str(i), str(n), int(c))  # type: ignore[call-overload]
            for i, n, c in (self.tools[index] for index in sorted(self.tools))
        )
        return AnswerView(
            usage=read_usage(_merged(first, self.usage), whole=self.usage is not None),
            response_id=text(self.message, "id"),
            model=text(self.message, "model"),
            output=Output(self.pieces.chars, self.reasoning_chars, requests, self.summary_chars),
            finish_reasons=(reason,) if reason else (),
            service_tier=text(first, "service_tier") or None,
            speed=text(self.usage, "speed") or text(first, "speed") or None,
            geography=text(first, "inference_geo") or None,
            provider_verdict=last_verdict(self.message, self.delta, self.last),
            complete=self.stopped,
            error_type=self.error,
            text=self.pieces.text,
        )


FIELDS = (
    "input_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cache_creation",
    "output_tokens",
    "output_tokens_details",
    "server_tool_use",
    "iterations",
    "fallback_credit",
)


def _merged(first: object, last: object) -> object:
    """Cumulative usage: each field's latest value; a field the last one leaves out keeps its first."""
    if first is None and last is None:
        return None
    merged: dict[str, object] = {}
    for name in FIELDS:
        value = get(last, name)
        merged[name] = get(first, name) if value is None else value
    return merged


def _index(event: object) -> int:
    value = get(event, "index")
    return value if isinstance(value, int) else 0
