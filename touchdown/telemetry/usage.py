"""Token counts as span attributes, and the counts again."""

from typing import Any

import msgspec

from touchdown.records import ServerStep, Usage
from touchdown.telemetry import attributes as names
from touchdown.telemetry.facts import (
    TEXT,
    TEXTS,
    WHOLE,
    Attributes,
    CutError,
    Fact,
    Facts,
    Form,
    read_facts,
    read_template,
)
from touchdown.telemetry.telling import Telling


def _read_steps(value: Any) -> tuple[ServerStep, ...]:
    try:
        return tuple(msgspec.json.decode(str(item), type=ServerStep) for item in value)
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from error


STEPS = Form(_read_steps, lambda steps: tuple([msgspec.json.encode(s).decode() for s in steps]))
"""Server-side steps, one JSON object each."""

_FACTS = Facts(
    Fact("uncached", names.USAGE_UNCACHED, WHOLE),
    Fact("cache_read", names.CACHE_READ_TOKENS, WHOLE),
    Fact("output", names.OUTPUT_TOKENS, WHOLE),
    Fact("reasoning", names.REASONING_TOKENS, WHOLE),
    Fact("problems", names.USAGE_PROBLEMS, TEXTS),
    Fact("steps", names.USAGE_STEPS, STEPS),
    Fact("completeness", names.USAGE_COMPLETENESS, TEXT),
)
_TOLD = Facts(*_FACTS, Fact("input_tokens", names.INPUT_TOKENS, WHOLE))


def tell_usage(usage: Usage, told: Telling) -> None:
    """Token counts. What was not reported is absent; a 0 was reported as 0."""
    if usage.cache_write is not None:
        told.one(names.CACHE_WRITE_TOKENS, usage.written_tokens)
        told.template(names.USAGE_WRITE_LIFE, usage.cache_write)
    if usage.server_tools is not None:
        told.one(names.SERVER_TOOL_NAMES, tuple(usage.server_tools))
        told.one(names.SERVER_TOOL_REQUESTS, tuple(usage.server_tools.values()))
    told.facts(_TOLD, usage)


def read_usage(attributes: Attributes) -> Usage:
    """The counts that a span tells of."""
    written = read_template(names.USAGE_WRITE_LIFE, int, attributes)
    known = names.CACHE_WRITE_TOKENS in attributes
    return Usage(
        **read_facts(_FACTS, attributes),
        cache_write=written if written or known else None,
        server_tools=_server_tools(attributes),
    )


def _server_tools(attributes: Attributes) -> dict[str, int] | None:
    tools = attributes.get(names.SERVER_TOOL_NAMES)
    if tools is None:
        return None
    try:
        requests = [int(count) for count in attributes[names.SERVER_TOOL_REQUESTS]]  # type: ignore[union-attr, arg-type]
        return dict(zip((str(name) for name in tools), requests, strict=True))  # type: ignore[union-attr]
    except (KeyError, TypeError, ValueError) as error:
        raise CutError(f"{names.SERVER_TOOL_REQUESTS} cannot be read: {error}") from error
