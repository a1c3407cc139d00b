"""Anthropic messages: payloads to records."""

from collections.abc import Mapping, Sequence

from touchdown.clients.anthropic.content import content_in
from touchdown.clients.anthropic.stream import MessageStreamReader
from touchdown.clients.anthropic.usage import read_usage
from touchdown.clients.anthropic.verdict import compared_with, read_verdict
from touchdown.clients.fields import get, getter, items, length, text, words
from touchdown.clients.parameters import pick_request
from touchdown.context.growing import LastRequest
from touchdown.integration import AnswerView, Block, CallReader, Output, RequestView, ToolRequest
from touchdown.records.context import SegmentKind

CACHE_PARAMETERS = (
    "tool_choice",
    "thinking",
    "speed",
    "output_config",
    "output_format",
    "context_management",
)
"""Changing one of these loses a level of the cache (Anthropic prompt-caching page, 2026-11)."""

BLOCK_KINDS: Mapping[str, SegmentKind] = {
    "thinking": "thinking",
    "redacted_thinking": "thinking",
    "tool_use": "tool_use",
    "server_tool_use": "tool_use",
    "mcp_tool_use": "tool_use",
    "image": "media",
    "document": "media",
    "compaction": "summary",
}


class MessagesReader:
    """Reads ``/v1/messages``, stable and beta: the same fields."""

    api = "messages"
    operation = "chat"

    follows = True
    frame = ("tools", "system")

    def read_request(
        self, body: Mapping[str, object], last: LastRequest | None = None
    ) -> RequestView:
        """Tools, system, messages: the order of Anthropic's cache."""
        read = LastRequest(keeps=False) if last is None else last
        read.follow(self, body)
        begins = _from_last_summary(read)
        return RequestView(
            read.first + read.said[begins:],
            parameters=_parameters(body, read.marked_from(0)),
            request=pick_request(body),
            caching=_caching(body, read.first + read.marked_from(begins)),
            opaque=_opaque(body),
            previous_response_id=_before(body),
            conversation=text(body["container"], "id") if "container" in body else "",
            compared_with=compared_with(body),
        )

    def items_in(self, body: Mapping[str, object]) -> list[object]:
        """The messages."""
        return items(body.get("messages"))

    def read_frame(self, body: Mapping[str, object]) -> list[Block]:
        """Tools and system."""
        blocks = [_block("tools", tool, "", _tool_name(tool)) for tool in items(body.get("tools"))]
        system = body.get("system")
        if isinstance(system, str):
            blocks.append(Block("system", system, "system"))
        blocks.extend([_block("system", part, "system") for part in items(system)])
        return blocks

    def read_item(
        self, item: object, frame: Mapping[str, object], names: dict[str, str]
    ) -> list[Block]:
        """One message."""
        return _message_blocks(item, names)

    def is_marked(self, block: Block) -> bool:
        """Where a mark of the cache, a summary or an image is."""
        content = block.content
        if isinstance(content, str):
            return False
        return block.cache_life is not None or block.kind == "summary" or _has_image(content)

    def read_answer(self, answer: object) -> AnswerView:
        """A ``Message`` or its JSON."""
        of = getter(answer)
        usage = of("usage")
        charged = getter(usage)
        reason = words(of("stop_reason"))
        content = items(of("content"))
        return AnswerView(
            usage=read_usage(usage),
            response_id=words(of("id")),
            model=words(of("model")),
            output=read_output(content),
            finish_reasons=(reason,) if reason else (),
            service_tier=words(charged("service_tier")) or None,
            speed=words(charged("speed")) or None,
            geography=words(charged("inference_geo")) or None,
            provider_verdict=read_verdict(answer),
            text=tuple([text(block, "text") for block in content if text(block, "type") == "text"]),
        )

    def new_stream(self) -> MessageStreamReader:
        """A stream of events."""
        return MessageStreamReader()

    def said(self, answer: object) -> list[list[Block]]:
        """What an answer says."""
        content = items(get(answer, "content"))
        return [_message_blocks({"role": "assistant", "content": content}, {})]

    def said_in(self, events: Sequence[object]) -> list[list[Block]]:
        """What a stream says."""
        return self.said({"content": content_in(events)})


MESSAGES = MessagesReader()
READERS: dict[str, CallReader] = {"/v1/messages": MESSAGES}
"""POST path, as the SDK's resources give it, to reader."""

