"""The model calls that engines' requests may be of, by everything that they can be found by."""

from collections import OrderedDict, defaultdict
from collections.abc import Hashable, Iterator, MutableMapping
from typing import TypeVar

from msgspec import Struct

from touchdown.records import ModelCall
from touchdown.records.engine import bare_id
from touchdown.telemetry.serving.requests import Key

P = TypeVar("P", bound=Hashable)
N = TypeVar("N", bound=Hashable)


class Sought(Struct, frozen=True):
    """What is kept of a call."""

    id: str
    task_id: str
    trace_id: str
    span_id: str
    began_ns: int
    ended_ns: int
    tokens: tuple[int, int] | None
    models: frozenset[str]
    ids: tuple[str, ...]
    arrived_s: float

    @property
    def key(self) -> Key:
        """Where its span is."""
        return self.trace_id, self.span_id


def sought(call: ModelCall, arrived_s: float) -> Sought:
    """What is kept of this call."""
    prompt, output = call.usage.input_tokens, call.usage.output
    attempts = len(call.attempts)
    last = f"{call.id}.{attempts}" if attempts else call.id
    return Sought(
        id=call.id,
        task_id=call.task_id,
        trace_id=call.trace_id,
        span_id=call.span_id,
        began_ns=call.sent_at_ns,
        ended_ns=call.ended_at_ns,
        tokens=None if prompt is None or output is None else (prompt, output),
        models=frozenset(filter(None, (call.model, call.response_model))),
        ids=tuple(filter(None, (last, bare_id(call.response_id)))),
        arrived_s=arrived_s,
    )


class Calls:
    """The latest of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._all: OrderedDict[str, Sought] = OrderedDict()
        self._by_key: dict[Key, str] = {}
        self._by_id: dict[str, str] = {}
        self._by_trace: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._by_tokens: defaultdict[tuple[int, int], dict[str, None]] = defaultdict(dict)

    def __len__(self) -> int:
        return len(self._all)

    def put(self, call: Sought) -> None:
        """Keep it; the oldest goes when there are too many."""
        if call.id in self._all:
            self._forget(call.id)
        self._all[call.id] = call
        if call.span_id:
            self._by_key[call.key] = call.id
        for name in call.ids:
            self._by_id[name] = call.id
        if call.trace_id:
            self._by_trace[call.trace_id][call.id] = None
        if call.tokens is not None:
            self._by_tokens[call.tokens][call.id] = None
        if len(self._all) > self._most:
            self._forget(next(iter(self._all)))

    def at(self, key: Key) -> Sought | None:
        """The call whose span this is."""
        return self._all.get(self._by_key.get(key, ""))

    def named(self, name: str) -> Sought | None:
        """The call that was answered under this id."""
        return self._all.get(self._by_id.get(name, ""))

    def failed_attempt(self, name: str) -> bool:
        """Whether touchdown sent this id with an attempt that it sent again."""
        call = self._all.get(name) or self._all.get(name.rpartition(".")[0])
        return call is not None and name not in call.ids

    def of_trace(self, trace_id: str) -> Iterator[Sought]:
        """All calls of a trace."""
        return (self._all[name] for name in self._by_trace.get(trace_id, ()))

    def with_tokens(self, tokens: tuple[int, int]) -> Iterator[Sought]:
        """All calls with just so many tokens read and written."""
        return (self._all[name] for name in self._by_tokens.get(tokens, ()))

    def _forget(self, name: str) -> None:
        call = self._all.pop(name)
        if self._by_key.get(call.key) == name:
            del self._by_key[call.key]
        for one in call.ids:
            if self._by_id.get(one) == name:
                del self._by_id[one]
        take_from(self._by_trace, call.trace_id, name)
        if call.tokens is not None:
            take_from(self._by_tokens, call.tokens, name)


def take_from(shelf: MutableMapping[P, dict[N, None]], place: P, name: N) -> None:
    """Take a name from a place, and the place where it was the last."""
    names = shelf.get(place)
    if names is not None:
        names.pop(name, None)
        if not names:
            del shelf[place]
