"""The content of a message: its blocks as segments, its tool requests and its tool results."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from touchdown.context.blocks import MEDIA_CHARS
from touchdown.records import Segment
from touchdown.records.context import SegmentKind
from touchdown.sessions.claude_code.line import NOTHING, OpenPart, Part
from touchdown.sessions.history import digest


class Content(Struct, frozen=True):
    """A message taken apart. ``raw`` parts of an unknown form are kept as one block of other content."""

    parts: Sequence[Part] = ()
    text: str | None = None
    """The whole of a message that is plain text."""
    raw: bytes = b""

    @property
    def said(self) -> str:
        """The first text in it."""
        if self.text is not None:
            return self.text
        return next((part.text for part in self.parts if part.type == "text"), "")


_decode = msgspec.json.Decoder(str | list[Part] | None).decode
_decode_open = msgspec.json.Decoder(list[OpenPart]).decode
_decode_open_part = msgspec.json.Decoder(OpenPart).decode
_decode_result = msgspec.json.Decoder(str | list[msgspec.Raw] | None).decode
_KINDS: dict[str, SegmentKind] = {
    "thinking": "thinking",
    "redacted_thinking": "thinking",
    "tool_use": "tool_use",
    "server_tool_use": "tool_use",
    "tool_result": "tool_result",
    "image": "media",
    "document": "media",
}


def read_content(value: str | list[Part] | msgspec.Raw | None) -> Content:
    """The content of a message. What has no known form is kept by its bytes."""
    if isinstance(value, list):
        return Content(value)
    if isinstance(value, str):
        return Content(text=value)
    if value is None:
        return Content()
    try:
        return read_content(_decode(value))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return Content(_decode_open(value))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Content(raw=bytes(value))


def segments_of(
    content: Content, role: str, names: dict[str, str], kind: SegmentKind | None = None
) -> list[Segment]:
    """The blocks as segments. ``names`` holds the tools of calls by id; ``kind`` overrides that of text."""
    plain: SegmentKind = kind or ("assistant" if role == "assistant" else "user")
    if content.text is not None:
        return [Segment(plain, len(content.text), digest(plain, content.text), role)]
    if content.raw:
        return [Segment("other", len(content.raw), digest("other", content.raw), role)]
    return [_segment(part, role, names, plain) for part in content.parts]


def _segment(part: Part, role: str, names: dict[str, str], plain: SegmentKind) -> Segment:
    kind = _KINDS.get(part.type, plain)
    if kind == "tool_result":
        chars, read = _result(part)
        return Segment(
            kind=kind,
            chars=chars,
            digest=read,
            role=role,
            call_id=part.tool_use_id or None,
            tool_name=names.get(part.tool_use_id),
            failed=part.is_error is True,
            result_digest=read,
        )
    if kind == "tool_use":
        arguments = bytes(part.input)
        return Segment(
            kind=kind,
            chars=argument_chars(part) + len(part.name),
            digest=digest("tool_use", part.id, part.name, arguments),
            role=role,
            call_id=part.id or None,
            tool_name=part.name or None,
        )
    if kind == "thinking":
        thought = digest("thinking", part.signature, part.thinking, part.data)
        return Segment(kind, thinking_chars(part), thought, role)
    if kind == "media":
        return Segment(kind, MEDIA_CHARS, digest("media", bytes(part.source)), role)
    return Segment(kind, len(part.text), digest(plain, part.text), role)


def argument_chars(part: Part) -> int:
    """Characters of a tool request's arguments."""
    return len(bytes(part.input)) if part.input is not NOTHING else 0


def thinking_chars(part: Part) -> int:
    """Characters of reasoning; of reasoning that is written down only sealed, the size of its seal."""
    return len(part.thinking) or len(part.signature) * 3 // 4


def _result(part: Part) -> tuple[int, str]:
    """Characters of a tool result as the model reads it, and its digest."""
    content: Any = part.content
    if isinstance(content, msgspec.Raw):
        try:
            content = _decode_result(content)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            data = bytes(content)
            return len(data), digest("result", data)
    if isinstance(content, str):
        return len(content), digest("result", content)
    if not isinstance(content, list):
        return 0, digest("result")
    pieces = [bytes(piece) for piece in content]
    return _chars_of(pieces), digest("result", *pieces)


def _chars_of(pieces: Sequence[bytes]) -> int:
    """An image counts as ``MEDIA_CHARS``; what has no known form as it is written."""
    chars = 0
    for piece in pieces:
        try:
            part = _decode_open_part(piece)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return sum(map(len, pieces)) + len(pieces) + 1
        chars += MEDIA_CHARS if part.type in ("image", "document") else len(part.text)
    return chars