NOT_CAPTURED = {
    "messages.batches": "billed outside the process",
    "completions": "the old text completions",
    "beta.sessions": "server-side loops",
    "beta.deployments": "server-side loops",
    "beta.dreams": "server-side loops",
}
"""What this SDK can call that touchdown does not see, and why; shown by ``touchdown doctor``."""


def read_output(content: list[object]) -> Output:
    """Sizes of the blocks of an answer."""
    text_chars = reasoning_chars = summary_chars = 0
    requests: list[ToolRequest] = []
    for block in content:
        kind = text(block, "type")
        if kind == "text":
            text_chars += length(get(block, "text"))
        elif kind == "thinking":
            reasoning_chars += length(get(block, "thinking"))
        elif kind == "tool_use":
            size = len(str(get(block, "input") or ""))
            requests.append(ToolRequest(text(block, "id"), text(block, "name"), size))
        elif kind == "compaction":
            summary_chars += length(get(block, "content"))
    return Output(text_chars, reasoning_chars, tuple(requests), summary_chars)


def _parameters(body: Mapping[str, object], marked: list[Block]) -> dict[str, object]:
    """Parameters as sent, and whether the messages hold images: the first or last one counts like one."""
    found = {n: body[n] for n in CACHE_PARAMETERS if n in body and body[n] is not None}
    if any(_has_image(block.content) for block in marked):
        found["images"] = True
    return found


def _has_image(part: object) -> bool:
    if isinstance(part, str):
        return False
    within = items(get(part, "content"))
    return text(part, "type") == "image" or any(text(one, "type") == "image" for one in within)


def _from_last_summary(read: LastRequest) -> int:
    """Where what the model reads of the messages begins: the API drops all before the last compaction block.

    Source: https://platform.claude.com/docs/en/build-with-claude/compaction, 2026-11. A compaction that
    failed has no content and drops nothing.
    """
    for place in reversed(read.marked):
        block = read.said[place]
        if block.kind == "summary" and get(block.content, "content"):
            return place
    return 0


def _message_blocks(message: object, names: dict[str, str]) -> list[Block]:
    of = getter(message)
    role, content = words(of("role")), of("content")
    plain: SegmentKind = (
        "system" if role == "system" else "assistant" if role == "assistant" else "user"
    )
    if isinstance(content, str):
        return [Block(plain, content, role)]
    blocks = []
    for part in items(content):
        kind = text(part, "type")
        if kind.endswith("tool_result"):
            blocks.append(_result_block(part, role, names))
        elif kind.endswith("tool_use"):
            names[text(part, "id")] = text(part, "name")
            blocks.append(_block("tool_use", part, role, text(part, "name"), text(part, "id")))
        else:
            blocks.append(_block(BLOCK_KINDS.get(kind, plain), part, role))
    return blocks


def _result_block(part: object, role: str, names: dict[str, str]) -> Block:
    call_id = text(part, "tool_use_id")
    block = _block("tool_result", part, role, names.get(call_id) or None, call_id)
    block.failed = get(part, "is_error") is True
    block.result_text = get(part, "content")
    return block


def _block(
    kind: SegmentKind, part: object, role: str, name: str | None = None, call_id: str | None = None
) -> Block:
    """One block, its cache breakpoint told apart from what the model reads."""
    control = get(part, "cache_control")
    life = None
    if control is not None:
        life = text(control, "ttl") or "5m"
        if isinstance(part, dict):
            part = {key: value for key, value in part.items() if key != "cache_control"}
    return Block(kind, part, role, call_id or None, name, cache_life=life)


def _caching(body: Mapping[str, object], blocks: list[Block]) -> str:
    if body.get("cache_control") is not None:
        return "automatic"
    return "explicit" if any(block.cache_life for block in blocks) else "off"


def _before(body: Mapping[str, object]) -> str:
    """The id of the message that this one goes on from, where those before lie on the server."""
    return text(body["thread"], "previous_message_id") if "thread" in body else ""


def _opaque(body: Mapping[str, object]) -> str | None:
    if _before(body):
        return "thread: the messages before lie on the server"
    return "mcp_servers: tools are listed on the server" if body.get("mcp_servers") else None


def _tool_name(tool: object) -> str | None:
    return text(tool, "name") or text(tool, "type") or None
