"""Chat completions: payloads to records."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from touchdown.clients.fields import (
    either,
    fields_of,
    get,
    getter,
    items,
    length,
    text,
    words,
)
from touchdown.clients.openai.caching import caching_of, mark_breakpoints
from touchdown.clients.openai.chunks import messages_in
from touchdown.clients.openai.usage import read_usage, reported_cost
from touchdown.clients.parameters import pick_request
from touchdown.clients.pieces import MOST_PIECES, Pieces
from touchdown.context.growing import LastRequest
from touchdown.integration import AnswerView, Block, Output, RequestView, ToolRequest
from touchdown.records.context import SegmentKind

CACHE_PARAMETERS = (
    "prompt_cache_key",
    "response_format",
    "reasoning_effort",
    "verbosity",
    "service_tier",
)
"""Changing one of these changes the cached prefix (OpenAI prompt-cache diagnostics, 2026-09)."""

MEDIA_PARTS = frozenset({"image_url", "input_audio", "file", "input_image", "input_file"})
ROLES: Mapping[str, SegmentKind] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool_result",
    "function": "tool_result",
}


class ChatReader:
    """Reads ``/chat/completions``."""

    api = "chat.completions"
    operation = "chat"

    follows = True
    frame = ("tools", "functions", "prompt_cache_options")

    def read_request(
        self, body: Mapping[str, object], last: LastRequest | None = None
    ) -> RequestView:
        """Tools, then messages: the order in which OpenAI lays out a prompt."""
        read = LastRequest(keeps=False) if last is None else last
        read.follow(self, body)
        return RequestView(
            read.first + read.said,
            parameters={
                name: body[name] for name in CACHE_PARAMETERS if body.get(name) is not None
            },
            request=_request(body),
            caching=caching_of(body, read),
        )

    def items_in(self, body: Mapping[str, object]) -> list[object]:
        """The messages."""
        return items(body.get("messages"))

    def read_frame(self, body: Mapping[str, object]) -> list[Block]:
        """Tools, in both of the API's forms."""
        blocks = tool_blocks(body.get("tools")) + tool_blocks(body.get("functions"))
        return mark_breakpoints(blocks, body)

    def read_item(
        self, item: object, frame: Mapping[str, object], names: dict[str, str]
    ) -> list[Block]:
        """One message."""
        return mark_breakpoints(_message_blocks(item, names), frame)

    def is_marked(self, block: Block) -> bool:
        """Where a breakpoint of the cache is."""
        return block.cache_life is not None

    def read_answer(self, answer: object) -> AnswerView:
        """A ``ChatCompletion`` or its JSON."""
        of = getter(answer)
        usage = of("usage")
        output, finish, texts = _read_choices(items(of("choices")))
        return AnswerView(
            usage=read_usage(usage),
            response_id=words(of("id")),
            model=words(of("model")),
            output=output,
            finish_reasons=finish,
            service_tier=words(of("service_tier")) or None,
            reported_usd=reported_cost(usage),
            engine_parts=(answer,),
            text=texts,
        )

    def new_stream(self) -> "ChatStream":
        """A stream of chunks."""
        return ChatStream()

    def said(self, answer: object) -> list[list[Block]]:
        """What each choice says."""
        return [_message_blocks(get(one, "message"), {}) for one in items(get(answer, "choices"))]

    def said_in(self, chunks: Sequence[object]) -> list[list[Block]]:
        """What each choice of a stream says."""
        return [_message_blocks(message, {}) for message in messages_in(chunks)]


def _read_choices(choices: list[object]) -> tuple[Output, tuple[str, ...], tuple[str, ...]]:
    """The sizes of what all choices say, why each ended, and the text of the first."""
    text_chars = reasoning_chars = 0
    requests: list[ToolRequest] = []
    finish: list[str] = []
    texts: tuple[str, ...] = ()
    for choice in choices:
        chosen = getter(choice)
        said = getter(chosen("message"))
        content, refusal = said("content"), said("refusal")
        if not finish:
            texts = (words(content),)
        finish.append(words(chosen("finish_reason")) or "error")
        text_chars += length(content) + length(refusal)
        reasoning_chars += length(said("reasoning_content"))
        requests += _tool_requests(said("tool_calls"))
    return Output(text_chars, reasoning_chars, tuple(requests)), tuple(finish), texts


def _request(body: Mapping[str, object]) -> dict[str, str | int | float | bool]:
    """The plain parameters; a stream tells its usage only where it was asked to."""
    picked = pick_request(body)
    if picked.get("stream"):
        picked.setdefault("include_usage", False)
    return picked


