"""Blocks as the GenAI conventions write them: messages of parts, tool definitions, instructions.

Source: OpenTelemetry GenAI conventions 0.1.0, input and output messages, 2026-11. The bytes of media are
never part of it.
"""

from collections.abc import Sequence
from typing import Protocol

from touchdown.context.blocks import Block, result_text
from touchdown.context.fields import either, get, items, text

Part = dict[str, object]

LEAST_CHARS = 16
"""What a part takes of the room at least: many empty ones take room too."""

MODALITIES = ("image", "audio", "video")


class Room(Protocol):
    """The room that is left for text, and what is made of text before it is shown."""

    left: int

    def text(self, text: str) -> str:
        """As much of a text as may be shown."""
        ...

    def data(self, value: object) -> object:
        """The same of something that is JSON."""
        ...

    def take(self, chars: int) -> None:
        """Room that is used up."""
        ...

    def skip(self, block: Block) -> None:
        """There is no room for this."""
        ...


def messages_of(blocks: Sequence[Block], room: Room) -> list[Part]:
    """The messages that these blocks are made of; where room ends, the earliest are left out."""
    shown: list[tuple[str, Part]] = []
    for block in reversed(blocks):
        if room.left <= 0:
            room.skip(block)
            continue
        room.take(LEAST_CHARS)
        shown.append((_role(block), part_of(block, room)))
    messages: list[Part] = []
    for role, part in reversed(shown):
        if not messages or messages[-1]["role"] != role:
            messages.append({"role": role, "parts": []})
        parts = messages[-1]["parts"]
        assert isinstance(parts, list)
        parts.append(part)
    return messages


def parts_of(blocks: Sequence[Block], room: Room) -> list[Part]:
    """System instructions: parts without a role."""
    return [part for message in messages_of(blocks, room) for part in _inside(message)]


def _inside(message: Part) -> list[Part]:
    parts = message["parts"]
    return parts if isinstance(parts, list) else []


def definitions_of(blocks: Sequence[Block], room: Room) -> list[Part]:
    """The definitions of tools."""
    shown = []
    for block in blocks:
        if room.left <= 0:
            room.skip(block)
            continue
        room.take(LEAST_CHARS)
        tool = get(block.content, "function") or block.content
        kind = text(block.content, "type") or "function"
        part: Part = {"type": kind, "name": block.tool_name or ""}
        if text(tool, "description"):
            part["description"] = room.text(text(tool, "description"))
        schema = either(tool, "parameters", "input_schema")
        if schema is not None:
            part["parameters"] = room.data(schema)
        shown.append(part)
    return shown


def _role(block: Block) -> str:
    return "tool" if block.kind == "tool_result" else block.role or "assistant"


def part_of(block: Block, room: Room) -> Part:
    """One block as a part of a message."""
    content = block.content
    if block.kind == "tool_result":
        response = result_text(block.result_text)
        shown = room.data(_without_media(content)) if response is None else room.text(response)
        return {"type": "tool_call_response", "id": block.call_id, "response": shown}
    if block.kind == "tool_use":
        asked = either(content, "function", "custom") or content
        given = either(asked, "arguments", "input")
        arguments = None if given is None else room.data(given)
        name = block.tool_name or ""
        return {"type": "tool_call", "id": block.call_id, "name": name, "arguments": arguments}
    if block.kind == "media":
        return _media(content, room)
    if block.kind == "thinking":
        return {"type": "reasoning", "content": room.text(_reasoning(content))}
    if block.kind == "summary":
        return {"type": "compaction", "content": room.text(text(content, "content"))}
    said = content if isinstance(content, str) else either(content, "text", "refusal")
    if isinstance(said, str):
        return {"type": "text", "content": room.text(said)}
    return {"type": "generic", "content": room.data(_without_media(content))}


def _reasoning(content: object) -> str:
    if isinstance(content, str):
        return content
    said = [text(part, "text") for part in items(get(content, "summary"))]
    return text(content, "thinking") or "".join(said)


def _media(content: object, room: Room) -> Part:
    kind = text(content, "type")
    modality = next((name for name in MODALITIES if name in kind), "document")
    held = either(content, "source", "image_url", "input_audio", "file") or content
    if text(held, "type") == "text":  # a document that is plain text
        return {"type": "text", "content": room.text(text(held, "data"))}
    file_id = text(held, "file_id") or text(content, "file_id")
    if file_id:
        return {"type": "file", "modality": modality, "file_id": room.text(file_id)}
    url = held if isinstance(held, str) else text(held, "url") or text(held, "file_url")
    if url and not url.startswith("data:"):
        return {"type": "uri", "modality": modality, "uri": room.text(url)}
    mime_type = text(held, "media_type") or url.removeprefix("data:").partition(";")[0]
    blob: Part = {"type": "blob", "modality": modality}
    return {**blob, "mime_type": mime_type} if mime_type else blob


def _without_media(content: object) -> object:
    """The same without what are bytes of media, as in a tool's result with a picture."""
    if isinstance(content, dict):
        return {
            name: value if name not in ("data", "file_data") else None
            for name, value in ((name, _without_media(value)) for name, value in content.items())
        }
    if isinstance(content, (list, tuple)):
        return [_without_media(item) for item in content]
    if isinstance(content, str) and content.startswith("data:"):
        return None
    return content
