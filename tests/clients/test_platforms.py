"""Clients of cloud platforms on the same base: captured alike, named by who sells, their streams too."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import anthropic
import openai
import pytest

from tests.clients import async_shapes, shapes
from tests.clients.apis import APIS, BETA, CHAT, MESSAGES, REPLY, RESPONSES, Api, plain
from tests.clients.conftest import CONTEXT, Desk
from touchdown.testing import capture

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

CLAUDE, GPT = (MESSAGES, BETA), (CHAT, RESPONSES)
DEPLOYMENT = "/deployments/gpt-5.4/chat/completions"


def given(provider: str) -> Callable[[str], Any]:
    """``OpenAI(provider=...)``, made by the SDK's own factory; absent in older SDKs."""

    def settings(url: str) -> dict[str, Any]:
        providers = pytest.importorskip("openai.providers")
        if provider == "bedrock":
            return {"provider": providers.bedrock(api_key="key", base_url=f"{url}/v1")}
        made = providers.vertex(token_provider=lambda: "token", base_url=f"{url}/v1")
        return {"provider": made}

    return settings


@dataclass(frozen=True, slots=True)
class Platform:
    """One client: how it is made, what it is called in records, and the end of its URLs."""

    client: str
    settings: Callable[[str], dict[str, Any]]
    provider: str
    apis: tuple[Api, ...]
    path: str = ""
    streams: bool = True
    name: str = ""

    def make(self, url: str, *, asynchronous: bool = False) -> Any:
        """A client of this platform that calls the loopback provider."""
        module = anthropic if self.apis[0].vendor == "anthropic" else openai
        kind = getattr(module, f"Async{self.client}" if asynchronous else self.client, None)
        if kind is None:
            pytest.skip(f"this SDK has no {self.client}")
        http = module.DefaultAsyncHttpxClient if asynchronous else module.DefaultHttpxClient
        return kind(**self.settings(url), http_client=http(verify=CONTEXT), max_retries=0)

    def __str__(self) -> str:
        return self.name or self.client


def azure(url: str) -> dict[str, Any]:
    return {"api_key": "key", "azure_endpoint": url, "api_version": "2026-10-01"}


def keyed(url: str) -> dict[str, Any]:
    return {"api_key": "key", "base_url": url}


PLATFORMS = (
    Platform("AzureOpenAI", azure, "azure.ai.openai", GPT, DEPLOYMENT),
    Platform(
        "AzureOpenAI",
        lambda url: azure(url) | {"azure_deployment": "gpt-5.4"},
        "azure.ai.openai",
        GPT,
        DEPLOYMENT,
        name="AzureOpenAI of one deployment",
    ),
    Platform("BedrockOpenAI", lambda url: keyed(f"{url}/v1"), "aws.bedrock", GPT),
    Platform("OpenAI", given("bedrock"), "aws.bedrock", GPT, name="OpenAI by bedrock"),
    Platform("OpenAI", given("vertex"), "gcp.vertex_ai", (RESPONSES,), name="OpenAI by vertex"),
    Platform(
        "AnthropicBedrock",
        lambda url: keyed(url) | {"aws_region": "us-east-1"},
        "aws.bedrock",
        CLAUDE,
        "/model/claude-opus-4-8/invoke",
        streams=False,  # they are binary, and the SDK reads them with botocore
    ),
    Platform("AnthropicBedrockMantle", keyed, "aws.bedrock", CLAUDE),
    Platform(
        "AnthropicVertex",
        lambda url: {
            "access_token": "token",
            "project_id": "project",
            "region": "us-east5",
            "base_url": f"{url}/v1",
        },
        "gcp.vertex_ai",
        CLAUDE,
        "/publishers/anthropic/models/claude-opus-4-8:rawPredict",
    ),
    Platform("AnthropicFoundry", keyed, "anthropic", CLAUDE),
    Platform("AnthropicAWS", lambda url: keyed(url) | {"workspace_id": "w"}, "anthropic", CLAUDE),
    Platform(
        "AnthropicGoogleCloud",
        lambda url: {
            "base_url": url,
            "token_provider": lambda: "token",
            "workspace_id": "w",
            "project": "project",
            "location": "global",
        },
        "anthropic",
        CLAUDE,
    ),
)

CASES = [(platform, api) for platform in PLATFORMS for api in APIS if api in platform.apis]


def check(seen: Any, platform: Platform, api: Api) -> None:
    (call,) = seen.calls
    assert (call.provider, call.vendor, call.api) == (platform.provider, api.vendor, api.name)
    assert (call.model, call.response_model) == (api.ask["model"], api.ask["model"])
    assert (call.status, call.http_status, call.usage.completeness) == ("ok", 200, "full")
    assert (call.host, call.output.text_chars) == ("127.0.0.1", len(REPLY.text))
    assert len(call.context.new) == 2
    (span,) = seen.spans
    assert span.attributes["gen_ai.provider.name"] == platform.provider


@pytest.mark.parametrize(("platform", "api"), CASES, ids=str)
def test_a_platforms_client(platform: Platform, api: Api, desk: Desk) -> None:
    client = platform.make(desk.provider.url)
    for run in (shapes.create, shapes.read) if platform.streams else (shapes.create,):
        desk.begin()
        without = plain(run(api, client))
        desk.begin()
        with capture() as seen:
            assert plain(run(api, client)) == without
            check(seen, platform, api)
    if platform.path and api is platform.apis[0]:
        paths = [request.path for request in desk.provider.requests]
        assert any(path.endswith(platform.path) for path in paths)
    client.close()


@pytest.mark.parametrize(("platform", "api"), CASES, ids=str)
async def test_a_platforms_async_client(platform: Platform, api: Api, desk: Desk) -> None:
    client = platform.make(desk.provider.url, asynchronous=True)
    with capture() as seen:
        await (async_shapes.read if platform.streams else async_shapes.create)(api, client)
        check(seen, platform, api)
    await client.close()
