"""A conversation with a model that somebody serves, and what its engine counted of it."""

import secrets
import time
from typing import Any

import anthropic
import openai

from touchdown.accounting.facts import CallFacts
from touchdown.accounting.time.phases import phases_of
from touchdown.engines.hosts import EngineHost
from touchdown.prices.rates import Unpriced
from touchdown.records import ModelCall

MODEL = "tiny"
SETTLE_S = 60.0
PATIENCE_S = 600.0

Messages = list[Any]


def begin(name: str) -> Messages:
    """A conversation whose prompt no other one shares."""
    system = f"Session {name} {secrets.token_hex(8)}. " + "You are a careful coding agent. " * 20
    return [
        {"role": "system", "content": system},
        {"role": "user", "content": "The last option of the command line is lost: mend it. " * 4},
    ]


def go_on(messages: Messages, said: str, turn: int) -> None:
    messages += [
        {"role": "assistant", "content": said},
        {"role": "user", "content": f"result {turn}: " + "line of output " * 40},
    ]


def ask(client: openai.OpenAI, messages: Messages, stream: bool) -> str:
    asked: dict[str, Any] = {"model": MODEL, "messages": messages, "max_tokens": 16}
    if not stream:
        return client.chat.completions.create(**asked).choices[0].message.content or ""
    chunks = client.chat.completions.create(stream=True, **asked)
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


def ask_as_claude(client: anthropic.Anthropic, messages: Messages, stream: bool) -> str:
    system, *rest = messages
    asked: dict[str, Any] = {"system": system["content"], "messages": rest}
    asked |= {"model": MODEL, "max_tokens": 16}
    if not stream:
        answer = client.messages.create(**asked)
    else:
        with client.messages.stream(**asked) as events:
            answer = events.get_final_message()
    return getattr(answer.content[0], "text", "")


def counted_by(host: EngineHost, figure: str, wanted: float) -> float:
    """What the engine has counted, once it has come to this: its pages lag behind its answers."""
    deadline = time.monotonic() + SETTLE_S
    while True:
        host.look()
        found = host.counted.figures.get(figure, 0.0)
        if found >= wanted or time.monotonic() > deadline:
            return found
        time.sleep(0.2)


def phases_add_up(call: ModelCall) -> None:
    """The phases of a call cover it from end to end, and each has parts that add up to it."""
    phases = phases_of(CallFacts(call, None, Unpriced("no price is asked for"), None))
    at = call.sent_at_ns
    for phase in phases:
        assert phase.start_ns == at
        at = phase.end_ns
        assert sum(ns for _, ns in phase.parts) == phase.end_ns - phase.start_ns
    assert at == call.ended_at_ns
