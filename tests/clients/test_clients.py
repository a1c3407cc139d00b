"""Clients however and whenever they are made, and the SDKs imported before or after ``instrument()``."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import anthropic
import openai
import pytest

from tests.clients import shapes
from tests.clients.apis import APIS, CHAT, MESSAGES, Api
from tests.clients.conftest import CONTEXT, Desk, make_client
from touchdown.testing import capture

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

ClientOf = Callable[[Api], Any]


class MyOpenAI(openai.OpenAI):
    """A host's own client, with a method around the SDK's."""

    def request(self, *args: Any, **kwargs: Any) -> Any:
        return super().request(*args, **kwargs)


class MyAnthropic(anthropic.Anthropic):
    """As above."""

    def post(self, *args: Any, **kwargs: Any) -> Any:
        return super().post(*args, **kwargs)


def subclassed(vendor: str, url: str) -> Any:
    kind, module = (MyOpenAI, openai) if vendor == "openai" else (MyAnthropic, anthropic)
    http = module.DefaultHttpxClient(verify=CONTEXT)  # type: ignore[attr-defined]
    return kind(base_url=url, api_key="test", max_retries=0, http_client=http)


def with_hooks(vendor: str, url: str) -> Any:
    """An ``http_client`` of the host's, with hooks and a mount of its own."""
    module = openai if vendor == "openai" else anthropic
    kind = module.DefaultHttpxClient.__mro__[1]
    hooks: dict[str, list[Any]] = {"request": [], "response": []}
    return make_client(vendor, url, http_client=kind(verify=CONTEXT, event_hooks=hooks))


MAKES = {
    "plain": make_client,
    "subclassed": subclassed,
    "with an http_client": with_hooks,
    "a copy": lambda vendor, url: make_client(vendor, url).copy(timeout=9),
    "a copy of a copy": lambda vendor, url: (
        make_client(vendor, url).with_options(max_retries=1).with_options(timeout=9)
    ),
}


@pytest.mark.parametrize("made", ["before", "inside"])
@pytest.mark.parametrize("make", MAKES.values(), ids=MAKES)
@pytest.mark.parametrize("api", [CHAT, MESSAGES], ids=str)
def test_a_client(api: Api, make: Callable[[str, str], Any], made: str, desk: Desk) -> None:
    url = desk.url(api.vendor)
    client = make(api.vendor, url) if made == "before" else None
    with capture() as seen:
        client = client or make(api.vendor, url)
        shapes.create(api, client)
        shapes.read(api, client)
        assert [call.api for call in seen.calls] == [api.name] * 2
        assert {call.usage.completeness for call in seen.calls} == {"full"}
        assert len(seen.spans) == 2
    shapes.create(api, client)
    assert len(seen.calls) == 2
    client.close()


@pytest.mark.parametrize("api", APIS, ids=str)
def test_a_resource_and_a_method_taken_before(api: Api, client_of: ClientOf) -> None:
    create = api.of(client_of(api)).create
    raw = api.of(client_of(api)).with_raw_response.create
    with capture() as seen:
        create(**api.ask)
        raw(**api.ask)
        assert len(seen.calls) == 2


def test_a_stream_opened_before_and_one_read_after(client_of: ClientOf) -> None:
    """What was sent before is not ours; a stream that is read later is whole for who reads it."""
    early = shapes.stream(CHAT, client_of(CHAT))
    with capture() as seen:
        list(early)
        assert seen.calls == []
        late = shapes.stream(CHAT, client_of(CHAT))
    assert [chunk for chunk in late if chunk.choices]


SCRIPT = """
import json, sys
import touchdown
from tests.clients.apis import CHAT, MESSAGES
from touchdown.testing import Provider

order = sys.argv[1]
if order == "before the import":
    assert not {"anthropic", "openai"} & set(sys.modules)
    touchdown.instrument()
import anthropic, openai
if order == "after the import":
    touchdown.instrument()
with Provider(["Paris."] * 2) as provider:
    gpt = openai.OpenAI(base_url=provider.openai_url, api_key="key")
    claude = anthropic.Anthropic(base_url=provider.url, api_key="key")
    if order == "after the clients":
        touchdown.instrument()
    with touchdown.task("both") as task:
        gpt.chat.completions.create(**CHAT.ask)
        claude.messages.create(**MESSAGES.ask)
    gpt.close(), claude.close()
print(json.dumps(sorted(f"{row.provider} {row.model} {row.calls}" for row in task.totals.models)))
"""


@pytest.mark.parametrize("order", ["before the import", "after the import", "after the clients"])
def test_both_sdks_in_one_process(order: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, order], capture_output=True, text=True, timeout=120
    )
    assert run.stderr == ""
    assert json.loads(run.stdout) == ["anthropic claude-opus-4-8 1", "openai gpt-5.4 1"]
