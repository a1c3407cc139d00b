"""A request as the provider received it."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from touchdown.testing.provider.payload import JsonObject, json_text, objects_in, text_in
from touchdown.testing.provider.routes import Api

_TEXT_PARTS = ("text", "input_text", "output_text")


class Request(Struct, frozen=True):
    """One HTTP request, decoded.

    `path` comes without its query, header names in lower case; `body` is empty where the bytes
    were no JSON object. `input_tokens` is the size of the whole input, with what the provider
    keeps of earlier responses.

    Units: `at` in seconds of the provider's clock.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: JsonObject
    at: float
    query: Mapping[str, str] = field(default_factory=dict)
    api: Api = "other"
    model: str = ""
    stream: bool = False
    input_tokens: int = 0
    raw: bytes = b""

    @property
    def last_user_text(self) -> str:
        """The text of the latest user message that has any."""
        given = self.body.get("input")
        if isinstance(given, str):
            return given
        for message in reversed(self._messages()):
            if message.get("role") == "user":
                text = _text(message.get("content"))
                if text:
                    return text
        return ""

    @property
    def tool_results(self) -> list[tuple[str, str]]:
        """Every tool result in the body, in order: the id of its call, and its text."""
        found = []
        for message in self._messages():
            if message.get("role") == "tool":
                found.append((text_in(message.get("tool_call_id")), _text(message.get("content"))))
            elif message.get("type") == "function_call_output":
                found.append((text_in(message.get("call_id")), _text(message.get("output"))))
            for block in objects_in(message.get("content")):
                if block.get("type") == "tool_result":
                    found.append((text_in(block.get("tool_use_id")), _text(block.get("content"))))
        return found

    def _messages(self) -> list[JsonObject]:
        return objects_in(self.body.get("messages")) or objects_in(self.body.get("input"))


def _text(content: object) -> str:
    """The text of a content field: a string, or the text parts of a list."""
    if isinstance(content, str):
        return content
    if isinstance(content, dict):
        return json_text(content)
    parts = [part for part in objects_in(content) if part.get("type") in _TEXT_PARTS]
    return "".join(text_in(part.get("text")) for part in parts)
