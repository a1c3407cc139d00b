"""A program with the real SDK on a real provider over HTTP, touchdown instrumented."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import agents
import pytest
from agents import (
    Agent,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    RunConfig,
    Runner,
)
from openai import AsyncOpenAI

import touchdown
from touchdown.testing import Capture, Provider, Reply, capture
from touchdown.testing.provider import Request

MODEL = "gpt-5-mini"
MODELS = {"responses": OpenAIResponsesModel, "chat": OpenAIChatCompletionsModel}


@pytest.fixture(autouse=True)
def instrumented() -> Iterator[touchdown.Instrumentation]:
    agents.set_trace_processors([])  # the default one sends to OpenAI
    yield touchdown.instrument()
    touchdown.uninstrument()


@pytest.fixture
def seen() -> Iterator[Capture]:
    with capture() as seen:
        yield seen


@dataclass
class Program:
    """Agents whose model answers from a script of their own, and the ways to run them."""

    provider: Provider
    model: Any
    script: dict[str, list[Reply | str]]
    how: str = "run"
    traced: bool = True
    asked: list[str] = field(default_factory=list)

    def agent(self, name: str, answers: Sequence[Reply | str], **options: Any) -> Agent[Any]:
        self.script[name] = list(answers)
        return Agent(name, instructions=f"You are {name}.", model=self.model, **options)

    async def run(self, agent: Agent[Any], given: Any = "Go.", **options: Any) -> Any:
        options.setdefault("run_config", RunConfig(tracing_disabled=not self.traced))
        if self.how == "run":
            return await Runner.run(agent, given, **options)
        if self.how == "run_sync":
            return await asyncio.to_thread(_run_sync, agent, given, options)
        result = Runner.run_streamed(agent, given, **options)
        async for _ in result.stream_events():
            pass
        return result


def _run_sync(agent: Agent[Any], given: Any, options: Mapping[str, Any]) -> Any:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        return Runner.run_sync(agent, given, **options)
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def _addressee(request: Request) -> str:
    said = request.body.get("instructions")
    if said is None:
        messages: Any = request.body["messages"]
        said = messages[0]["content"]
    return str(said).removeprefix("You are ").removesuffix(".")


@pytest.fixture
def make_program() -> Iterator[Callable[..., Program]]:
    opened: list[Provider] = []

    def make(api: str = "responses", **options: Any) -> Program:
        script: dict[str, list[Reply | str]] = {}
        asked: list[str] = []

        def decide(request: Request) -> Reply | str:
            name = _addressee(request)
            asked.append(name)
            return script[name].pop(0)

        provider = Provider(decide).start()
        opened.append(provider)
        client = AsyncOpenAI(
            base_url=provider.openai_url,
            api_key="none",
            max_retries=0,
            default_headers={"connection": "close"},  # nothing left open between event loops
        )
        return Program(provider, MODELS[api](MODEL, client), script, asked=asked, **options)

    yield make
    for provider in opened:
        provider.close()


@pytest.fixture
def program(make_program: Callable[..., Program]) -> Program:
    return make_program()


@pytest.fixture(params=["run", "run_sync", "streamed"])
def each_way(request: pytest.FixtureRequest, make_program: Callable[..., Program]) -> Program:
    return make_program(how=request.param)


@pytest.fixture(params=["responses", "chat"])
def each_api(request: pytest.FixtureRequest, make_program: Callable[..., Program]) -> Program:
    return make_program(request.param)
