"""What is a model call and what is not: by its path, however it is written; what is not leaves no trace."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import anthropic
import openai
import pytest

from tests.clients.apis import CHAT, MESSAGES, RESPONSES, Api
from tests.clients.conftest import Desk
from touchdown.clients.anthropic.reader import NOT_CAPTURED as ANTHROPIC_NOT_CAPTURED
from touchdown.clients.openai.reader import NOT_CAPTURED as OPENAI_NOT_CAPTURED
from touchdown.testing import capture

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

ClientOf = Callable[[Api], Any]
QUESTION = MESSAGES.ask["messages"]
GPT: dict[str, Callable[[Any], Any]] = {
    "models.list": lambda c: list(c.models.list()),
    "models.retrieve": lambda c: c.models.retrieve("gpt-5.4"),
    "moderations": lambda c: c.moderations.create(input="text"),
    "images": lambda c: c.images.generate(prompt="a red square"),
    "speech": lambda c: c.audio.speech.create(input="hello", model="tts", voice="alloy").read(),
    "files.create": lambda c: c.files.create(file=b"text", purpose="batch"),
    "files.list": lambda c: list(c.files.list()),
    "batches": lambda c: c.batches.create(
        completion_window="24h", endpoint="/v1/chat/completions", input_file_id="file_1"
    ),
    "completions": lambda c: c.completions.create(model="gpt-old", prompt="hello"),
    "stored chats": lambda c: list(c.chat.completions.list()),
    "a stored chat": lambda c: c.chat.completions.retrieve("chat_1"),
    "a chat deleted": lambda c: c.chat.completions.delete("chat_1"),
    "a response deleted": lambda c: c.responses.delete("resp_1"),
    "input items": lambda c: list(c.responses.input_items.list("resp_1")),
    "input_tokens": lambda c: c.responses.input_tokens.count(model="gpt-5.4", input="hello"),
    "conversations": lambda c: c.conversations.create(),
    "get": lambda c: c.get("/chat/completions", cast_to=object),
    "another path": lambda c: c.post("/chat/completions/extra", body={}, cast_to=object),
}
CLAUDE: dict[str, Callable[[Any], Any]] = {
    "models.list": lambda c: list(c.models.list()),
    "count_tokens": lambda c: c.messages.count_tokens(model="claude-opus-4-8", messages=QUESTION),
    "beta.count_tokens": lambda c: c.beta.messages.count_tokens(
        model="claude-opus-4-8", messages=QUESTION
    ),
    "batches": lambda c: c.messages.batches.create(
        requests=[{"custom_id": "a", "params": dict(MESSAGES.ask)}]
    ),
    "batches.list": lambda c: list(c.messages.batches.list()),
    "files": lambda c: list(c.beta.files.list()),
    "completions": lambda c: c.completions.create(
        model="claude-old", prompt="\n\nHuman: hello\n\nAssistant:", max_tokens_to_sample=9
    ),
    "get": lambda c: c.get("/v1/messages", cast_to=object),
}
CASES = [
    *(pytest.param(CHAT, call, id=f"openai {name}") for name, call in GPT.items()),
    *(pytest.param(MESSAGES, call, id=f"anthropic {name}") for name, call in CLAUDE.items()),
]


@pytest.mark.parametrize(("api", "call"), CASES)
def test_what_is_no_model_call(
    api: Api, call: Callable[[Any], Any], desk: Desk, client_of: ClientOf
) -> None:
    client = client_of(api)
    before = len(desk.provider.requests)
    with capture() as seen:
        try:
            with suppress(openai.NotFoundError, anthropic.NotFoundError):
                call(client)
        except AttributeError:
            pytest.skip("this SDK does not have it")
        assert len(desk.provider.requests) > before
        assert (seen.records, seen.spans, seen.accounts) == ([], [], [])


def test_one_inside_a_model_call_is_not_taken_for_it(desk: Desk, gpt: openai.OpenAI) -> None:
    """A host's own transport may ask for a key or a count while a call is sent."""

    def asks(request: Any) -> None:
        if request.url.path.endswith("/chat/completions"):
            gpt.models.retrieve("gpt-5.4")

    with capture() as seen:
        gpt._client.event_hooks["request"].append(asks)
        try:
            gpt.chat.completions.create(**CHAT.ask)
        finally:
            gpt._client.event_hooks["request"].remove(asks)
        (call,) = seen.calls
    assert (call.model, call.status, call.usage.completeness) == ("gpt-5.4", "ok", "full")


WRITTEN = {
    CHAT: ["/chat/completions", "chat/completions", "/chat/completions/", "{url}chat/completions"],
    RESPONSES: ["/responses", "responses?beta=true", "{url}responses"],
    MESSAGES: ["/v1/messages", "v1/messages", "/v1/messages?beta=true", "{url}v1/messages"],
}


@pytest.mark.parametrize(
    ("api", "path"), [(api, path) for api, paths in WRITTEN.items() for path in paths], ids=str
)
def test_a_model_call_by_its_path(api: Api, path: str, client_of: ClientOf) -> None:
    client = client_of(api)
    url = str(client.base_url).rstrip("/") + "/"
    with capture() as seen:
        client.post(path.format(url=url), body=dict(api.ask), cast_to=object)
        (call,) = seen.calls
    assert (call.api, call.usage.completeness) == (api.name, "full")


def test_extra_body_is_read_as_it_is_sent(desk: Desk, gpt: openai.OpenAI) -> None:
    more = {"role": "user", "content": "And why?"}
    with capture() as seen:
        gpt.chat.completions.create(
            **CHAT.ask, extra_body={"messages": [*CHAT.ask["messages"], more], "seed": 7}
        )
        (call,) = seen.calls
    assert len(desk.provider.requests[-1].body["messages"]) == 2
    assert [part.kind for part in call.context.new] == ["tools", "user", "user"]
    assert call.request["seed"] == 7


@pytest.mark.parametrize("resource", ["responses", "beta.responses"])
@pytest.mark.parametrize("method", ["create", "compact"])
def test_the_responses_of_every_resource(resource: str, method: str, desk: Desk, gpt: Any) -> None:
    target = gpt
    for name in (*resource.split("."), method):
        target = getattr(target, name, None)
        if target is None:
            pytest.skip("this SDK does not have it")
    with capture() as seen:
        target(model="gpt-5.4", input=RESPONSES.ask["input"])
        (call,) = seen.calls
    assert (call.api, call.model, call.usage.completeness) == ("responses", "gpt-5.4", "full")


@pytest.mark.skipif(
    not hasattr(anthropic, "BetaRefusalFallbackMiddleware"), reason="newer than this SDK"
)
@pytest.mark.parametrize(
    ("kind", "names"),
    [(openai.OpenAI, OPENAI_NOT_CAPTURED), (anthropic.Anthropic, ANTHROPIC_NOT_CAPTURED)],
)
def test_what_is_not_captured_exists(kind: Any, names: dict[str, str]) -> None:
    def has(client: Any, name: str) -> bool:
        for part in name.split("."):
            client = getattr(client, part, None)
        return client is not None

    with kind(api_key="key", base_url="http://127.0.0.1:1") as client:
        missing = {name for name in names if not has(client, name)}
    assert missing <= {"completions"}  # gone from the newest anthropic SDK
