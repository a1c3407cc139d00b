"""Which API a path belongs to, on the vendors' own hosts and on the clouds that resell them."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias
from urllib.parse import unquote

from msgspec import Struct

Api: TypeAlias = Literal[
    "anthropic.messages", "openai.chat", "openai.responses", "openai.embeddings", "other"
]
Action: TypeAlias = Literal[
    "answer", "stream", "compact", "count", "get", "cancel", "models", "eventstream", "unknown"
]

_MODEL = r"(?P<model>[^/]+)"


class Route(Struct, frozen=True):
    """What a request asks for. `model` and `item_id` where the path carries them.

    `platform` is the reseller whose habits differ: `bedrock`, `vertex`, `azure`, or empty.
    """

    api: Api
    action: Action
    model: str = ""
    item_id: str = ""
    platform: str = ""


class _Pattern(Struct, frozen=True):
    method: str
    path: re.Pattern[str]
    api: Api
    action: Action
    platform: str = ""


def _row(
    method: str, path: str, api: Api, action: Action = "answer", platform: str = ""
) -> _Pattern:
    return _Pattern(method, re.compile(rf"(?:^|.*/){path}/?$"), api, action, platform)


_ANTHROPIC = rf"publishers/anthropic/models/{_MODEL}"
_AZURE = rf"openai/deployments/{_MODEL}"
_RESPONSE = r"responses/(?P<item_id>[^/]+)"

_PATTERNS = (
    _row("POST", "messages", "anthropic.messages"),
    _row("POST", "messages/count_tokens", "anthropic.messages", "count"),
    _row("POST", rf"model/{_MODEL}/invoke", "anthropic.messages", "answer", "bedrock"),
    _row(
        "POST",
        rf"model/{_MODEL}/invoke-with-response-stream",
        "anthropic.messages",
        "eventstream",
        "bedrock",
    ),
    _row("POST", rf"{_ANTHROPIC}:rawPredict", "anthropic.messages", "answer", "vertex"),
    _row("POST", rf"{_ANTHROPIC}:streamRawPredict", "anthropic.messages", "stream", "vertex"),
    _row("POST", rf"{_AZURE}/chat/completions", "openai.chat", "answer", "azure"),
    _row("POST", rf"{_AZURE}/embeddings", "openai.embeddings", "answer", "azure"),
    _row("POST", "chat/completions", "openai.chat"),
    _row("POST", "responses", "openai.responses"),
    _row("POST", "responses/input_tokens", "openai.responses", "count"),
    _row("POST", "responses/compact", "openai.responses", "compact"),
    _row("POST", rf"{_RESPONSE}/cancel", "openai.responses", "cancel"),
    _row("GET", _RESPONSE, "openai.responses", "get"),
    _row("POST", "embeddings", "openai.embeddings"),
    _row("GET", r"models(?:/(?P<item_id>[^/]+))?", "other", "models"),
)


def find_route(method: str, path: str) -> Route:
    """The route of `path`, given without its query."""
    for pattern in _PATTERNS:
        found = pattern.path.match(path) if pattern.method == method else None
        if found is not None:
            named = found.groupdict()
            return Route(
                pattern.api,
                pattern.action,
                model=unquote(named.get("model") or ""),
                item_id=unquote(named.get("item_id") or ""),
                platform=pattern.platform,
            )
    return Route("other", "unknown")
