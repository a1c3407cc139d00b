"""An OpenAI request as the cache sees it: tools, then the messages or items in order."""

from __future__ import annotations

from touchdown.testing.provider.cache_rules import openai_rule
from touchdown.testing.provider.openai_cache import CacheOptions
from touchdown.testing.provider.payload import (
    JsonObject,
    json_text,
    object_in,
    objects_in,
    text_in,
)
from touchdown.testing.provider.prompt import Level, Prompt, Segment
from touchdown.testing.provider.tokens import IMAGE_TOKENS, count_tokens

_MARKER = "prompt_cache_breakpoint"
_IMAGES = ("image_url", "input_image", "input_audio", "file", "input_file")


def read_chat_prompt(body: JsonObject, *, model: str, credential: str) -> Prompt:
    """The segments of a Chat Completions request."""
    segments = _preamble(body, model, body.get("response_format"))
    for message in objects_in(body.get("messages")):
        segments += _message(message, model)
    return Prompt(_scope(body, credential, model), model, tuple(segments))


def read_responses_prompt(
    body: JsonObject, *, model: str, credential: str, earlier: list[JsonObject]
) -> Prompt:
    """The segments of a Responses request; `earlier` are the items kept by the provider."""
    segments = _preamble(body, model, object_in(body.get("text")).get("format"))
    if text_in(body.get("instructions")):
        head: JsonObject = {"role": "system", "content": body["instructions"]}
        segments += _message(head, model)
    for item in [*earlier, *input_items(body)]:
        segments += _message(item, model)
    return Prompt(_scope(body, credential, model), model, tuple(segments))


def input_items(body: JsonObject) -> list[JsonObject]:
    """The items of a Responses request; a bare string is one user message."""
    given = body.get("input")
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    return objects_in(given)


def read_cache_options(body: JsonObject, model: str) -> CacheOptions:
    """The caching words of a request, as its model understands them."""
    options = object_in(body.get("prompt_cache_options"))
    if openai_rule(model).block_tokens:
        return CacheOptions(life=text_in(body.get("prompt_cache_retention")) or None)
    return CacheOptions(
        mode=text_in(options.get("mode")) or "implicit", life=text_in(options.get("ttl")) or None
    )


def _scope(body: JsonObject, credential: str, model: str) -> str:
    """Who can read an entry: the credential, the cache key and, on newer models, some settings.

    Source: the reasons of https://developers.openai.com/api/docs/guides/prompt-caching/diagnostics.md
    """
    parts = [credential, text_in(body.get("prompt_cache_key"))]
    if not openai_rule(model).block_tokens:
        effort = body.get("reasoning_effort") or object_in(body.get("reasoning")).get("effort")
        verbosity = body.get("verbosity") or object_in(body.get("text")).get("verbosity")
        parts.append(json_text([effort, verbosity, body.get("service_tier")]))
    return json_text(parts)


def _preamble(body: JsonObject, model: str, answer_format: object) -> list[Segment]:
    tools = [json_text(tool) for tool in objects_in(body.get("tools"))]
    segments = [_plain("tool", text, model, "tools") for text in tools]
    if text_in(object_in(answer_format).get("type")) == "json_schema":
        segments.append(_plain("format", json_text(answer_format), model, "system"))
    return segments


def _plain(label: str, text: str, model: str, level: Level = "messages") -> Segment:
    return Segment(label, text, count_tokens(text, model), level)


def _message(message: JsonObject, model: str) -> list[Segment]:
    """One message of either API, one segment per content part."""
    role = text_in(message.get("role"))
    kind = text_in(message.get("type"))
    label = f"{role or kind}:{text_in(message.get('tool_call_id'))}"
    if kind and kind != "message":
        text = text_in(message.get("output"))
        label = f"{kind}:{text_in(message.get('call_id'))}"
        segments = [_plain(label, text or json_text(_significant(message)), model)]
    else:
        segments = [_part(label, part, model) for part in _parts(message.get("content"))]
        segments += [
            _plain(label, json_text(call), model) for call in objects_in(message.get("tool_calls"))
        ]
    if segments and (role not in ("", "assistant") or kind.endswith("_output")):
        last = segments[-1]
        segments[-1] = Segment(
            last.label, last.text, last.tokens, life=last.life, ends_message=True
        )
    return segments


def _parts(content: object) -> list[JsonObject]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return objects_in(content)


def _part(label: str, part: JsonObject, model: str) -> Segment:
    marker = object_in(part.get(_MARKER))
    life = (text_in(marker.get("ttl")) or "") if marker else None
    if text_in(part.get("type")) in _IMAGES:
        return Segment(f"{label}:{json_text(part)}", "", IMAGE_TOKENS, life=life)
    text = text_in(part.get("text")) or text_in(part.get("refusal"))
    return Segment(label, text, count_tokens(text, model), life=life)


def _significant(item: JsonObject) -> JsonObject:
    """An item without what the provider alone knows, so that a replayed item equals a kept one."""
    return {key: item[key] for key in sorted(item) if key not in ("id", "status")}
