"""The time ledger of one task: its critical path, every stretch of it in one account."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct, field

from touchdown.accounting.facts import CallFacts
from touchdown.accounting.time.account import TimeAccount
from touchdown.accounting.time.accounts import (
    Account,
    Phase,
)
from touchdown.accounting.time.first_token import fits_of
from touchdown.accounting.time.intervals import Interval, by_kind
from touchdown.accounting.time.path import Piece, critical_path
from touchdown.accounting.time.phases import estimated_by_engines, estimated_by_lateness, phases_of
from touchdown.accounting.time.sums import account_of_tool, add_up
from touchdown.accounting.time.without import length_without
from touchdown.records.verdict import Basis

PARTS_OF_WORK = ("model", "tools", "agent", "human")
ESTIMATED = frozenset(
    {"jitter", "cache_miss", "cache_expired", "rerouting", "subagent_fanout", "compaction"}
)
"""Taxes whose time comes from a stated rule: the usual pace of a stream, shares of the tokens computed."""


class Told(Struct, frozen=True):
    """What is known of the intervals beside their times."""

    calls: Mapping[str, CallFacts] = field(default_factory=dict)
    claimed: Mapping[str, str] = field(default_factory=dict)
    """Id of a call or of a tool execution to the tax that takes the whole of it."""
    observable: Sequence[str] = ()
    """Taxes that can be told, so that nothing of them is 0 and not unknown."""


def account_time(root: Interval, told: Told) -> TimeAccount:
    """Every nanosecond between the root's ends in one account."""
    path = critical_path(root)
    prefill = fits_of(told.calls.values())
    phases = {
        id_: _phases(facts, told.claimed.get(id_), prefill.get(id_, 0))
        for id_, facts in told.calls.items()
    }
    sums = add_up(path, phases, told.claimed)
    taxes = dict.fromkeys(told.observable, 0) | _named(sums.total, "tax")
    work, reasons = _named(sums.total, "work"), _named(sums.total, "unexplained")
    beside = _off_path(root, path)
    return TimeAccount(
        total_ns=root.length_ns,
        work_ns=sum(work.values()),
        within_work={name: work[name] for name in PARTS_OF_WORK if name in work},
        taxes=dict(sorted(taxes.items())),
        unexplained_ns=sum(reasons.values()),
        unexplained_reasons=reasons,
        memo=sums.memos,
        basis=_basis(taxes, _estimated(told.calls.values()), inferred=bool(beside)),
        off_path=beside,
        without=_without(root, _saved(root, sums.own, phases, told.claimed), taxes),
    )


def _estimated(calls: Collection[CallFacts]) -> frozenset[str]:
    return ESTIMATED | estimated_by_engines(calls) | estimated_by_lateness(calls)


def _phases(facts: CallFacts, claimed_by: str | None, prefill_ns: int) -> Sequence[Phase]:
    """The call's phases, made again only when what they depend on is another."""
    mark = (claimed_by, prefill_ns, facts.misses)
    if facts.phased is None or facts.phased[0] != mark:
        facts.phased = (mark, phases_of(facts, claimed_by, prefill_ns))
    return facts.phased[1]


def _named(total: Mapping[Account, int], group: str) -> dict[str, int]:
    return {a.name: ns for a, ns in sorted(total.items()) if a.group == group and ns}


def _off_path(root: Interval, path: Iterable[Piece]) -> dict[str, int]:
    """What models and tools did beside the path: their lengths less what of them lies on it."""
    on_path = Counter[str]()
    for piece in path:
        on_path[piece.owner.kind] += piece.length_ns
    names = {"call": "model", "tool": "tools"}
    found = {
        names[kind]: sum(_own_ns(interval) for interval in intervals) - on_path[kind]
        for kind, intervals in by_kind(root).items()
        if kind in names
    }
    return {name: ns for name, ns in sorted(found.items()) if ns > 0}


def _own_ns(interval: Interval) -> int:
    """Its length without what it waited for inside itself."""
    if not interval.children:
        return interval.length_ns
    alone = critical_path(interval)
    return sum(piece.length_ns for piece in alone if piece.owner is interval)


def _basis(taxes: Iterable[str], estimated: frozenset[str], inferred: bool) -> dict[str, Basis]:
    """The total is measured; where things ran beside each other, what was waited for is inferred."""
    placed: Basis = "estimated" if inferred else "derived"
    basis: dict[str, Basis] = {"total": "measured", "work": placed, "unexplained": placed}
    return basis | {name: "estimated" if name in estimated else placed for name in taxes}


def _without(
    root: Interval, saved: Mapping[str, Mapping[str, int]], taxes: Iterable[str]
) -> dict[str, int]:
    return {
        name: length_without(root, saved[name])
        for name in sorted(taxes)
        if any(saved[name].values())
    }


def _saved(
    root: Interval,
    own: Mapping[str, Mapping[str, int]],
    phases: Mapping[str, Sequence[Phase]],
    claimed: Mapping[str, str],
) -> Mapping[str, Counter[str]]:
    """Tax to what each interval would be shorter by without it, on the path and beside it."""
    saved = defaultdict[str, Counter[str]](Counter, {tax: Counter(ns) for tax, ns in own.items()})
    for name, of_call in phases.items():
        for phase in of_call:
            for account, ns in phase.parts:
                if account.group == "tax":
                    saved[account.name][name] += ns
    for tool in by_kind(root).get("tool", []):
        account = account_of_tool(tool, claimed)
        if account.group == "tax":
            saved[account.name][tool.id] += _own_ns(tool)
    return saved
