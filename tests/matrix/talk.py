"""A conversation of many calls through the real SDKs, with faults put into it at chosen calls."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import anthropic
import openai
from msgspec.structs import replace

from tests.clients.conftest import make_client
from touchdown.records import ModelCall, Record
from touchdown.testing import Provider, Reply, Request, capture
from touchdown.testing.provider.anthropic_prompt import read_anthropic_prompt
from touchdown.testing.provider.openai_prompt import read_chat_prompt, read_responses_prompt
from touchdown.testing.provider.prompt import Prompt

WORDS = (
    "cache",
    "prefix",
    "token",
    "ledger",
    "context",
    "answer",
    "tool",
    "agent",
    "span",
    "price",
)


def prose(seed: int, chars: int) -> str:
    """Text that is the same for the same seed, and like no other's."""
    words = [f"{WORDS[(seed * 7 + i * 3) % len(WORDS)]}{seed}.{i}" for i in range(chars // 8)]
    return " ".join(words)[:chars]


@dataclass
class Talk:
    """What the next call will say, and how."""

    model: str
    other_model: str
    system: str = field(default_factory=lambda: prose(1, 4800))
    tools: list[str] = field(default_factory=lambda: [prose(2, 700), prose(3, 700)])
    said: list[list[str]] = field(default_factory=list)
    """The texts of each message: the user's and the model's in turn."""
    caching: bool = True
    setting: str = "auto"
    """A parameter whose change loses a part of the cache."""
    account: str = "one"
    marks_system: bool = True


Fault = Callable[[Talk, Provider, int], float]
"""Changes the talk before a call; hands back how many seconds passed meanwhile."""


@dataclass(frozen=True, slots=True)
class Api:
    """One API: its models, its request for a talk, and how its provider reads that."""

    name: str
    vendor: str
    model: str
    other_model: str
    body: Callable[[Talk], dict[str, Any]]
    function: Callable[[Any], Any]
    prompt: Callable[[Request], Prompt]

    def __str__(self) -> str:
        return self.name


@dataclass
class Played:
    """What was recorded of a session, and what its provider saw."""

    records: list[Record]
    calls: list[ModelCall]
    prompts: list[Prompt]


def play(
    api: Api, calls: int, faults: Mapping[int, Sequence[Fault]], talk: Talk | None = None
) -> Played:
    """Have the conversation; time that passes by a fault passes in the records too."""
    talk = talk or Talk(api.model, api.other_model)
    late_s: list[float] = []
    waited_s = 0.0
    with Provider(lambda request: Reply(prose(9000 + len(request.raw), 240))) as provider:
        clients: dict[str, Any] = {}
        with capture() as seen:
            for number in range(calls):
                talk.said.append([prose(100 + number, 1400)])
                for fault in faults.get(number, ()):
                    gap_s = fault(talk, provider, number)
                    provider.clock.advance(gap_s)
                    waited_s += gap_s
                late_s.append(waited_s)
                client = clients.setdefault(talk.account, _client(api, provider, talk.account))
                answer = api.function(client)(**api.body(talk))
                talk.said.append([_text(answer)])
            records = list(seen.records)
        prompts = [api.prompt(request) for request in provider.requests]
        for client in clients.values():
            client.close()
    shifted = _shifted(records, late_s)
    return Played(shifted, [r for r in shifted if isinstance(r, ModelCall)], prompts)


def _client(api: Api, provider: Provider, account: str) -> Any:
    url = provider.url if api.vendor == "anthropic" else provider.openai_url
    return make_client(api.vendor, url, api_key=account)


def _text(answer: Any) -> str:
    if isinstance(answer, anthropic.types.Message):
        return "".join(block.text for block in answer.content if block.type == "text")
    if isinstance(answer, openai.types.responses.Response):
        return answer.output_text
    return answer.choices[0].message.content or ""


def _shifted(records: list[Record], late_s: Sequence[float]) -> list[Record]:
    """The records with the waits in them: the provider's clock was moved, this process's was not."""
    calls = sorted(
        (r for r in records if isinstance(r, ModelCall)), key=lambda call: call.sent_at_ns
    )
    by_id = {call.id: int(late * 1e9) for call, late in zip(calls, late_s, strict=True)}
    return [
        replace(r, sent_at_ns=r.sent_at_ns + by_id[r.id]) if isinstance(r, ModelCall) else r
        for r in records
    ]


def _marked(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}


def _messages_body(talk: Talk) -> dict[str, Any]:
    messages: list[Any] = [
        {
            "role": "assistant" if number % 2 else "user",
            "content": [{"type": "text", "text": text} for text in texts],
        }
        for number, texts in enumerate(talk.said)
    ]
    if talk.caching:
        messages[-1]["content"][-1] = _marked(talk.said[-1][-1])
    plain = {"type": "text", "text": talk.system}
    return {
        "model": talk.model,
        "max_tokens": 500,
        "system": [_marked(talk.system) if talk.caching and talk.marks_system else plain],
        "tools": [
            {"name": f"tool_{i}", "description": text, "input_schema": {"type": "object"}}
            for i, text in enumerate(talk.tools)
        ],
        "tool_choice": {"type": talk.setting},
        "messages": messages,
    }


def _chat_body(talk: Talk) -> dict[str, Any]:
    messages: list[Any] = [{"role": "system", "content": talk.system}]
    for number, texts in enumerate(talk.said):
        role = "assistant" if number % 2 else "user"
        messages += [{"role": role, "content": text} for text in texts]
    return {
        "model": talk.model,
        "messages": messages,
        "tools": [
            {"type": "function", "function": {"name": f"tool_{i}", "description": text}}
            for i, text in enumerate(talk.tools)
        ],
        "prompt_cache_key": talk.setting,
    }


def _responses_body(talk: Talk) -> dict[str, Any]:
    items: list[Any] = []
    for number, texts in enumerate(talk.said):
        role = "assistant" if number % 2 else "user"
        items += [{"role": role, "content": text} for text in texts]
    asked: dict[str, Any] = (
        {} if talk.caching else {"extra_body": {"prompt_cache_options": {"mode": "explicit"}}}
    )
    return {
        "model": talk.model,
        "instructions": talk.system,
        "input": items,
        "tools": [
            {"type": "function", "name": f"tool_{i}", "description": text, "parameters": {}}
            for i, text in enumerate(talk.tools)
        ],
        "prompt_cache_key": talk.setting,
        **asked,
    }


def _credential(request: Request) -> str:
    return request.headers.get("x-api-key") or request.headers.get("authorization", "")


MESSAGES = Api(
    "messages",
    "anthropic",
    "claude-sonnet-5",
    "claude-opus-5",
    _messages_body,
    lambda client: client.messages.create,
    lambda r: read_anthropic_prompt(r.body, model=r.model, credential=_credential(r)),
)
CHAT = Api(
    "chat.completions",
    "openai",
    "gpt-4.1",
    "gpt-4.1-mini",
    _chat_body,
    lambda client: client.chat.completions.create,
    lambda r: read_chat_prompt(r.body, model=r.model, credential=_credential(r)),
)
RESPONSES = Api(
    "responses",
    "openai",
    "gpt-6-sol",
    "gpt-5.6-sol",
    _responses_body,
    lambda client: client.responses.create,
    lambda r: read_responses_prompt(r.body, model=r.model, credential=_credential(r), earlier=[]),
)
APIS = (MESSAGES, CHAT, RESPONSES)
