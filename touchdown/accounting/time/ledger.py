"""The time ledger of one task: its critical path, every stretch of it in one account."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from touchdown.accounting.facts import CallFacts
from touchdown.accounting.time.account import TimeAccount
from touchdown.accounting.time.accounts import (
    AGENT,
    HUMAN,
    MODEL,
    OVERHEAD,
    TOOLS,
    Account,
    Part,
    Phase,
    clipped,
    tax,
)
from touchdown.accounting.time.first_token import fits_of
from touchdown.accounting.time.gaps import gap_parts
from touchdown.accounting.time.intervals import Interval, by_kind, start_of
from touchdown.accounting.time.path import Piece, critical_path
from touchdown.accounting.time.phases import estimated_by_engines, estimated_by_lateness, phases_of
from touchdown.accounting.time.without import length_without
from touchdown.records import ToolCall
from touchdown.records.verdict import Basis

PARTS_OF_WORK = ("model", "tools", "agent", "human")
ESTIMATED = frozenset(
    {"jitter", "cache_miss", "cache_expired", "rerouting", "subagent_fanout", "compaction"}
)
"""Taxes whose time comes from a stated rule: the usual pace of a stream, shares of the tokens computed."""


@dataclass(frozen=True, slots=True)
class Told:
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
    parts = [(piece, parts_of(piece, phases, told.claimed)) for piece in path]
    total = Counter[Account]()
    for _, found in parts:
        for account, ns in found:
            total[account] += ns
    taxes = dict.fromkeys(told.observable, 0) | _named(total, "tax")
    work, reasons = _named(total, "work"), _named(total, "unexplained")
    beside = _off_path(root, path)
    return TimeAccount(
        total_ns=root.length_ns,
        work_ns=sum(work.values()),
        within_work={name: work[name] for name in PARTS_OF_WORK if name in work},
        taxes=dict(sorted(taxes.items())),
        unexplained_ns=sum(reasons.values()),
        unexplained_reasons=reasons,
        memo=_memos(parts),
        basis=_basis(taxes, _estimated(told.calls.values()), inferred=bool(beside)),
        off_path=beside,
        without=_without(root, _saved(root, parts, phases, told.claimed), taxes),
    )


def _estimated(calls: Collection[CallFacts]) -> frozenset[str]:
    return ESTIMATED | estimated_by_engines(calls) | estimated_by_lateness(calls)


def _phases(facts: CallFacts, claimed_by: str | None, prefill_ns: int) -> Sequence[Phase]:
    """The call's phases, made again only when what they depend on is another."""
    mark = (claimed_by, prefill_ns, facts.misses)
    if facts.phased is None or facts.phased[0] != mark:
        facts.phased = (mark, phases_of(facts, claimed_by, prefill_ns))
    return facts.phased[1]


def parts_of(
    piece: Piece, phases: Mapping[str, Sequence[Phase]], claimed: Mapping[str, str]
) -> Sequence[Part]:
    """The accounts of one piece of the path."""
    owner = piece.owner
    if owner.kind == "call" and owner.id in phases:
        if piece.start_ns == owner.start_ns and piece.end_ns == owner.end_ns:
            return [part for phase in phases[owner.id] for part in phase.parts]
        moved_ns = owner.start_ns - start_of(owner)
        return clipped(phases[owner.id], piece.start_ns - moved_ns, piece.end_ns - moved_ns)
    if owner.kind == "call":
        return ((MODEL, piece.length_ns),)
    if owner.kind == "tool":
        return ((_account_of_tool(owner, claimed), piece.length_ns),)
    return gap_parts(piece)


def _account_of_tool(tool: Interval, claimed: Mapping[str, str]) -> Account:
    if isinstance(tool.record, ToolCall) and tool.record.human:
        return HUMAN
    return tax(claimed[tool.id]) if tool.id in claimed else TOOLS


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


def _memos(parts: Iterable[tuple[Piece, Sequence[Part]]]) -> dict[str, int | None]:
    """Who waited for whom: seconds of the path, beside the accounts that they lie in."""
    known = list(parts)
    calls = [piece for piece, _ in known if piece.owner.kind == "call"]
    if not calls:
        return {}
    waited = sum(
        ns
        for piece, found in known
        for account, ns in found
        if piece.owner.kind == "call" and account not in (AGENT, OVERHEAD)
    )
    first, last = calls[0].end_ns, calls[-1].start_ns
    held = sum(
        ns
        for piece, found in known
        if piece.owner.kind != "call" and first <= piece.start_ns and piece.end_ns <= last
        for account, ns in found
        if account.name != "human"
    )
    return {"cpu_waits_on_gpu": waited, "gpu_waits_on_cpu": held}


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
    parts: Iterable[tuple[Piece, Sequence[Part]]],
    phases: Mapping[str, Sequence[Phase]],
    claimed: Mapping[str, str],
) -> Mapping[str, Counter[str]]:
    """Tax to what each interval would be shorter by without it, on the path and beside it."""
    saved: defaultdict[str, Counter[str]] = defaultdict(Counter)
    found = [(name, part) for name, of_call in phases.items() for p in of_call for part in p.parts]
    for piece, own in parts:
        if piece.owner.kind in ("task", "agent"):
            found += [(piece.owner.id, part) for part in own]
    for name, (account, ns) in found:
        if account.group == "tax":
            saved[account.name][name] += ns
    for tool in by_kind(root).get("tool", []):
        account = _account_of_tool(tool, claimed)
        if account.group == "tax":
            saved[account.name][tool.id] += _own_ns(tool)
    return saved
