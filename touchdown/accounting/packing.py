"""Packing: what folding made of a call, held in a tenth of its room while nobody looks at it.

The ledger of an open task holds each of its calls to the end: a tool that failed, a write that nothing read,
a late word of an engine may still move its money. A call behind the latest ones is asked for by an account
and by little else. So its own part is packed, many calls together; what it shares with others stays as it
is. Whoever looks at it unpacks it, to what it was to the last digit.
"""

import pickle
import zlib
from collections.abc import Callable, Sequence
from decimal import Decimal
from io import BytesIO
from operator import attrgetter
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from touchdown.accounting.contexts import Context
from touchdown.accounting.facts import CallFacts
from touchdown.accounting.pricing import Bill
from touchdown.context.shares import Shares
from touchdown.records import ModelCall

OWN = (
    "call",
    "common",
    "diagnosis",
    "changed",
    "layer",
    "misses",
    "stale",
    "rewriting_usd",
    "compaction",
    "removed",
    "gaps",
    "input_tokens",
    "key",
)
"""What is packed as it is; nothing of it is changed once a call is folded."""

APART = ("context", "shares", "bill")
"""What points at lists that calls have in common: packed without these."""

_HIDDEN = frozenset((*OWN, *APART))
_own = attrgetter(*OWN)


class PackedFacts(CallFacts, eq=False):
    """A call's facts while they are packed: the same object, that turns back into what it was."""

    def __getattr__(self, name: str) -> Any:
        """Unpack what is asked for."""
        if name not in _HIDDEN or self.pack is None:
            raise AttributeError(name)
        self.pack.unpack(self)
        return getattr(self, name)


class Pack:
    """The packed parts of some calls; these point here."""

    __slots__ = ("_data", "_opened", "_rows", "_shared")

    def __init__(self, calls: Sequence[CallFacts], opened: list[CallFacts]) -> None:
        rows = [_row_of(facts) for facts in calls]
        self._data = _dumped(rows)
        self._opened = opened
        self._rows: list[Any] = []
        common: dict[tuple[int, ...], tuple[object, ...]] = {}
        self._shared = [_once(common, _shared_of(facts)) for facts in calls]
        for place, facts in enumerate(calls):
            facts.pack, facts.place = self, place
            self.close(facts)

    def unpack(self, facts: CallFacts) -> None:
        """Give a call back what it had."""
        rows = self._rows = self._rows or pickle.loads(zlib.decompress(self._data))
        own, apart = rows[facts.place]
        rows[facts.place] = None
        facts.__class__ = CallFacts
        for name, value in zip(OWN, own, strict=True):
            setattr(facts, name, value)
        _join(facts, apart, self._shared[facts.place])
        self._opened.append(facts)

    def close(self, facts: CallFacts) -> None:
        """Take it away again: nothing of it was changed."""
        self._rows = []
        facts.posted = facts.phased = facts.by_kind = None
        for name in _HIDDEN:
            delattr(facts, name)
        facts.__class__ = PackedFacts


def pack(calls: Sequence[CallFacts], opened: list[CallFacts]) -> None:
    """Pack these; what holds something not ours (a host's kind of text) stays as it is.

    Who is unpacked later is added to ``opened``.
    """
    try:
        Pack(calls, opened)
    except _ForeignError:
        middle = len(calls) // 2
        for half in (calls[:middle], calls[middle:]) if middle else ():
            pack(half, opened)


def _row_of(facts: CallFacts) -> tuple[Any, Any]:
    own = _own(facts)
    context, shares, bill = facts.context, facts.shares, facts.bill
    told = 0
    if context is not None and facts.call.context.new:
        told = _standing(facts.call, context)
        if told:
            bare = replace(facts.call, context=replace(facts.call.context, new=()))
            own = (bare, *own[1:])
    return own, (
        told,
        None if context is None else (context.length, context.breakpoints),
        None if shares is None else (shares.length, shares.total),
        (bill.total, bill.steps, bill.gaps) if isinstance(bill, Bill) else bill,
    )


def _standing(call: ModelCall, context: Context) -> int:
    """How many segments the call told that stand at the end of its context; 0 where others do."""
    new = call.context.new
    return len(new) if tuple(context.segments(context.length - len(new))) == new else 0


def _shared_of(facts: CallFacts) -> tuple[object, ...]:
    context, shares, bill = facts.context, facts.shares, facts.bill
    return (
        None if context is None else context.trunk,
        None if shares is None else shares.ends,
        None if shares is None else shares.measured,
        bill.rates if isinstance(bill, Bill) else None,
    )


def _once(
    common: dict[tuple[int, ...], tuple[object, ...]], shared: tuple[object, ...]
) -> tuple[object, ...]:
    """One object for all calls that share the same."""
    return common.setdefault(tuple(map(id, shared)), shared)


def _join(facts: CallFacts, apart: Any, shared: Any) -> None:
    told, stands, counted, bill = apart
    trunk, ends, measured, rates = shared
    facts.context = None if stands is None else Context(trunk, *stands)
    if counted is None:
        facts.shares = None
    else:
        length, total = counted
        facts.shares = Shares(ends, length, total, measured)
    if type(bill) is tuple:
        total, steps, gaps = bill
        bill = Bill(facts.call.usage, total, rates, steps, gaps)
    facts.bill = bill
    if told and facts.context is not None:
        new = tuple(facts.context.segments(facts.context.length - told))
        facts.call = replace(facts.call, context=replace(facts.call.context, new=new))


class _ForeignError(TypeError):
    """Something that is neither ours nor plain."""


Reduce = Callable[[Any], str | tuple[Any, ...]]


def _name_of(kind: type) -> str:
    return kind.__qualname__


class _Ours(dict[type, Reduce]):
    """How our own kinds are packed; nobody else's code runs when a call is packed or unpacked."""

    def __missing__(self, kind: type) -> Reduce:
        if not issubclass(kind, Struct) or kind.__module__.partition(".")[0] != "touchdown":
            raise _ForeignError(kind.__qualname__)
        reduce: Reduce = kind.__reduce__
        self[kind] = reduce
        return reduce


_ours = _Ours({Decimal: Decimal.__reduce__, type(Struct): _name_of})


def _dumped(rows: Sequence[object]) -> bytes:
    into = BytesIO()
    pickler = pickle.Pickler(into, pickle.HIGHEST_PROTOCOL)
    pickler.dispatch_table = _ours
    pickler.dump(rows)
    return zlib.compress(into.getbuffer(), 1)
