"""What of a call's prompt was evicted before it: the log of the cache, asked about one call."""

from msgspec.structs import replace

from touchdown.engines.kv.feeds import KvFeeds
from touchdown.engines.kv.log import Again, of_session
from touchdown.records import EngineTiming
from touchdown.records.verdict import Basis
from touchdown.runtime.serving import Underway

NONE_SEEN = "of what it computed, nothing was seen to be evicted since touchdown listens"
TOGETHER = "other calls were prefilled at the same time, and its cache events do not say for which"
SOURCE = "BlockRemoved, BlockStored"


def with_evicted(
    feeds: KvFeeds, call: Underway, told: EngineTiming, company: frozenset[str]
) -> EngineTiming:
    """The record with the tokens that its call found evicted.

    The blocks that it stored are the same, by their hashes, as ones that were removed before. Events name
    the session that they were for; where they do not, they are this call's only if no other was prefilled
    meanwhile (``company``: the agents of those that were), and the figure is derived.
    """
    sent, ended = call.clocks.last_sent_ns, call.clocks.ended_ns
    if sent is None or ended is None:
        return told
    found = feeds.computed_again(sent, ended)
    own = list(of_session(found, call.start.agent_id))
    named: Basis = "measured" if call.start.agent_id not in company else "estimated"
    if own:
        return _with(told, own, named, sent)
    unnamed = list(of_session(found, ""))
    if not unnamed or company:
        return _without(told, feeds.problem or (TOGETHER if unnamed else NONE_SEEN))
    return _with(told, unnamed, "derived", sent)


def _with(told: EngineTiming, own: list[Again], basis: Basis, sent_ns: int) -> EngineTiming:
    tokens = sum(one.tokens for one in own)
    if told.computed_tokens is not None and tokens > told.computed_tokens:
        tokens, basis = told.computed_tokens, "estimated"
    lacking = {k: v for k, v in told.not_observable.items() if k != "evicted_tokens"}
    return replace(
        told,
        evicted_tokens=tokens,
        evicted_ago_ns=max(sent_ns - max(one.evicted_ns for one in own), 0),
        basis={**told.basis, "evicted_tokens": basis},
        evidence={**told.evidence, "evicted_tokens": SOURCE},
        not_observable=lacking,
    )


def _without(told: EngineTiming, reason: str) -> EngineTiming:
    return replace(told, not_observable={**told.not_observable, "evicted_tokens": reason})
