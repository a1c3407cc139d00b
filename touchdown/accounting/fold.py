"""Folding: model calls in the order they were sent, each into its facts and its verdict."""

from collections.abc import Iterable
from decimal import Decimal

from msgspec.structs import replace

from touchdown.accounting.bases import Earlier
from touchdown.accounting.cache_rules import CacheRule, engine_rule, rule_for
from touchdown.accounting.carrying import Carrying
from touchdown.accounting.causes import diagnose, read_all
from touchdown.accounting.changes import Change, find_change
from touchdown.accounting.cold import Cold
from touchdown.accounting.compactions import compacted_by_host, compacted_inside
from touchdown.accounting.contexts import Contexts
from touchdown.accounting.facts import CallFacts, Compaction, Missed
from touchdown.accounting.gaps import find_gaps
from touchdown.accounting.kinds import tokens_by_kind
from touchdown.accounting.laying import Laying
from touchdown.accounting.postings import UNSPLIT, charge_of, price_layer, scaled_cost
from touchdown.accounting.pricing import Bill, bill_of, written_lives
from touchdown.accounting.rents import Rents
from touchdown.accounting.taxes.registry import WORK, tax_of
from touchdown.accounting.toolbook import ToolBook
from touchdown.accounting.writes import Writes
from touchdown.prices.rates import Prices, Unpriced
from touchdown.records import CallVerdict, Miss, ModelCall, Usage
from touchdown.records.verdict import Basis


class Fold:
    """The model calls of one ledger, folded. Each call's cost grows with what is new in it.

    With a ``cold`` those that later calls do not look back to are packed.
    """

    def __init__(self, prices: Prices, contexts: Contexts, cold: Cold | None = None) -> None:
        self.book = ToolBook()
        self.calls: list[CallFacts] = []
        self.spent_usd = Decimal(0)
        self._prices = prices
        self._contexts = contexts
        self._cold = cold
        self._earlier = Earlier()
        self._laying = Laying()
        self._rents = Rents()
        self._writes = Writes()
        self._carrying = Carrying()

    def take(self, call: ModelCall) -> CallFacts:
        """Fold one more call: later than all before it, or the fold is only provisional."""
        context, bill = self._contexts.of(call), bill_of(call, self._prices)
        facts = CallFacts(call, context, bill, _rule(call))
        if call.operation != "embeddings":
            facts.base, facts.common = self._earlier.base_of(facts)
            if facts.base is not None and facts.base.route == facts.route:
                # One object for all of them.
                facts.route, facts.model = facts.base.route, facts.base.model
        self._laying.lay(facts)
        facts.life = _life(facts)
        change = None
        warm = read_all(facts) if _appends(facts) else None
        if warm is None:
            change = _change(facts)
            if change is not None and change.cause is not None:
                facts.changed = change.cause, change.detail
            warm = diagnose(facts, self._earlier.entry_for, change)
            facts.compaction = _compaction(facts, change)
        facts.diagnosis = warm
        facts.removed = _removed(facts)
        _follow(facts, change)
        self.book.note(facts)
        self._rents.note(facts, self.book)
        self._carrying.note(facts, self.book)
        self._writes.note(facts)
        self._charge(facts)
        facts.gaps = find_gaps(facts)
        self._earlier.note(facts)
        self.calls.append(facts)
        if facts.layer is not None:
            self.spent_usd += facts.layer.total
        if self._cold is not None:
            self._cold.note(facts)
        return facts

    def asked(self) -> None:
        """Everything is looked at, and may soon be again."""
        if self._cold is not None:
            self._cold.asked()

    def rest(self) -> None:
        """Nothing more is expected: what can be packed is."""
        if self._cold is not None:
            self._cold.rest()

    def _charge(self, facts: CallFacts) -> None:
        misses = facts.diagnosis.misses
        if not misses:
            facts.layer = price_layer(facts, ())
            return
        facts.layer = price_layer(facts, [self._capped(facts, missed) for missed in misses])
        paid = facts.layer.misses if facts.layer and not facts.layer.unsplit else None
        facts.misses = tuple(
            _miss(missed, paid[index] if paid is not None else None)
            for index, missed in enumerate(misses)
        )

    def _capped(self, facts: CallFacts, missed: Missed) -> Decimal:
        """A change of model costs no more than staying on the old one would have saved."""
        charge = charge_of(missed, facts.bill)
        if missed.cause != "model_changed" or facts.base is None:
            return charge
        stayed = self._cost_on_old_model(facts, facts.base.call)
        if stayed is None or isinstance(facts.bill, Unpriced):
            return charge
        return max(Decimal(0), min(charge, facts.bill.total - stayed))

    def _cost_on_old_model(self, facts: CallFacts, base: ModelCall) -> Decimal | None:
        usage = facts.call.usage
        read = (usage.cache_read or 0) + (facts.diagnosis.missed or 0)
        usage = _with_reads(usage, read)
        call = replace(
            facts.call, model=base.model, response_model=base.response_model, usage=usage
        )
        bill = bill_of(call, self._prices)
        return bill.total if isinstance(bill, Bill) else None


