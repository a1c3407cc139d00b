"""One line of a Claude Code transcript: the fields that are needed, decoded without the rest.

The format is the vendor's own and changes between versions: a field of another type than expected is
taken as missing, and nothing else of the line is lost.
"""

from datetime import datetime
from typing import Any

import msgspec

from touchdown.sessions.claude_code.twins import Outcome
from touchdown.sessions.times import ns_of

NOTHING = msgspec.Raw(b"null")


class Part(msgspec.Struct, gc=False):
    """One block of a message."""

    type: str = ""
    text: str = ""
    thinking: str = ""
    signature: str = ""
    data: str = ""
    source: msgspec.Raw = NOTHING
    id: str = ""
    name: str = ""
    input: msgspec.Raw = NOTHING
    tool_use_id: str = ""
    content: str | list[msgspec.Raw] | None = None
    """What a tool returned."""
    is_error: bool | None = None


class OpenPart(Part, gc=False):
    """A block whose content has no known form."""

    content: msgspec.Raw = NOTHING  # type: ignore[assignment]


class Message(msgspec.Struct, gc=False):
    """The API's message; ``usage`` stays undecoded until it is needed."""

    id: str | None = None
    model: str | None = None
    content: str | list[Part] | None = None
    usage: msgspec.Raw = NOTHING
    stop_reason: str | msgspec.UnsetType | None = msgspec.UNSET


class Line(msgspec.Struct, gc=False):
    """A line of a transcript, or of ``claude -p --output-format stream-json``."""

    type: str = ""
    subtype: str | None = None
    uuid: str | None = None
    parent: str | msgspec.UnsetType | None = msgspec.field(default=msgspec.UNSET, name="parentUuid")
    session: str | None = msgspec.field(default=None, name="sessionId")
    timestamp: datetime | None = None
    cwd: str | None = None
    side: bool = msgspec.field(default=False, name="isSidechain")
    agent: str | None = msgspec.field(default=None, name="agentId")
    meta: bool = msgspec.field(default=False, name="isMeta")
    summary_of_history: bool = msgspec.field(default=False, name="isCompactSummary")
    api_error: bool = msgspec.field(default=False, name="isApiErrorMessage")
    prompt: str | None = msgspec.field(default=None, name="promptId")
    message: Message | None = None
    result: Outcome | str | list[msgspec.Raw] | bool | float | None = msgspec.field(
        default=None, name="toolUseResult"
    )
    attachment: msgspec.Raw = NOTHING
    error: msgspec.Raw = NOTHING
    retry_in_ms: float | None = msgspec.field(default=None, name="retryInMs")
    cost_usd: float | None = msgspec.field(default=None, name="costUSD")
    title: str | None = msgspec.field(default=None, name="aiTitle")
    own_title: str | None = msgspec.field(default=None, name="customTitle")
    summary: str | None = None
    # Only in stream-json:
    session_id: str | None = None
    parent_tool_use_id: str | None = None
    total_cost_usd: float | None = None
    model_usage: msgspec.Raw = msgspec.field(default=NOTHING, name="modelUsage")
    event: msgspec.Raw = NOTHING

    @property
    def at_ns(self) -> int | None:
        """When it was written: nanoseconds since the epoch."""
        return None if self.timestamp is None else ns_of(self.timestamp)


class _OpenMessage(Message, gc=False):
    """A message whose content has no known form."""

    content: msgspec.Raw = NOTHING  # type: ignore[assignment]


class _OpenLine(Line, gc=False):
    message: _OpenMessage | None = None
    result: msgspec.Raw = msgspec.field(default=NOTHING, name="toolUseResult")  # type: ignore[assignment]


_decode = msgspec.json.Decoder(Line).decode
_decode_open = msgspec.json.Decoder(_OpenLine).decode
_FIELDS = {field.encode_name: field for field in msgspec.structs.fields(Line)}
_OF_MESSAGE = {field.encode_name: field for field in msgspec.structs.fields(_OpenMessage)}


def decode_line(line: bytes) -> Line:
    """The line, as far as its fields have the types that are known.

    Errors: ``msgspec.DecodeError`` or ``UnicodeDecodeError`` for what is no JSON object.
    """
    try:
        return _decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass  # it may be the content alone, or the result's twin
    try:
        return _decode_open(line)
    except msgspec.ValidationError:
        value = msgspec.json.decode(line)
        if not isinstance(value, dict):
            raise
        return Line(**_fitting(value, _FIELDS))


def _fitting(value: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    """The fields whose value has the expected type."""
    fitting: dict[str, Any] = {}
    for name, field in fields.items():
        if name not in value:
            continue
        given = value[name]
        try:
            if field.type is msgspec.Raw:
                fitting[field.name] = msgspec.Raw(msgspec.json.encode(given))
            elif name == "message":
                if isinstance(given, dict):
                    fitting[field.name] = _OpenMessage(**_fitting(given, _OF_MESSAGE))
            else:
                fitting[field.name] = msgspec.convert(given, field.type)
        except (msgspec.MsgspecError, UnicodeEncodeError):
            continue
    return fitting
