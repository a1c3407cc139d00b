"""What is remembered of clients, options and classes: each is broken behind its back, and must be seen."""

import sys
from types import SimpleNamespace
from typing import Any

import httpx2
import openai
import pytest
import wrapt
from openai._models import FinalRequestOptions
from openai._types import NotGiven, Omit

from tests.clients.apis import CHAT, MESSAGES, Api
from tests.clients.conftest import Desk, make_client
from touchdown.clients import endpoint, request
from touchdown.clients.endpoint import endpoint_of
from touchdown.clients.request import copy_of, credential_of, parts_of
from touchdown.clients.wrapping import Wrapped
from touchdown.testing import Fault, Reply, capture

BOTH = pytest.mark.parametrize("api", [CHAT, MESSAGES], ids=str)


@BOTH
def test_a_base_url_that_is_set_later_is_the_next_call_s(api: Api, desk: Desk) -> None:
    desk.begin()
    with make_client(api.vendor, desk.url(api.vendor)) as client, capture() as seen:
        api.of(client).create(**api.ask)
        client.base_url = desk.url(api.vendor).replace("127.0.0.1", "localhost")
        api.of(client).create(**api.ask)
        before, after = seen.calls
    assert (before.host, after.host) == ("127.0.0.1", "localhost")
    assert before.port == after.port
    assert before.scope != after.scope


@BOTH
def test_a_key_that_is_set_later_is_the_next_call_s(api: Api, desk: Desk) -> None:
    desk.begin()
    with make_client(api.vendor, desk.url(api.vendor)) as client, capture() as seen:
        for key in ("one", "two", "one"):
            client.api_key = key
            api.of(client).create(**api.ask)
        first, second, third = (call.scope for call in seen.calls)
    assert first == third != second


@BOTH
def test_a_header_that_is_changed_in_place_is_the_next_call_s(api: Api, desk: Desk) -> None:
    desk.begin()
    name = "X-Api-Key" if api.vendor == "anthropic" else "Authorization"
    headers = {name: "one"}
    with make_client(api.vendor, desk.url(api.vendor)) as client, capture() as seen:
        api.of(client).create(**api.ask, extra_headers=headers)
        headers[name] = "two"
        api.of(client).create(**api.ask, extra_headers=headers)
        first, second = (call.scope for call in seen.calls)
    assert first != second


def test_a_class_that_finds_its_url_itself_is_asked_each_time(desk: Desk) -> None:
    desk.begin()
    hosts = ["127.0.0.1", "localhost"]
    url_of = type(openai.OpenAI(api_key="test").base_url)  # httpx's or httpx2's

    class Moving(openai.OpenAI):
        @property
        def base_url(self) -> Any:
            return url_of(desk.url("openai").rstrip("/") + "/").copy_with(host=hosts[0])

        @base_url.setter
        def base_url(self, url: Any) -> None:
            openai.OpenAI.base_url.fset(self, url)  # type: ignore[attr-defined]

    url = desk.url("openai")
    with Moving(api_key="test", base_url=url) as client, capture() as seen:
        for _ in range(2):
            endpoint_of(client)
        client.chat.completions.create(**CHAT.ask)
        hosts.reverse()
        client.chat.completions.create(**CHAT.ask)
        assert [call.host for call in seen.calls] == ["127.0.0.1", "localhost"]


def test_urls_and_classes_are_forgotten_beyond_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "MOST", 2)
    monkeypatch.setattr(endpoint, "_endpoints", {})
    monkeypatch.setattr(endpoint, "_plain", {})
    for number in range(9):
        kind = type(f"Client{number}", (), {"base_url": httpx2.URL(f"https://h{number}:1")})
        assert endpoint_of(kind()).host == f"h{number}"
        assert len(endpoint._endpoints) <= 2
        assert len(endpoint._plain) <= 2


@BOTH
def test_a_body_that_is_changed_between_calls_is_read_as_it_was_sent(api: Api, desk: Desk) -> None:
    desk.begin()
    message = {"role": "user", "content": "short"}
    with make_client(api.vendor, desk.url(api.vendor)) as client, capture() as seen:
        api.of(client).create(**{**api.ask, "messages": [message]})
        message["content"] = "much longer than it was before"
        api.of(client).create(**{**api.ask, "messages": [message]})
        message["content"] = ""
        sizes = [call.context.chars_by_kind["user"] for call in seen.calls]
    assert sizes == [len("short"), len("much longer than it was before")]


def test_options_are_copied_as_pydantic_copies_them() -> None:
    options = FinalRequestOptions.construct(method="post", url="/x", json_data={"a": 1})
    made, theirs = copy_of(options), options.model_copy()
    assert (made, made.model_fields_set) == (theirs, theirs.model_fields_set)
    assert made.__dict__ is not options.__dict__
    made.url = "/y"
    made.idempotency_key = "k"
    assert options.url == "/x"
    assert "idempotency_key" not in options.model_fields_set


