"""Reading decoded JSON without trusting its shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

JsonObject: TypeAlias = dict[str, object]


def text_in(value: object) -> str:
    """`value` if it is a string, else the empty string."""
    return value if isinstance(value, str) else ""


def object_in(value: object) -> JsonObject:
    """`value` if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def objects_in(value: object) -> list[JsonObject]:
    """The JSON objects of a list; anything else is skipped."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def json_text(value: object) -> str:
    """Compact JSON, keys in the order given: a prompt cache sees the order of keys."""
    return msgspec.json.encode(value).decode()


def json_bytes(value: Mapping[str, object]) -> bytes:
    """A JSON body as it goes over the wire."""
    return msgspec.json.encode(value)


def decode_object(raw: bytes) -> JsonObject:
    """The JSON object in `raw`; empty if the bytes hold anything else."""
    try:
        return object_in(msgspec.json.decode(raw))
    except msgspec.DecodeError:
        return {}
