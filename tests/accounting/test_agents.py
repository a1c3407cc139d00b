"""Agents and their sub-agents: three figures, how many and how deep, what went down and what came back."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import openai

import touchdown
from touchdown.accounting.account import AgentTotals
from touchdown.prices import Override
from touchdown.testing import Provider, capture

PRICES = (Override(model="gpt-5.4", input=1, output=1, cache_read=1),)
HISTORY = [
    {"role": "user", "content": "A long story about a task. " * 40},
    {"role": "assistant", "content": "So it is. " * 20},
]


def agents_of(url: str) -> dict[str, AgentTotals]:
    """A lead that hands its whole history to one sub-agent and a new question to two."""
    client = openai.OpenAI(api_key="k", base_url=url)

    def ask(messages: list[dict[str, str]]) -> None:
        client.chat.completions.create(model="gpt-5.4", messages=messages)  # type: ignore[arg-type]

    @touchdown.agent("deepest")
    def deepest() -> str:
        ask([{"role": "user", "content": "Something else."}])
        return "x" * 30

    @touchdown.agent("copies")
    def copies() -> str:
        ask([*HISTORY, {"role": "user", "content": "Now you."}])
        return deepest()

    @touchdown.agent("fresh")
    def fresh(number: int) -> None:
        ask([{"role": "user", "content": f"Question {number}?"}])

    @touchdown.agent("lead")
    def lead() -> str:
        ask(HISTORY)
        copies()
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(fresh, range(2)))
        return "done"

    with capture(prices=PRICES) as seen, client:
        with touchdown.task("goal"):
            lead()
        account = seen.account
        assert sum(run.own_usd for run in account.agent_runs) == account.money.total_usd
        return {run.name: run for run in account.agent_runs}


def test_three_figures_fan_out_depth_and_what_went_down_and_back() -> None:
    with Provider(lambda _request: "a word or two") as provider:
        runs = agents_of(provider.openai_url)
    lead, copies, deepest, fresh = (runs[n] for n in ("lead", "copies", "deepest", "fresh"))
    assert lead.children_usd > 0 == fresh.children_usd
    assert lead.total_usd == lead.own_usd + lead.children_usd
    assert copies.children_usd == deepest.total_usd == deepest.own_usd > Decimal(0)
    assert [run.sub_agents for run in (lead, copies, deepest, fresh)] == [3, 1, 0, 0]
    assert [run.depth for run in (lead, copies, deepest, fresh)] == [1, 2, 3, 2]
    assert (copies.result_chars, lead.result_chars, fresh.result_chars) == (30, 4, None)
    assert copies.copied_tokens is not None
    assert copies.given_tokens is not None
    assert copies.given_tokens > copies.copied_tokens > copies.given_tokens // 2
    assert deepest.copied_tokens == fresh.copied_tokens == 0
