"""Reading what the SDK's base client is given: its options object, its URL, a failed attempt's answer."""

import time
from collections.abc import Callable, Mapping
from types import MemberDescriptorType, ModuleType
from typing import Any

from touchdown.clients.endpoint import endpoint_of
from touchdown.clients.fields import field_of
from touchdown.context.blocks import copied
from touchdown.records import Attempt
from touchdown.runtime.guard import pass_on
from touchdown.runtime.sent import Sent

ABSENT = frozenset({"Omit", "NotGiven"})
"""Types by which both SDKs say that an argument was not given."""

_absent: set[type] = set()

Setter = Callable[[object, object], None]
SLOTS = ("fields_set", "extra", "private")
MOST_CLASSES = 64
_slots: dict[type, tuple[Setter, Setter, Setter]] = {}

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
    method = field_of(options, "method")
    return method if method == "post" else str(method or "").lower()


def path_of(options: object, client: object) -> str:
    """The path below the client's base URL, in the one form that the SDK's own methods use."""
    url = str(field_of(options, "url") or "").split("?", 1)[0]
    if url[:1] != "/":
        url = url.removeprefix(endpoint_of(client).text)
    return "/" + url.strip("/")


def know_absent(types: ModuleType) -> None:
    """Tell by which types an SDK says that an argument was not given: they are looked for in each request."""
    _absent.update(vars(types)[name] for name in ABSENT & vars(types).keys())


def parts_of(options: object) -> dict[str, object]:
    """The parameters of a request, as the method was given them."""
    parts = field_of(options, "json_data")
    more = field_of(options, "extra_json")
    if type(parts) is not dict:
        parts = dict(parts) if isinstance(parts, Mapping) else {}
    absent = _absent
    given = {name: value for name, value in parts.items() if type(value) not in absent}
    if more and isinstance(more, Mapping):
        given.update({name: value for name, value in more.items() if type(value) not in absent})
    return given


def given_in(options: object) -> dict[str, object] | None:
    """What :func:`parts_of` reads, where that is one mapping."""
    given = field_of(options, "json_data")
    return given if type(given) is dict and not field_of(options, "extra_json") else None


def copy_of(options: Any) -> Any:
    """A copy of the SDK's options object, as pydantic makes it, at a third of the price."""
    kind = type(options)
    slots = _slots.get(kind) or _slots_of(kind)
    if slots is None or options.__pydantic_private__ is not None:
        return options.model_copy() if hasattr(options, "model_copy") else options.copy()
    set_fields, set_extra, set_private = slots
    extra = options.__pydantic_extra__
    made = object.__new__(kind)
    made.__dict__.update(options.__dict__)
    set_fields(made, options.__pydantic_fields_set__.copy())
    set_extra(made, None if extra is None else extra.copy())
    set_private(made, None)
    return made


def _slots_of(kind: type) -> tuple[Setter, Setter, Setter] | None:
    """How to fill the places that pydantic's objects have beside their fields; ``None`` for other ones."""
    places = [getattr(kind, f"__pydantic_{name}__", None) for name in SLOTS]
    if not all(isinstance(place, MemberDescriptorType) for place in places):
        return None
    fields_set, extra, private = (place.__set__ for place in places if place is not None)
    if len(_slots) < MOST_CLASSES:
        _slots[kind] = fields_set, extra, private
    return fields_set, extra, private


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


LISTS = ("messages", "input", "system", "tools")
"""Where a request has lists that the host may go on with."""


def keep_body(sent: Sent, options: object) -> bool:
    """Keep a shallow copy of the body as it is sent; what a platform client moved into the URL stays.

    The lists may be the host's own, which it goes on with. What was copied for a budget, or for an attempt
    before, and is the same still is not copied again. Whether there were such copies, and not all are.
    """
    read, sent.given = sent.given, None
    if read is not None and _is_same(read, given_in(options)):
        body = dict(sent.body)
    else:
        body = {**sent.body, **parts_of(options)}
    before, same = sent.copies, 0
    copies: dict[str, object] = {}
    for name in LISTS:
        value = body.get(name)
        if isinstance(value, list):
            known = before.get(name)
            if known is not None and _is_same(known, value):
                same += 1
            else:
                known = copied(value)
            body[name] = copies[name] = known
    sent.body, sent.copies = body, copies
    return bool(before) and not same == len(before) == len(copies)


def _is_same(known: object, value: object) -> bool:
    try:
        return bool(known == value)
    except Exception as error:  # objects of the host's own types
        pass_on(error)
        return False


_KEY, _TOKEN = b"x-api-key", b"authorization"
_places = {_KEY: 0, _TOKEN: 0}
"""Where among the headers each was last: an SDK writes its own in one order."""
_WANTED = {"anthropic": (_KEY, _TOKEN)}


def credential_of(request: object, vendor: str) -> str:
    """What the request was sent with: looked for in its headers as httpx holds them, of others asked for."""
    headers: Any = field_of(request, "headers")
    wanted = _WANTED.get(vendor, (_TOKEN, _KEY))
    try:
        held = headers._list
        for name in wanted:
            place = _places[name]
            if place >= len(held) or held[place][1] != name:
                place = _place_of(name, held)
            if place >= 0 and (value := held[place][2]):
                return str(value, "latin-1")
    except (AttributeError, TypeError, IndexError):  # another library's
        ask = getattr(headers, "get", lambda _name: None)
        return next((value for name in wanted if (value := ask(name.decode()))), "")
    return ""


def _place_of(name: bytes, held: list[tuple[bytes, bytes, bytes]]) -> int:
    for place, header in enumerate(held):
        if header[1] == name:
            _places[name] = place
            return place
    return -1


def read_as_bytes(options: object) -> bool:
    """Whether the host may read the bytes itself (``with_raw_response``, ``with_streaming_response``)."""
    headers = getattr(options, "headers", None)
    return isinstance(headers, Mapping) and any(str(name).lower() == RAW_HEADER for name in headers)
