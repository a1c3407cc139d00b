"""Answers that no script decides: model lists and embeddings."""

from __future__ import annotations

import base64
import hashlib
import struct

from touchdown.testing.provider.payload import JsonObject
from touchdown.testing.provider.request import Request
from touchdown.testing.provider.tokens import count_tokens

_ANTHROPIC_MODELS = ("claude-opus-5", "claude-sonnet-5", "claude-haiku-4-5")
_OPENAI_MODELS = ("gpt-6-sol", "gpt-5.6-sol", "gpt-4o-mini", "text-embedding-3-small")
_DIMENSIONS = 16


def models(request: Request, model: str) -> JsonObject:
    """A short model list, or one model, for the vendor whose SDK asks."""
    anthropic = "anthropic-version" in request.headers
    if model:
        return _anthropic_model(model) if anthropic else _openai_model(model)
    if anthropic:
        listed = [_anthropic_model(name) for name in _ANTHROPIC_MODELS]
        ends: JsonObject = {"first_id": listed[0]["id"], "last_id": listed[-1]["id"]}
        return {"data": listed, "has_more": False, **ends}
    return {"object": "list", "data": [_openai_model(name) for name in _OPENAI_MODELS]}


def embeddings(request: Request) -> JsonObject:
    """A vector for each input, always the same for the same text."""
    texts = embedded_texts(request.body)
    as_text = request.body.get("encoding_format") == "base64"
    wanted = request.body.get("dimensions")
    size = wanted if isinstance(wanted, int) and wanted > 0 else _DIMENSIONS
    data: list[JsonObject] = []
    for index, text in enumerate(texts):
        vector = _vector(text, size)
        packed = base64.b64encode(struct.pack(f"<{size}f", *vector)).decode()
        data.append(
            {"object": "embedding", "index": index, "embedding": packed if as_text else vector}
        )
    tokens = sum(count_tokens(text, request.model) for text in texts)
    usage: JsonObject = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": request.model, "usage": usage}


def embedded_texts(body: JsonObject) -> list[str]:
    """The inputs of an embeddings request, token lists included."""
    given = body.get("input")
    if isinstance(given, str):
        return [given]
    return [str(item) for item in given] if isinstance(given, list) else []


def _vector(text: str, size: int) -> list[float]:
    raw = hashlib.shake_128(text.encode("utf-8", "surrogatepass")).digest(size)
    length = sum((byte - 127.5) ** 2 for byte in raw) ** 0.5
    return [(byte - 127.5) / length for byte in raw]


def _anthropic_model(name: str) -> JsonObject:
    return {
        "type": "model",
        "id": name,
        "display_name": name,
        "created_at": "2026-01-01T00:00:00Z",
    }


def _openai_model(name: str) -> JsonObject:
    return {"id": name, "object": "model", "created": 1_767_225_600, "owned_by": "loopback"}
