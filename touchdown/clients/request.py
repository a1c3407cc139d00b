"""Reading what the SDK's base client is given: its options object, its URL, a failed attempt's answer."""

import time
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from touchdown.context.blocks import copied
from touchdown.records import Attempt
from touchdown.runtime.sent import Sent

ABSENT = frozenset({"Omit", "NotGiven"})
"""Types by which both SDKs say that an argument was not given."""


RAW_HEADER = "x-stainless-raw-response"
"""Header by which both SDKs mark a call of ``with_raw_response`` and ``with_streaming_response``."""


def attempt_of(
    response: object, failure: type | None, began: float, sent_ns: int | None = None
) -> Attempt:
    status = getattr(response, "status_code", None)
    headers = getattr(response, "headers", None)
    asked = headers.get("retry-after") if isinstance(headers, Mapping) else None
    return Attempt(
        status=status if isinstance(status, int) else None,
        backoff_s=time.monotonic() - began,
        retry_after_s=_seconds(asked),
        error_type=str(status) if status else (failure.__qualname__ if failure else "connection"),
        lasted_s=None if sent_ns is None else max(began - sent_ns / 1e9, 0.0),
    )


def _seconds(value: object) -> float | None:
    try:
        return float(value) if isinstance(value, str) else None
    except ValueError:
        return None


def options_of(args: tuple[object, ...], kwargs: dict[str, object], first: int = 1) -> object:
    return args[first] if len(args) > first else kwargs.get("options")


def with_options(
    options: object, args: tuple[object, ...], kwargs: dict[str, object]
) -> tuple[tuple[object, ...], dict[str, object]]:
    if len(args) > 1:
        return (args[0], options, *args[2:]), kwargs
    return args, {**kwargs, "options": options}


def method_of(options: object) -> str:
    return str(getattr(options, "method", "")).lower()


class Endpoint(Struct, frozen=True):
    """Where a client sends its requests, as the parts that are asked for."""

    url: object
    text: str = ""
    host: str = ""
    port: int | None = None


_MOST_ENDPOINTS = 256
_endpoints: dict[int, Endpoint] = {}


def endpoint_of(client: object) -> Endpoint:
    """The client's base URL. Taken apart once, for an SDK's URL object takes long to."""
    url = getattr(client, "base_url", None)
    known = _endpoints.get(id(url))
    if known is not None and known.url is url:
        return known
    host = str(getattr(url, "host", "") or "")
    made = Endpoint(url, "" if url is None else str(url), host, port_of(url))
    if len(_endpoints) >= _MOST_ENDPOINTS:
        _endpoints.clear()
    _endpoints[id(url)] = made
    return made


def path_of(options: object, client: object) -> str:
    """The path below the client's base URL, in the one form that the SDK's own methods use."""
    url = str(getattr(options, "url", "")).split("?", 1)[0]
    if url[:1] != "/":
        url = url.removeprefix(endpoint_of(client).text)
    return "/" + url.strip("/")


def port_of(url: object) -> int | None:
    port = getattr(url, "port", None)
    if isinstance(port, int):
        return port
    return {"https": 443, "http": 80}.get(str(getattr(url, "scheme", "")))


def parts_of(options: object) -> dict[str, object]:
    """The parameters of a request, as the method was given them."""
    parts = _given(getattr(options, "json_data", None))
    more = getattr(options, "extra_json", None)
    if more:
        parts.update(_given(more))
    return parts


def _given(part: object) -> dict[str, object]:
    if not isinstance(part, (dict, Mapping)):
        return {}
    return {key: value for key, value in part.items() if type(value).__name__ not in ABSENT}


def copy_of(options: Any) -> Any:
    """A copy of the SDK's options object, as pydantic makes it, at a third of the price."""
    fields_set = getattr(options, "__pydantic_fields_set__", None)
    private = getattr(options, "__pydantic_private__", None)
    if fields_set is None or private is not None:
        return options.model_copy() if hasattr(options, "model_copy") else options.copy()
    made, extra = object.__new__(type(options)), options.__pydantic_extra__
    set_slot = object.__setattr__
    set_slot(made, "__dict__", options.__dict__.copy())
    set_slot(made, "__pydantic_fields_set__", fields_set.copy())
    set_slot(made, "__pydantic_extra__", None if extra is None else extra.copy())
    set_slot(made, "__pydantic_private__", None)
    return made


def with_field(options: Any, name: str, value: object) -> object:
    """A copy of the options whose body says this too; what the host gave stays as it is."""
    changed = copy_of(options)
    extra = getattr(options, "extra_json", None)
    if isinstance(extra, Mapping) and name in extra:  # it goes before what the method was given
        changed.extra_json = {**extra, name: value}
    else:
        changed.json_data = {**(options.json_data or {}), name: value}
    return changed


def with_headers(options: Any, added: Mapping[str, str]) -> object:
    """A copy of the options with these headers; those that the host gave hold."""
    changed = copy_of(options)
    given = options.headers if isinstance(options.headers, Mapping) else {}
    names = {str(name).lower() for name in given}
    changed.headers = {**{k: v for k, v in added.items() if k not in names}, **given}
    return changed


def keep_body(sent: Sent, options: object) -> None:
    """Keep a shallow copy of the body as it is sent; what a platform client moved into the URL stays.

    The lists may be the host's own, which it goes on with. What was copied for a budget, or for an attempt
    before, and is the same still is not copied again.
    """
    body = {**sent.body, **parts_of(options)}
    copies: dict[str, object] = {}
    for name in ("messages", "input", "system", "tools"):
        value = body.get(name)
        if isinstance(value, list):
            known = sent.copies.get(name)
            same = known is not None and _is_same(known, value)
            body[name] = copies[name] = known if same else copied(value)
    sent.body, sent.copies = body, copies


def _is_same(known: object, value: object) -> bool:
    try:
        return bool(known == value)
    except Exception:  # objects of the host's own types
        return False


_KEY, _TOKEN = ("X-Api-Key", "x-api-key"), ("Authorization", "authorization")
_CREDENTIALS = {"anthropic": (*_KEY, *_TOKEN)}
_AS_BYTES = {name: name.encode() for name in (*_KEY, *_TOKEN)}


def credential_of(request: object, vendor: str) -> str:
    """What the request was sent with: as the SDKs write the header, else looked up, which takes long."""
    headers: Any = getattr(request, "headers", {})
    sent = dict(getattr(headers, "raw", ()))
    wanted = _CREDENTIALS.get(vendor, _TOKEN + _KEY)
    for name in wanted:
        value = sent.get(_AS_BYTES[name])
        if value:
            return str(value, "latin-1")
    return next((value for name in wanted if (value := headers.get(name))), "")


def read_as_bytes(options: object) -> bool:
    """Whether the host may read the bytes itself (``with_raw_response``, ``with_streaming_response``)."""
    headers = getattr(options, "headers", None)
    return isinstance(headers, Mapping) and any(str(name).lower() == RAW_HEADER for name in headers)
