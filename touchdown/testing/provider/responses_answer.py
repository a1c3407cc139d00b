"""Answers of OpenAI's Responses API: the response, and the same as a sequence of events."""

from __future__ import annotations

from collections.abc import Iterator

from touchdown.testing.provider.answer import pieces, server_sent_event
from touchdown.testing.provider.cache_rules import openai_rule
from touchdown.testing.provider.chat_answer import answered_tier
from touchdown.testing.provider.payload import JsonObject, json_text, object_in, objects_in, text_in
from touchdown.testing.provider.turn import Turn


def response(turn: Turn) -> JsonObject:
    """The body of a finished response."""
    asked = turn.diagnosis is not None
    diagnostics: JsonObject = {"prompt_cache_diagnostics": turn.diagnosis} if asked else {}
    cut_short = not turn.is_prewarm and turn.stop_word(anthropic=False) == "length"
    return {
        **_head(turn),
        "status": "incomplete" if cut_short else "completed",
        "completed_at": int(turn.at),
        "incomplete_details": {"reason": "max_output_tokens"} if cut_short else None,
        "output": _output(turn),
        "usage": _usage(turn),
        **diagnostics,
    }


def unfinished(whole: JsonObject, status: str) -> JsonObject:
    """`whole` as it looked before there was any output."""
    early: JsonObject = {"output": [], "usage": None, "completed_at": None}
    return {**whole, **early, "status": status, "incomplete_details": None}


def compacted(turn: Turn, given: list[JsonObject]) -> JsonObject:
    """The answer of `responses/compact`: the user's messages, and the rest in one item."""
    kept = [{"type": "message", **item} for item in given if item.get("role") == "user"]
    rest: JsonObject = {
        "id": turn.new_id("cmp"),
        "type": "compaction",
        "encrypted_content": turn.reply.text,
    }
    return {
        "id": turn.reply.response_id or turn.new_id("resp"),
        "object": "response.compaction",
        "created_at": int(turn.at),
        "output": [*kept, rest],
        "usage": _usage(turn),
    }


def response_events(whole: JsonObject, chunk_chars: int, after: int = -1) -> Iterator[bytes]:
    """The events of a streamed response, numbered in sequence; those `after` a number when read again."""
    for number, event in enumerate(_events(whole, chunk_chars)):
        if number > after:
            yield server_sent_event({**event, "sequence_number": number}, text_in(event["type"]))


def _events(whole: JsonObject, chunk_chars: int) -> Iterator[JsonObject]:
    yield {"type": "response.created", "response": unfinished(whole, "in_progress")}
    if whole["background"]:
        yield {"type": "response.queued", "response": unfinished(whole, "queued")}
    yield {"type": "response.in_progress", "response": unfinished(whole, "in_progress")}
    for index, item in enumerate(objects_in(whole["output"])):
        place: JsonObject = {"output_index": index, "item_id": item["id"]}
        yield {"type": "response.output_item.added", "output_index": index, "item": _opened(item)}
        if item["type"] == "reasoning":
            yield from _summary_events(item, place, chunk_chars)
        elif item["type"] == "message":
            yield from _text_events(item, place, chunk_chars)
        else:
            yield from _call_events(item, place, chunk_chars)
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    yield {"type": f"response.{whole['status']}", "response": whole}


def _opened(item: JsonObject) -> JsonObject:
    empty: JsonObject = {"content": [], "summary": [], "arguments": "", "status": "in_progress"}
    return {key: empty.get(key, value) for key, value in item.items()}


def _text_events(item: JsonObject, place: JsonObject, chars: int) -> Iterator[JsonObject]:
    part = objects_in(item["content"])[0]
    text = text_in(part["text"])
    place = {**place, "content_index": 0}
    yield {"type": "response.content_part.added", **place, "part": {**part, "text": ""}}
    for piece in pieces(text, chars):
        yield {"type": "response.output_text.delta", **place, "delta": piece, "logprobs": []}
    yield {"type": "response.output_text.done", **place, "text": text, "logprobs": []}
    yield {"type": "response.content_part.done", **place, "part": part}


