"""Answers of Anthropic's Messages API: the message, and the same message as a stream."""

from __future__ import annotations

from collections.abc import Iterator

from touchdown.testing.provider.answer import pieces, server_sent_event
from touchdown.testing.provider.payload import (
    JsonObject,
    json_text,
    object_in,
    objects_in,
    text_in,
)
from touchdown.testing.provider.turn import Turn


def message(turn: Turn) -> JsonObject:
    """The body of an answer that is not streamed."""
    asked = isinstance(turn.body.get("diagnostics"), dict)
    diagnostics: JsonObject = {"diagnostics": turn.diagnosis} if asked else {}
    return {
        "id": turn.reply.response_id or turn.new_id("msg"),
        "type": "message",
        "role": "assistant",
        "model": turn.model,
        "content": _content(turn),
        "stop_reason": turn.stop_word(anthropic=True),
        "stop_sequence": None,
        "usage": _usage(turn),
        **diagnostics,
    }


def message_events(whole: JsonObject, chunk_chars: int) -> Iterator[bytes]:
    """The events of `whole`, streamed in the order the API sends them."""
    usage = object_in(whole["usage"])
    output_tokens = usage.get("output_tokens")
    started = dict(usage)
    if isinstance(output_tokens, int):
        started["output_tokens"] = min(output_tokens, 1)
    yield _event(
        "message_start",
        message={**whole, "content": [], "stop_reason": None, "usage": started},
    )
    for index, block in enumerate(objects_in(whole["content"])):
        yield from _block_events(index, block, chunk_chars)
        if index == 0:
            yield _event("ping")
    yield _event(
        "message_delta",
        delta={"stop_reason": whole["stop_reason"], "stop_sequence": None},
        usage={key: usage[key] for key in usage if key in _DELTA_USAGE},
    )
    yield _event("message_stop")


_DELTA_USAGE = (
    "input_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
    "output_tokens_details",
    "server_tool_use",
    "iterations",
)


def _content(turn: Turn) -> list[JsonObject]:
    if turn.is_prewarm:
        return []
    blocks: list[JsonObject] = []
    reply = turn.reply
    if reply.reasoning:
        blocks.append(
            {"type": "thinking", "thinking": reply.reasoning, "signature": turn.new_id("sig")}
        )
    if reply.text:
        blocks.append({"type": "text", "text": reply.text})
    for call_id, use in turn.identified("toolu"):
        blocks.append(
            {"type": "tool_use", "id": call_id, "name": use.name, "input": dict(use.input)}
        )
    return blocks


def _usage(turn: Turn) -> JsonObject:
    """Usage as reported: `input_tokens` is what was neither read nor written."""
    if turn.reply.usage is not None:
        return dict(turn.reply.usage)
    plan, body = turn.plan, turn.body
    usage: JsonObject = {
        "input_tokens": plan.uncached_tokens,
        "cache_creation_input_tokens": plan.total_written_tokens,
        "cache_read_input_tokens": plan.read_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": plan.written_tokens.get("5m", 0),
            "ephemeral_1h_input_tokens": plan.written_tokens.get("1h", 0),
        },
        "output_tokens": turn.output_tokens,
        "service_tier": turn.reply.service_tier or "standard",
        "inference_geo": text_in(body.get("inference_geo")) or "global",
    }
    if turn.reply.reasoning:
        usage["output_tokens_details"] = {"thinking_tokens": turn.reasoning_tokens}
    if body.get("speed"):
        usage["speed"] = body["speed"]
    return usage


def _block_events(index: int, block: JsonObject, chars: int) -> Iterator[bytes]:
    yield _event("content_block_start", index=index, content_block=_opened(block))
    for delta in _deltas(block, chars):
        yield _event("content_block_delta", index=index, delta=delta)
    yield _event("content_block_stop", index=index)


def _opened(block: JsonObject) -> JsonObject:
    empty: JsonObject = {"text": "", "thinking": "", "signature": "", "input": {}}
    return {key: empty.get(key, value) for key, value in block.items()}


def _deltas(block: JsonObject, chars: int) -> Iterator[JsonObject]:
    if block["type"] == "thinking":
        for piece in pieces(text_in(block["thinking"]), chars):
            yield {"type": "thinking_delta", "thinking": piece}
        yield {"type": "signature_delta", "signature": block["signature"]}
    elif block["type"] == "text":
        for piece in pieces(text_in(block["text"]), chars):
            yield {"type": "text_delta", "text": piece}
    else:
        yield {"type": "input_json_delta", "partial_json": ""}
        for piece in pieces(json_text(block["input"]), chars):
            yield {"type": "input_json_delta", "partial_json": piece}


def _event(name: str, **fields: object) -> bytes:
    return server_sent_event({"type": name, **fields}, name)