class ChatStream(Struct):
    """What a stream of chunks tells: sizes as they come, usage from the one chunk that carries it."""

    __repr__ = object.__repr__

    usage: object = None
    first: object = None
    counted: object = None
    ended: object = None
    service_tier: str | None = None
    reasoning_chars: int = 0
    pieces: Pieces = field(default_factory=Pieces)
    finish: dict[int, str] = field(default_factory=dict)
    tools: dict[tuple[int, int], list[object]] = field(default_factory=dict)

    def looking(self) -> Callable[[Any], None]:
        """What looks at each chunk. Nearly all are one piece of text: those take the short way."""
        new, look, count = self.pieces.new, self.chunk, self.pieces.count

        def chunk(event: Any) -> None:
            try:
                fields = event.__dict__
                (choice,) = fields["choices"]
                chosen = choice.__dict__
                delta = chosen["delta"]
                said = delta.__dict__
                piece = said["content"]
                if (
                    fields["usage"]
                    or chosen["finish_reason"]
                    or said["tool_calls"]
                    or delta.__pydantic_extra__
                ):
                    piece = None
            except (AttributeError, KeyError, TypeError, ValueError):
                piece = None
            if type(piece) is str and new:  # the first is looked at whole
                new.append(piece)
                if len(new) > MOST_PIECES:
                    count()
            else:
                look(event)

        return chunk

    def has_content(self) -> bool:
        """Whether any of the answer was in what came so far."""
        return bool(self.pieces.chars or self.reasoning_chars or self.tools)

    def chunk(self, event: object) -> None:
        """Look at one chunk."""
        if self.first is None:
            self.first = event
        fields = fields_of(event)
        usage = fields.get("usage")
        if usage is not None:
            self.usage, self.counted = usage, event
            self.service_tier = text(event, "service_tier") or None
        for choice in fields.get("choices") or ():
            fields = fields_of(choice)
            if fields.get("finish_reason") is not None:
                self.finish[int(fields.get("index") or 0)] = str(fields["finish_reason"])
                self.ended = event
            delta = fields.get("delta")
            fields = fields_of(delta)
            content = fields.get("content")
            if content:
                self.pieces.say(content)
            if fields.get("tool_calls"):
                self._tools(choice, fields["tool_calls"])
            extra = getattr(delta, "__pydantic_extra__", delta)
            if extra:
                self.reasoning_chars += length(get(extra, "reasoning_content"))

    def _tools(self, choice: object, calls: Any) -> None:
        for call in calls:
            key = (int(get(choice, "index") or 0), int(get(call, "index") or 0))  # type: ignore[call-overload]
            tool = self.tools.setdefault(key, ["", "", 0])
            function = get(call, "function")
            tool[0] = tool[0] or text(call, "id")
            tool[1] = tool[1] or text(function, "name")
            tool[2] = int(tool[2]) + length(get(function, "arguments"))  # type: ignore[call-overload]

    def answer(self) -> AnswerView:
        """What is known so far; whole once every choice gave its reason to stop."""
        requests = tuple(
            ToolRequest(str(i), str(n), int(c))  # type: ignore[call-overload]
            for i, n, c in (self.tools[key] for key in sorted(self.tools))
        )
        return AnswerView(
            usage=read_usage(self.usage),
            response_id=text(self.first, "id"),
            model=text(self.first, "model"),
            output=Output(self.pieces.chars, self.reasoning_chars, requests),
            finish_reasons=tuple(self.finish[i] for i in sorted(self.finish)),
            service_tier=self.service_tier or text(self.first, "service_tier") or None,
            reported_usd=reported_cost(self.usage),
            complete=bool(self.finish),
            engine_parts=tuple(part for part in (self.ended, self.counted) if part is not None),
            text=self.pieces.text,
        )


def tool_blocks(tools: object) -> list[Block]:
    """One block per tool definition."""
    return [Block("tools", tool, tool_name=_tool_name(tool)) for tool in items(tools)]


def _tool_name(tool: object) -> str | None:
    return text(get(tool, "function"), "name") or text(tool, "name") or text(tool, "type") or None


def _message_blocks(message: object, names: dict[str, str]) -> list[Block]:
    of = getter(message)
    role, content = words(of("role")), of("content")
    kind = ROLES.get(role, "other")
    if kind == "tool_result":
        call_id = words(of("tool_call_id")) or None
        name = words(of("name")) or names.get(call_id or "") or None
        return [Block(kind, content, role, call_id, name, result_text=content)]
    blocks: list[Block] = []
    reasoning = of("reasoning_content")
    if reasoning:
        blocks.append(Block("thinking", reasoning, role))
    if isinstance(content, str):
        blocks.append(Block(kind, content, role))
    else:
        for part in items(content):
            media = text(part, "type") in MEDIA_PARTS
            blocks.append(Block("media" if media else kind, part, role))
    calls = of("tool_calls")
    if calls:
        blocks.extend([_tool_use(call, role, names) for call in items(calls)])
    return blocks


def _tool_use(call: object, role: str, names: dict[str, str]) -> Block:
    call_id, name = text(call, "id"), text(either(call, "function", "custom"), "name")
    names[call_id] = name
    return Block("tool_use", call, role, call_id or None, name or None)


def _tool_requests(calls: object) -> list[ToolRequest]:
    requests = []
    for call in items(calls):
        function = either(call, "function", "custom")
        arguments = either(function, "arguments", "input")
        requests.append(ToolRequest(text(call, "id"), text(function, "name"), length(arguments)))
    return requests