def _rule(call: ModelCall) -> CacheRule | None:
    """A named engine's own rules hold before what a provider of that name says."""
    if call.engine is not None:
        return engine_rule(call.engine.block_tokens)
    return rule_for(call.provider, call.vendor, call.priced_model)


def _appends(facts: CallFacts) -> bool:
    """Whether all that this call's context changes in that of its agent's call before is its end."""
    base, context, call = facts.base, facts.context, facts.call
    if base is None or context is None or base.context is None or facts.shares is None:
        return False
    if facts.common != base.context.length or base.call.agent_id != call.agent_id:
        return False
    if facts.is_hidden or base.call.context.opaque is not None:
        return False
    return base.call.context.parameters == call.context.parameters


def _change(facts: CallFacts) -> Change | None:
    """How this call's context differs from its base's; ``None`` where one of them cannot be seen."""
    base = facts.base
    if base is None or base.context is None or base.call.context.opaque is not None:
        return None
    if facts.context is None or facts.shares is None or facts.is_hidden:
        return None
    return find_change(facts, facts.context, facts.shares)


def _compaction(facts: CallFacts, change: Change | None) -> Compaction | None:
    if facts.call.usage.compacted:
        return compacted_inside(facts)
    if change is None or change.summary is None:
        return None
    return compacted_by_host(facts, change.summary, change.behind)


def _follow(facts: CallFacts, change: Change | None) -> None:
    """Whether this call goes on with its base: not when they share no more than tools and system prompt."""
    base, context = facts.base, facts.context
    if base is None or context is None or base.call.agent_id != facts.call.agent_id:
        return
    first = context.level("messages")
    kept = facts.common > first or any(
        index >= first for index in (change.behind if change else ())
    )
    if kept or facts.compaction is not None:
        facts.continues = True
        # A summary, or another model's cache, ends what the base wrote for: that it would, nobody knew.
        base.continued |= facts.compaction is None and base.route == facts.route


def _removed(facts: CallFacts) -> int:
    base = facts.base
    if facts.compaction is not None:
        return facts.compaction.removed
    same = base is not None and base.call.agent_id == facts.call.agent_id
    return base.removed if same and base is not None and facts.common else 0


def _life(facts: CallFacts) -> str | None:
    """The longest life that this call wrote or asked for, else that of the entry it read."""
    known: Iterable[str] = facts.rule.lives if facts.rule else ()
    written = [life for life, tokens in written_lives(facts.call.usage) if tokens]
    if written and written[0] in known:
        return written[0]
    request = facts.call.request
    for name in ("prompt_cache_ttl", "prompt_cache_retention") if request else ():
        wanted = request.get(name)
        if isinstance(wanted, str) and wanted in known:
            return wanted
    context = facts.context
    if context is not None and context.breakpoints:
        asked = {context.segment(mark).cache_life for mark in context.breakpoints}
        for life in known:
            if life in asked and life != getattr(facts.rule, "default_life", None):
                return life
    if facts.base is not None and facts.base.route == facts.route and facts.base.life:
        return facts.base.life
    return facts.rule.default_life if facts.rule else None


def _with_reads(usage: Usage, read: int) -> Usage:
    total = usage.input_tokens or 0
    return replace(usage, cache_read=read, uncached=max(total - read, 0), cache_write=None)


def _miss(missed: Missed, usd: Decimal | None) -> Miss:
    tokens = sum(last - first for first, last in missed.ranges)
    tax = tax_of(missed.cause)
    return Miss(
        cause=missed.cause,
        tax=WORK if tax is None else tax,
        tokens=tokens,
        usd=usd,
        segment=missed.segment,
        token=missed.token,
        kind=missed.kind,
        detail=missed.detail,
        basis=missed.basis,
    )


def verdict_of(facts: CallFacts) -> CallVerdict:
    """What is said of a call once it is folded."""
    bill, found = facts.bill, facts.diagnosis
    rates = bill.rates if isinstance(bill, Bill) else None
    unpriced = None if isinstance(bill, Bill) else bill.reason
    if facts.layer is not None and facts.layer.unsplit:
        unpriced = UNSPLIT if unpriced is None else f"{UNSPLIT}: {unpriced}"
    return CallVerdict(
        call_id=facts.call.id,
        cost=scaled_cost(facts),
        unpriced=unpriced,
        price_basis=price_basis(facts),
        price_reason=rates.reason if rates else None,
        price_source=(rates.source or None) if rates else None,
        cache_state=found.state,
        reusable_tokens=found.reusable,
        read_tokens=found.read,
        missed_tokens=found.missed,
        misses=facts.misses,
        context_tokens=facts.shares.total if facts.shares else None,
        tokens_by_kind=tokens_by_kind(facts),
    )


def price_basis(facts: CallFacts) -> Basis:
    """How well this call's total is known."""
    if facts.layer is not None and facts.layer.reported:
        return "measured"
    if facts.call.usage.cache_policy:
        return "estimated"
    return facts.bill.basis if isinstance(facts.bill, Bill) else "estimated"
