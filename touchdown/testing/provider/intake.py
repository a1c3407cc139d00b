"""A received request, understood: its route, its prompt, and what the cache holds of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from msgspec import Struct

from touchdown.testing.provider.anthropic_cache import plan_anthropic
from touchdown.testing.provider.anthropic_prompt import read_anthropic_prompt
from touchdown.testing.provider.catalogue import embedded_texts
from touchdown.testing.provider.openai_cache import plan_openai
from touchdown.testing.provider.openai_prompt import (
    read_cache_options,
    read_chat_prompt,
    read_responses_prompt,
)
from touchdown.testing.provider.payload import JsonObject, decode_object, text_in
from touchdown.testing.provider.prefix_cache import CachePlan, PrefixCache
from touchdown.testing.provider.prompt import Prompt, Segment
from touchdown.testing.provider.request import Request
from touchdown.testing.provider.response_store import ResponseStore
from touchdown.testing.provider.routes import Route, find_route
from touchdown.testing.provider.server import Received
from touchdown.testing.provider.thread_store import ThreadStore
from touchdown.testing.provider.tokens import count_tokens

_CREDENTIAL_HEADERS = ("x-api-key", "api-key", "authorization")


class Call(Struct, frozen=True):
    """A request, and what answering it starts from. `plan` is the cache as of its arrival.

    `whole` is the body with what its message thread holds; None where that is not held.
    """

    request: Request
    whole: JsonObject | None
    route: Route
    prompt: Prompt
    plan: CachePlan
    request_id: str


def read_call(
    received: Received,
    *,
    cache: PrefixCache,
    store: ResponseStore,
    threads: ThreadStore,
    now_s: float,
    request_id: str,
) -> Call:
    """Decode `received` and look its prompt up in the cache."""
    parts = urlsplit(received.target)
    route = find_route(received.method, parts.path)
    body = decode_object(received.body)
    model = route.model or text_in(body.get("model"))
    credential = _credential(received.headers)
    whole = threads.whole(body, now_s)
    prompt = _read_prompt(route, body if whole is None else whole, model, credential, store)
    request = Request(
        method=received.method,
        path=parts.path,
        headers=received.headers,
        body=body,
        at=now_s,
        query=dict(parse_qsl(parts.query, keep_blank_values=True)),
        api=route.api,
        model=model,
        stream=body.get("stream") is True or route.action == "stream",
        input_tokens=prompt.tokens,
        raw=received.body,
    )
    return Call(request, whole, route, prompt, _plan(route, body, prompt, cache, now_s), request_id)


def _read_prompt(
    route: Route, body: JsonObject, model: str, credential: str, store: ResponseStore
) -> Prompt:
    if route.api == "anthropic.messages":
        # Top-level cache control is not offered on Bedrock.
        automatic = route.platform != "bedrock"
        return read_anthropic_prompt(body, model=model, credential=credential, automatic=automatic)
    if route.api == "openai.chat":
        return read_chat_prompt(body, model=model, credential=credential)
    if route.api == "openai.responses":
        earlier = store.context(text_in(body.get("previous_response_id"))) or []
        return read_responses_prompt(body, model=model, credential=credential, earlier=earlier)
    texts = embedded_texts(body)
    segments = tuple(Segment("input", text, count_tokens(text, model)) for text in texts)
    return Prompt(credential, model, segments)


def _plan(
    route: Route, body: JsonObject, prompt: Prompt, cache: PrefixCache, now_s: float
) -> CachePlan:
    if route.api == "anthropic.messages":
        return plan_anthropic(prompt, cache, now_s)
    if route.api in ("openai.chat", "openai.responses"):
        return plan_openai(prompt, read_cache_options(body, prompt.model), cache, now_s)
    return CachePlan(prompt.tokens)


def _credential(headers: Mapping[str, str]) -> str:
    """Who asks, as a digest: the cache needs to tell keys apart, not to know them."""
    given = next((headers[name] for name in _CREDENTIAL_HEADERS if name in headers), "")
    return hashlib.blake2b(given.removeprefix("Bearer ").encode(), digest_size=16).hexdigest()
