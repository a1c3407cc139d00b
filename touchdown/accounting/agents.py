"""Each agent run: what it cost, what those below it cost, what it was handed and what it handed back."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from touchdown.accounting.account import AgentTotals
from touchdown.accounting.facts import CallFacts
from touchdown.accounting.taxes.tax import Evidence
from touchdown.records import AgentRun


def total_agents(
    seen: Evidence, runs: Iterable[AgentRun], tasks: Iterable[str]
) -> tuple[AgentTotals, ...]:
    """Each agent run with its own cost and that of the agents below it, in order of their start.

    An agent that is still running has no record yet: it is listed without a name.
    """
    known = {run.id: run for run in runs}
    own: defaultdict[str, Decimal] = defaultdict(Decimal)
    counted: Counter[str] = Counter()
    first: dict[str, CallFacts] = {}
    for facts in seen.calls:
        own[facts.call.agent_id] += seen.postings[facts.call.id].total or Decimal(0)
        counted[facts.call.agent_id] += 1
        first.setdefault(facts.call.agent_id, facts)
    running = [agent for agent in counted if agent not in known and agent not in set(tasks)]
    below = _below(known)
    ended = sorted(known.values(), key=lambda run: (run.started_at_ns, run.id))
    listed = [(run.id, run.parent_id, run.name) for run in ended]
    listed += [(agent, "", "") for agent in sorted(running) if agent]
    return tuple(
        AgentTotals(
            id=agent,
            parent_id=parent,
            name=name,
            own_usd=own[agent],
            total_usd=sum((own[one] for one in _with_all_below(agent, below)), Decimal(0)),
            model_calls=counted[agent],
            sub_agents=len(below.get(agent, ())),
            depth=_depth(agent, known),
            given_tokens=_given(first.get(agent)),
            copied_tokens=_copied(first.get(agent)),
            result_chars=known[agent].result_chars if agent in known else None,
        )
        for agent, parent, name in listed
    )


def _given(first: CallFacts | None) -> int | None:
    return None if first is None or first.shares is None else first.shares.total


def _copied(first: CallFacts | None) -> int | None:
    """Tokens of messages that another agent had sent before; 0 where the context is all its own."""
    if first is None or first.context is None or first.shares is None:
        return None
    if first.base is None or first.base.call.agent_id == first.call.agent_id:
        return 0
    shares = first.shares
    return max(0, shares.end(first.common) - shares.end(first.context.level("messages")))


def _depth(agent: str, known: Mapping[str, AgentRun]) -> int:
    """How many agents stand above it, the task's first one counted."""
    seen: set[str] = set()
    while agent in known and agent not in seen:
        seen.add(agent)
        agent = known[agent].parent_id
    return max(1, len(seen))


def _below(runs: Mapping[str, AgentRun]) -> dict[str, list[str]]:
    children: defaultdict[str, list[str]] = defaultdict(list)
    for run in runs.values():
        children[run.parent_id].append(run.id)
    return dict(children)


def _with_all_below(agent: str, below: Mapping[str, Sequence[str]]) -> set[str]:
    found: set[str] = set()
    left = [agent]
    while left:
        one = left.pop()
        if one not in found:
            found.add(one)
            left += below.get(one, ())
    return found
