"""From a recorded request to the call of the SDK that sends it again."""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email import message_from_string
from typing import Any

from tests.recordings.exchanges import Recorded


class CannotAskError(Exception):
    """This SDK has no call that sends this request; says why."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A method of a client and what it is given."""

    resource: str
    method: str
    given: Mapping[str, Any] = field(default_factory=dict)
    streamed: bool = False

    def bound(self, client: Any, wrapper: str = "") -> Callable[..., Any]:
        """The method of this client; ``wrapper`` is ``with_raw_response`` or its like."""
        owner = client
        for name in (*self.resource.split("."), wrapper):
            owner = getattr(owner, name, None) if name else owner
        if owner is None:
            raise CannotAskError(f"this SDK has no client.{self.resource}")
        return getattr(owner, self.method)

    def arguments(self, client: Any) -> dict[str, Any]:
        """What the method takes by name; what this SDK does not know yet goes as ``extra_body``."""
        known = inspect.signature(self.bound(client)).parameters
        named = {name: value for name, value in self.given.items() if name in known}
        extra = {name: value for name, value in self.given.items() if name not in known}
        return {**named, "extra_body": extra} if extra else named


@dataclass(frozen=True, slots=True)
class _Row:
    """A path of one vendor's API, and the method that asks it. ``given`` names what the path carries."""

    vendor: str
    method: str
    path: str
    resource: str
    sdk_method: str
    given: tuple[str, ...] = ()


ROWS = (
    _Row("anthropic", "POST", r"/v1/messages", "messages", "create"),
    _Row("anthropic", "POST", r"/v1/messages/count_tokens", "messages", "count_tokens"),
    _Row("anthropic", "POST", r"/v1/files", "files", "upload"),
    _Row("anthropic", "DELETE", r"/v1/files/([^/]+)", "files", "delete", ("file_id",)),
    _Row("openai", "POST", r"/v1/chat/completions", "chat.completions", "create"),
    _Row("openai", "POST", r"/v1/embeddings", "embeddings", "create"),
    _Row("openai", "POST", r"/v1/responses", "responses", "create"),
    _Row("openai", "GET", r"/v1/responses/([^/]+)", "responses", "retrieve", ("response_id",)),
    _Row("openai", "POST", r"/v1/responses/compact", "responses", "compact"),
    _Row("openai", "POST", r"/v1/responses/input_tokens", "responses.input_tokens", "count"),
    _Row("openai", "POST", r"/v1/conversations", "conversations", "create"),
    _Row(
        "openai",
        "DELETE",
        r"/v1/conversations/([^/]+)",
        "conversations",
        "delete",
        ("conversation_id",),
    ),
    _Row("openai", "POST", r"/v1/files", "files", "create"),
    _Row("openai", "DELETE", r"/v1/files/([^/]+)", "files", "delete", ("file_id",)),
    _Row("openai", "POST", r"/v1/vector_stores", "vector_stores", "create"),
    _Row(
        "openai",
        "DELETE",
        r"/v1/vector_stores/([^/]+)",
        "vector_stores",
        "delete",
        ("vector_store_id",),
    ),
    _Row(
        "openai",
        "POST",
        r"/v1/vector_stores/([^/]+)/files",
        "vector_stores.files",
        "create",
        ("vector_store_id",),
    ),
)

_QUERY_TYPES: dict[str, Callable[[str], object]] = {
    "stream": lambda value: value == "true",
    "starting_after": int,
}


def ask_for(recorded: Recorded) -> Ask:
    """The call that sends this request.

    Errors: :class:`CannotAskError` when no method of the SDK is known for it.
    """
    for row in ROWS:
        if (row.vendor, row.method) != (recorded.vendor, recorded.method):
            continue
        found = re.fullmatch(row.path, recorded.path)
        if found is not None:
            beta = "beta." if recorded.query.get("beta") == "true" else ""
            given = dict(zip(row.given, found.groups(), strict=True)) | _given(recorded)
            return Ask(beta + row.resource, row.sdk_method, given, recorded.streamed)
    raise CannotAskError(f"no SDK method is known for {recorded.method} {recorded.path}")


def _given(recorded: Recorded) -> dict[str, Any]:
    if isinstance(recorded.body, dict):
        return dict(recorded.body)
    if recorded.body:
        return _form(recorded.body)
    return {
        name: _QUERY_TYPES[name](value)
        for name, value in recorded.query.items()
        if name in _QUERY_TYPES
    }


def _form(text: str) -> dict[str, Any]:
    """The fields of a multipart form; a file as name, bytes and type."""
    boundary = text.partition("\r\n")[0].removeprefix("--")
    form = message_from_string(
        f'Content-Type: multipart/form-data; boundary="{boundary}"\r\n\r\n{text}'
    )
    fields: dict[str, Any] = {}
    for part in form.get_payload():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        file_name = part.get_filename()
        if file_name:
            fields[name] = (file_name, content, part.get_content_type())
        else:
            fields[name] = content.decode()
    return fields