def _summary_events(item: JsonObject, place: JsonObject, chars: int) -> Iterator[JsonObject]:
    part = objects_in(item["summary"])[0]
    text = text_in(part["text"])
    place = {**place, "summary_index": 0}
    name = "response.reasoning_summary"
    yield {"type": f"{name}_part.added", **place, "part": {**part, "text": ""}}
    for piece in pieces(text, chars):
        yield {"type": f"{name}_text.delta", **place, "delta": piece}
    yield {"type": f"{name}_text.done", **place, "text": text}
    yield {"type": f"{name}_part.done", **place, "part": part}


def _call_events(item: JsonObject, place: JsonObject, chars: int) -> Iterator[JsonObject]:
    arguments = text_in(item["arguments"])
    name = "response.function_call_arguments"
    for piece in pieces(arguments, chars):
        yield {"type": f"{name}.delta", **place, "delta": piece}
    yield {"type": f"{name}.done", **place, "name": item["name"], "arguments": arguments}


def _head(turn: Turn) -> JsonObject:
    """The fields that echo the request."""
    body = turn.body
    text = object_in(body.get("text"))
    return {
        "id": turn.reply.response_id or turn.new_id("resp"),
        "object": "response",
        "created_at": int(turn.at),
        "background": bool(body.get("background")),
        "error": None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "metadata": object_in(body.get("metadata")),
        "model": turn.model,
        "parallel_tool_calls": body.get("parallel_tool_calls") is not False,
        "previous_response_id": body.get("previous_response_id"),
        "prompt_cache_key": body.get("prompt_cache_key"),
        "reasoning": object_in(body.get("reasoning")) or {"effort": None, "summary": None},
        "service_tier": answered_tier(turn),
        "store": body.get("store") is not False,
        "temperature": body.get("temperature", 1.0),
        "text": {**text, "format": text.get("format") or {"type": "text"}},
        "tool_choice": body.get("tool_choice") or "auto",
        "tools": objects_in(body.get("tools")),
        "top_p": body.get("top_p", 1.0),
        "truncation": body.get("truncation") or "disabled",
        "user": body.get("user"),
    }


def _output(turn: Turn) -> list[JsonObject]:
    items: list[JsonObject] = []
    reply = turn.reply
    if turn.is_prewarm:
        return items
    if reply.reasoning:
        summary: JsonObject = {"type": "summary_text", "text": reply.reasoning}
        items.append({"id": turn.new_id("rs"), "type": "reasoning", "summary": [summary]})
    if reply.text or not reply.tool_uses:
        part: JsonObject = {
            "type": "output_text",
            "text": reply.text,
            "annotations": [],
            "logprobs": [],
        }
        items.append(
            {
                "id": turn.new_id("msg"),
                "type": "message",
                "role": "assistant",
                "status": "completed",
                "content": [part],
            }
        )
    for call_id, use in turn.identified("call"):
        items.append(
            {
                "id": turn.new_id("fc"),
                "type": "function_call",
                "status": "completed",
                "call_id": call_id,
                "name": use.name,
                "arguments": json_text(use.input),
            }
        )
    return items


def _usage(turn: Turn) -> JsonObject:
    """Usage as reported: `input_tokens` includes what was read and written."""
    if turn.reply.usage is not None:
        return dict(turn.reply.usage)
    plan = turn.plan
    details: JsonObject = {
        "cached_tokens": plan.read_tokens,
        "cache_write_tokens": plan.total_written_tokens,
    }
    if openai_rule(turn.request.model).reports_writes:
        details["cache_write_tokens_details"] = {
            "ttl_30m_tokens": plan.written_tokens.get("30m", 0),
            "ttl_12h_tokens": plan.written_tokens.get("12h", 0),
        }
    return {
        "input_tokens": plan.input_tokens,
        "input_tokens_details": details,
        "output_tokens": turn.output_tokens,
        "output_tokens_details": {"reasoning_tokens": turn.reasoning_tokens},
        "total_tokens": plan.input_tokens + turn.output_tokens,
    }
