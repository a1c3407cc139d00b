"""Pieces of a recorded context as segments: text, media, reasoning, tool calls and their results."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from touchdown.clients.fields import items, text
from touchdown.context.blocks import MEDIA_CHARS
from touchdown.records import Segment
from touchdown.records.context import SegmentKind
from touchdown.sessions.history import digest

ROLES: Mapping[str, SegmentKind] = {
    "system": "system",
    "developer": "system",
    "assistant": "assistant",
    "agent": "assistant",
}
"""Roles to kinds of segments; any other is the user's."""


def said(kind: SegmentKind, words: str, role: str = "user") -> Segment:
    """Text of a message."""
    return Segment(kind, len(words), digest(kind, words), role)


def message(content: object, role: str) -> Iterator[Segment]:
    """A message whose content is text or a list of parts; parts without text are media."""
    kind = ROLES.get(role, "user")
    for part in [content] if isinstance(content, str) else items(content):
        words = part if isinstance(part, str) else text(part, "text")
        if words:
            yield said(kind, words, role)
        elif isinstance(part, Mapping) and not isinstance(part.get("text"), str):
            yield Segment("media", MEDIA_CHARS, digest("media", as_json(part)), role)


def asked(call_id: str, name: str, arguments: str, role: str = "assistant") -> Segment:
    """A request for a tool."""
    return Segment(
        "tool_use",
        len(name) + len(arguments),
        digest("tool_use", call_id, name, arguments),
        role,
        call_id=call_id or None,
        tool_name=name or None,
    )


def returned(
    call_id: str, name: str, output: str, failed: bool = False, role: str = "user"
) -> Segment:
    """What a tool returned."""
    read = digest("result", output)
    return Segment(
        kind="tool_result",
        chars=len(output),
        digest=read,
        role=role,
        call_id=call_id or None,
        tool_name=name or None,
        failed=failed,
        result_digest=read,
    )


def words_of(content: object) -> str:
    """The text in some content: a string, a list of parts, or anything else as JSON."""
    if isinstance(content, str):
        return content
    if content is None:
        return ""
    if isinstance(content, list):
        return "".join(_texts(content))
    return as_json(content)


def as_json(value: object) -> str:
    """A value as compact JSON."""
    return msgspec.json.encode(value).decode()


def _texts(parts: Iterable[object]) -> Iterator[str]:
    for part in parts:
        yield part if isinstance(part, str) else text(part, "text") or as_json(part)
