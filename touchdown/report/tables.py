"""Who spent it: models, agents and tools."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from touchdown.accounting.account import AgentTotals, ModelTotals, ToolTotals
from touchdown.report.bill import known_cost, mark
from touchdown.report.format import column_places, count, short, usd
from touchdown.report.layout import INDENT, Line, line, paragraph, table
from touchdown.report.text import clean
from touchdown.report.usage import hit_share, input_tokens

MOST_ROWS = 8
MOST_DEPTH = 6

EXCHANGED = (
    "given: tokens of its first context; copied: of these, in messages that another agent had sent;"
    " back: characters of its result; ?: not known"
)


def model_lines(models: Sequence[ModelTotals], width: int) -> list[Line]:
    """One row per model: calls, input, the share of it read from the cache, output, cost."""
    ranked = sorted(models, key=lambda m: (-(m.total_usd or 0), -m.calls, m.model))
    shown = ranked[:MOST_ROWS]
    places = _places([model.total_usd for model in shown])
    rows = [
        (
            clean(f"{model.provider} {model.model}"),
            count(model.calls),
            short(input_tokens(model.usage)),
            hit_share(model.usage),
            short(model.usage.output),
            known_cost(
                mark(usd(model.total_usd, places), model.basis), model.total_usd, model.complete
            ),
        )
        for model in shown
    ]
    body = table(("models", "calls", "input", "cached", "output", "cost"), rows, width)
    return [*body, *_more(len(models) - len(shown), "model")]


def agent_lines(agents: Sequence[AgentTotals], width: int) -> list[Line]:
    """The tree of agent runs: own cost, that of the agents below, both; what went down and came back.

    Not with one agent alone.
    """
    if len(agents) < 2:
        return []
    drawn = list(_tree(agents))
    shown = drawn[: MOST_ROWS + 4]
    places = _places([agent.total_usd for _, agent in shown])
    rows = [
        (
            branch + (clean(agent.name) or "(unnamed)"),
            count(agent.model_calls),
            usd(agent.own_usd, places),
            usd(agent.children_usd, places),
            usd(agent.total_usd, places),
            _exchanged(agent.given_tokens),
            _exchanged(agent.copied_tokens),
            _exchanged(agent.result_chars),
        )
        for branch, agent in shown
    ]
    head = ("agents", "calls", "own", "below", "total", "given", "copied", "back")
    body = table(head, rows, width)
    return [
        *body,
        *_more(len(drawn) - len(shown), "agent run"),
        *paragraph(EXCHANGED, width, "faint"),
    ]


def _exchanged(size: int | None) -> str:
    return "?" if size is None else short(size)


def tool_lines(tools: Sequence[ToolTotals], width: int) -> list[Line]:
    """One row per tool: calls, failures, output, what reading its results cost and carrying them on."""
    ranked = sorted(tools, key=lambda t: (-_cost(t), -(t.output_chars or 0), t.name))
    shown = ranked[:MOST_ROWS]
    places = _places([amount for t in shown for amount in (t.first_read_usd, t.rent_usd)])
    rows = [
        (
            clean(tool.name) or "(unnamed)",
            count(tool.calls),
            count(tool.failed) if tool.failed else "-",
            short(tool.output_chars),
            _estimate(tool.first_read_usd, places),
            _estimate(tool.rent_usd, places),
        )
        for tool in shown
    ]
    head = ("tools", "calls", "failed", "output chars", "first read", "carried on")
    return [*table(head, rows, width), *_more(len(tools) - len(shown), "tool")]


def _cost(tool: ToolTotals) -> Decimal:
    return (tool.first_read_usd or Decimal(0)) + (tool.rent_usd or Decimal(0))


def _estimate(amount: Decimal | None, places: int) -> str:
    return usd(amount, places) if not amount else mark(usd(amount, places), "estimated")


def _places(amounts: Sequence[Decimal | None]) -> int:
    return column_places([amount for amount in amounts if amount is not None])


def _more(left: int, noun: str) -> list[Line]:
    return [line(f"{INDENT}and {count(left, noun)} more", "faint")] if left > 0 else []


def _tree(agents: Sequence[AgentTotals]) -> Iterator[tuple[str, AgentTotals]]:
    """Agents in tree order with the branches drawn before their names; orphans and cycles stay visible."""
    children: dict[str, list[AgentTotals]] = {}
    ids = {agent.id for agent in agents}
    for agent in agents:
        children.setdefault(agent.parent_id, []).append(agent)
    roots = [agent for agent in agents if agent.parent_id not in ids]
    seen: set[str] = set()
    # Every agent is also offered as a root, after the true ones: a cycle has none.
    waiting = [("", "", agent) for agent in [*reversed(agents), *reversed(roots)]]
    while waiting:
        branch, trunk, agent = waiting.pop()
        if agent.id in seen:
            continue
        seen.add(agent.id)
        yield branch, agent
        waiting += reversed(list(_branches(trunk, children.get(agent.id, []))))


def _branches(
    trunk: str, children: Sequence[AgentTotals]
) -> Iterator[tuple[str, str, AgentTotals]]:
    """Each child with what is drawn before it and before what hangs below it."""
    for i, child in enumerate(children):
        last = i == len(children) - 1
        below = trunk + ("   " if last else "│  ")
        yield (
            trunk + ("└─ " if last else "├─ "),
            below if len(below) <= MOST_DEPTH * 3 else trunk,
            child,
        )
