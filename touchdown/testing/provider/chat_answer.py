"""Answers of OpenAI's Chat Completions API: the completion, and the same in chunks."""

from __future__ import annotations

from collections.abc import Iterator

from touchdown.testing.provider.answer import pieces, server_sent_event
from touchdown.testing.provider.cache_rules import openai_rule
from touchdown.testing.provider.payload import JsonObject, json_text, object_in
from touchdown.testing.provider.turn import Turn

_TIERS = {"auto": "default", "fast": "priority"}


def completion(turn: Turn) -> JsonObject:
    """The body of an answer that is not streamed."""
    calls = _tool_calls(turn)
    text = "" if turn.is_prewarm else turn.reply.text
    answer: JsonObject = {
        "role": "assistant",
        "content": text if text or not calls else None,
        "refusal": None,
        "annotations": [],
    }
    if calls:
        answer["tool_calls"] = calls
    choice: JsonObject = {
        "index": 0,
        "message": answer,
        "logprobs": None,
        "finish_reason": turn.stop_word(anthropic=False),
    }
    return {
        **_head(turn, turn.reply.response_id or turn.new_id("chatcmpl"), "chat.completion"),
        "choices": [choice],
        "usage": _usage(turn),
    }


def completion_events(turn: Turn) -> Iterator[bytes]:
    """The chunks of a streamed answer; usage comes last, with no choices, if it was asked for."""
    asked = bool(object_in(turn.body.get("stream_options")).get("include_usage"))
    head = _head(turn, turn.reply.response_id or turn.new_id("chatcmpl"), "chat.completion.chunk")
    if asked:
        head["usage"] = None

    def chunk(delta: JsonObject, finish_reason: str | None = None) -> bytes:
        choice: JsonObject = {
            "index": 0,
            "delta": delta,
            "logprobs": None,
            "finish_reason": finish_reason,
        }
        return server_sent_event({**head, "choices": [choice]})

    yield chunk({"role": "assistant", "content": "", "refusal": None})
    if not turn.is_prewarm:
        for piece in pieces(turn.reply.text, turn.reply.chunk_chars):
            yield chunk({"content": piece})
        for index, call in enumerate(_tool_calls(turn)):
            for delta in _call_deltas(index, call, turn.reply.chunk_chars):
                yield chunk({"tool_calls": [delta]})
    yield chunk({}, turn.stop_word(anthropic=False))
    if asked:
        yield server_sent_event({**head, "choices": [], "usage": _usage(turn)})
    yield server_sent_event("[DONE]")


def answered_tier(turn: Turn) -> str:
    """The service tier in the answer, which is the one that is billed."""
    asked = turn.body.get("service_tier")
    word = asked if isinstance(asked, str) else "auto"
    return turn.reply.service_tier or _TIERS.get(word, word)


def _head(turn: Turn, answer_id: str, kind: str) -> JsonObject:
    return {
        "id": answer_id,
        "object": kind,
        "created": int(turn.at),
        "model": turn.model,
        "service_tier": answered_tier(turn),
        "system_fingerprint": "fp_loopback",
    }


def _usage(turn: Turn) -> JsonObject:
    """Usage as reported: `prompt_tokens` includes what was read and written."""
    if turn.reply.usage is not None:
        return dict(turn.reply.usage)
    plan = turn.plan
    details: JsonObject = {"cached_tokens": plan.read_tokens, "audio_tokens": 0}
    if openai_rule(turn.request.model).reports_writes:
        details["cache_write_tokens"] = plan.total_written_tokens
    return {
        "prompt_tokens": plan.input_tokens,
        "completion_tokens": turn.output_tokens,
        "total_tokens": plan.input_tokens + turn.output_tokens,
        "prompt_tokens_details": details,
        "completion_tokens_details": {
            "reasoning_tokens": turn.reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _tool_calls(turn: Turn) -> list[JsonObject]:
    return [
        {
            "id": call_id,
            "type": "function",
            "function": {"name": use.name, "arguments": json_text(use.input)},
        }
        for call_id, use in turn.identified("call")
    ]


def _call_deltas(index: int, call: JsonObject, chars: int) -> Iterator[JsonObject]:
    function = object_in(call["function"])
    yield {"index": index, **call, "function": {**function, "arguments": ""}}
    for piece in pieces(str(function["arguments"]), chars):
        yield {"index": index, "function": {"arguments": piece}}
