"""The content that the events of a stream of messages add up to."""

from collections.abc import Sequence

from touchdown.clients.fields import get, text

PIECES = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "input_json_delta": ("partial_json", "input"),
    "compaction_delta": ("content", "content"),
}
"""By the kind of a delta: the field that it carries, and the field of the block that it adds to."""


def content_in(events: Sequence[object]) -> list[dict[str, str]]:
    """The blocks of the message, as far as the events tell them; a tool's input as JSON text."""
    blocks: dict[object, dict[str, str]] = {}
    for event in events:
        kind, index = get(event, "type"), get(event, "index")
        if kind == "content_block_start":
            begun = get(event, "content_block")
            blocks[index] = {name: text(begun, name) for name in ("type", "id", "name", "text")}
        elif kind == "content_block_delta" and index in blocks:
            delta = get(event, "delta")
            carried, added_to = PIECES.get(text(delta, "type"), ("", ""))
            if carried:
                before = blocks[index].get(added_to, "")
                blocks[index][added_to] = before + text(delta, carried)
    return list(blocks.values())
