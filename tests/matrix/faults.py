"""The faults that are put into a conversation, and what each should be called."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tests.matrix.talk import APIS, CHAT, MESSAGES, RESPONSES, Api, Talk, prose
from touchdown.testing import Provider

Kind = Literal["lost", "change"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. ``lost``: the entries cannot be read; ``change``: the context parts from them."""

    cause: str
    tax: str
    kind: Kind
    apply: Callable[[Talk, Provider, int], float]
    apis: tuple[Api, ...] = APIS
    rank: int = 0
    """Of several lost causes the lowest holds; of several changes the first in the context."""

    def __str__(self) -> str:
        return self.cause


def _change_tools(talk: Talk, provider: Provider, number: int) -> float:
    talk.tools[1] = prose(500 + number, 700)
    return 0


def _change_system(talk: Talk, provider: Provider, number: int) -> float:
    talk.system = prose(600 + number, 4800)
    return 0


def _change_setting(talk: Talk, provider: Provider, number: int) -> float:
    talk.setting = "any"
    return 0


def _edit_history(talk: Talk, provider: Provider, number: int) -> float:
    place = len(talk.said) // 6 * 2
    talk.said[place] = [prose(700 + number, 1400)]
    return 0


def _change_model(talk: Talk, provider: Provider, number: int) -> float:
    talk.model = talk.other_model
    return 0


def _change_account(talk: Talk, provider: Provider, number: int) -> float:
    talk.account = "two"
    return 0


def _ask_for_no_caching(talk: Talk, provider: Provider, number: int) -> float:
    talk.caching = False
    return 0


def _evict(talk: Talk, provider: Provider, number: int) -> float:
    provider.evict()
    return 0


def _wait(seconds: float) -> Callable[[Talk, Provider, int], float]:
    return lambda talk, provider, number: seconds


def _say_much(talk: Talk, provider: Provider, number: int) -> float:
    """More blocks at once than a breakpoint looks back."""
    talk.said[-1] = [prose(800 + 30 * number + i, 300) for i in range(25)]
    return 0


LOST = (
    Fault("model_changed", "cache_miss", "lost", _change_model, rank=1),
    Fault("rerouted", "rerouting", "lost", _change_account, rank=2),
    Fault(
        "not_requested",
        "cache_miss",
        "lost",
        _ask_for_no_caching,
        (MESSAGES, RESPONSES),
        rank=3,
    ),
    Fault("expired", "cache_expired", "lost", _wait(4000), (MESSAGES, CHAT), rank=4),
    Fault("expired_or_evicted", "unexplained", "lost", _wait(2000), (CHAT, RESPONSES), rank=5),
    Fault("evicted", "unexplained", "lost", _evict, rank=6),
    Fault("lookback_exceeded", "cache_miss", "lost", _say_much, (MESSAGES,), rank=7),
)
CHANGES = (
    Fault("tools_changed", "cache_miss", "change", _change_tools),
    Fault("system_changed", "cache_miss", "change", _change_system),
    Fault("parameters_changed", "cache_miss", "change", _change_setting),
    Fault("history_edited", "cache_miss", "change", _edit_history),
)
FAULTS = LOST + CHANGES