def test_what_was_not_given_is_no_part() -> None:
    given = {"a": 1, "b": Omit(), "c": NotGiven(), "d": None}
    options = SimpleNamespace(json_data=given, extra_json={"e": Omit(), "a": 2})
    assert parts_of(options) == {"a": 2, "d": None}


HEADERS = (
    {"Authorization": "a"},
    {"authorization": "a", "X-API-KEY": "b"},
    {"x-api-key": "b"},
    {"x-api-key": "", "Authorization": "a"},
    {"Accept": "c"},
)


@pytest.mark.parametrize("vendor", ["openai", "anthropic"])
@pytest.mark.parametrize("headers", HEADERS, ids=str)
def test_the_credential_is_the_same_by_either_way(vendor: str, headers: dict[str, str]) -> None:
    sent = httpx2.Request("POST", "https://h/", headers=headers)
    asked_for = SimpleNamespace(headers=SimpleNamespace(get=sent.headers.get))
    assert credential_of(sent, vendor) == credential_of(asked_for, vendor)
    first = "x-api-key" if vendor == "anthropic" else "authorization"
    other = "authorization" if vendor == "anthropic" else "x-api-key"
    assert credential_of(sent, vendor) == (sent.headers.get(first) or sent.headers.get(other) or "")
    assert credential_of(SimpleNamespace(), vendor) == ""


def test_what_another_library_put_on_a_class_is_bound_to_its_object() -> None:
    met: list[object] = []

    class Theirs:
        def name(self) -> str:
            return "own"

        async def later(self) -> str:
            return "own"

    def look(wrapped: Any, instance: object, args: Any, kwargs: Any) -> Any:
        met.append(instance)
        return wrapped(*args, **kwargs)

    own = {name: vars(Theirs)[name] for name in ("name", "later")}
    theirs = {name: wrapt.FunctionWrapper(method, look) for name, method in own.items()}
    for name, method in theirs.items():
        setattr(Theirs, name, method)
    wrapped = Wrapped()
    wrapped.wrap(Theirs, "name", lambda method: lambda one: f"ours of {method(one)}")
    wrapped.wrap(Theirs, "later", lambda method: lambda one: method(one))
    one = Theirs()
    assert one.name() == "ours of own"
    assert Theirs.name.__name__ == "name"
    with pytest.raises(StopIteration):
        one.later().send(None)
    assert met == [one, one]
    wrapped.take_back()
    assert all(vars(Theirs)[name] is theirs[name] for name in own)


def test_slots_of_other_objects_are_left_to_them() -> None:
    class Older:
        __pydantic_fields_set__ = frozenset[str]()

        def copy(self) -> str:
            return "copied by itself"

    assert copy_of(Older()) == "copied by itself"
    assert Older not in request._slots


def test_readers_are_found_by_the_path_in_any_form(desk: Desk) -> None:
    desk.begin()
    with make_client("openai", desk.url("openai")) as client, capture() as seen:
        for path in ("/chat/completions", "chat/completions", "/chat/completions?a=b"):
            client.post(path, cast_to=object, body=CHAT.ask)
        client.post(f"{client.base_url}chat/completions", cast_to=object, body=CHAT.ask)
        found = [call.api for call in seen.calls]
    assert found == ["chat.completions"] * 4


@pytest.mark.parametrize("api", [CHAT, MESSAGES], ids=str)
def test_hooks_that_another_library_keeps_in_use_tell_nothing_after_their_end(
    api: Api, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = sys.modules[f"{api.vendor}._base_client"]
    inner = ("_sleep_for_retry", "_process_response", "_attempt_request")
    hooked = [(base.BaseClient, "_build_request")]
    hooked += [(base.SyncAPIClient, name) for name in inner if hasattr(base.SyncAPIClient, name)]
    for owner, name in hooked:
        monkeypatch.setattr(owner, name, vars(owner)[name])  # given back at the end

    def pass_on(wrapped: Any, _instance: object, args: Any, kwargs: Any) -> Any:
        return wrapped(*args, **kwargs)

    with capture():
        for owner, name in hooked:
            setattr(owner, name, wrapt.FunctionWrapper(vars(owner)[name], pass_on))
    desk.begin()
    desk.script(Fault(429), Reply("ok"))
    with make_client(api.vendor, desk.url(api.vendor), max_retries=1) as client, capture() as seen:
        api.of(client).create(**api.ask)
        (call,) = seen.calls
    assert [attempt.status for attempt in call.attempts] == [429]
