"""The ledger: records in any order, each once; contexts rebuilt; the whole account of a small task."""

import decimal

from msgspec.structs import replace

from tests.accounting.build import (
    OPUS,
    SECOND,
    SYSTEM,
    TOOLS,
    FixedPrices,
    after,
    asks,
    call,
    result,
    seg,
    usage,
    usd,
)
from touchdown.accounting.ledger import Ledger, refold
from touchdown.records import AgentRun, Attempt, ContextShape, Record, TaskRecord, ToolCall, Usage

START = [TOOLS, SYSTEM, seg("goal")]

FIRST = call(
    "c1", 0, START, usage(0, 0, 100, {"5m": 3000}), output=asks(("t1", "run"), argument_chars=97)
)
SECOND_CALL = call(
    "c2",
    5,
    context=after(FIRST, 3, seg("asked", 400, "tool_use"), result("t1", chars=4000)),
    used=usage(0, 3000, 50, {"5m": 1100}),
)


def ledger_of(*records: Record) -> Ledger:
    return refold(records, FixedPrices())


def test_two_calls_priced_and_summed_exactly() -> None:
    account = ledger_of(FIRST, SECOND_CALL).account()

    # 3,000 written at 6.25, 100 out at 25; 3,000 read at 0.50, 1,100 written, 50 out.
    assert account.money.total_usd == usd("0.02125") + usd("0.009625")
    assert account.money.work_usd == account.money.total_usd
    assert account.money.complete
    assert account.money.unpriced_calls == 0
    assert account.usage.cache_read == 3000
    assert account.usage.cache_write == {"5m": 4100}
    assert account.usage.uncached_input == 0
    assert account.usage.reasoning is None


def test_the_verdict_says_what_the_context_is_made_of() -> None:
    ledger = Ledger(FixedPrices())
    first, second = ledger.add(FIRST), ledger.add(SECOND_CALL)

    assert first is not None
    assert second is not None
    assert (first.cache_state, second.cache_state) == ("cold", "warm")
    assert first.tokens_by_kind == {"tools": 1000, "system": 1000, "user": 1000}
    assert second.tokens_by_kind == {
        "tools": 1000, "system": 1000, "user": 1000, "tool_use": 100, "tool_result": 1000,
    }  # fmt: skip
    assert second.context_tokens == 4100
    assert (second.reusable_tokens, second.read_tokens, second.missed_tokens) == (3000, 3000, 0)
    assert second.cost is not None
    assert second.cost.cache_read == usd("0.0015")
    assert second.cost.cache_write == usd("0.006875")


def test_tools_are_seen_without_decorators_and_their_rent_is_told() -> None:
    third = call(
        "c3",
        9,
        context=after(SECOND_CALL, 5, seg("more", 400)),
        used=usage(0, 4100, 10, {"5m": 100}),
    )
    (tool,) = ledger_of(FIRST, SECOND_CALL, third).account().tools

    assert (tool.name, tool.calls, tool.failed, tool.output_chars) == ("run", 1, 0, 4000)
    assert tool.output_tokens == 1000
    assert tool.first_read_usd == usd("0.00625")
    assert tool.rent_usd == usd("0.0005")


def test_a_task_is_open_until_its_closing_record_comes() -> None:
    opened = TaskRecord("task", "fix it", 0)
    closed = replace(opened, duration_ns=8 * SECOND, outcome="useful")
    ledger = ledger_of(opened, FIRST)

    assert ledger.account().wall_s is None
    assert ledger.account(now_ns=3 * SECOND).wall_s == 3.0
    assert ledger.account().open
    ledger.add(closed)
    ledger.add(opened)
    account = ledger.account()
    assert (account.open, account.wall_s, account.task.outcome) == (False, 8.0, "useful")


def test_child_tasks_are_counted_in_their_root_and_can_be_asked_for_alone() -> None:
    root = TaskRecord("task", "root", 0, 20 * SECOND)
    child = TaskRecord("child", "part", 4 * SECOND, SECOND, parent_id="task")
    grandchild = TaskRecord("deep", "part", 4 * SECOND, SECOND, parent_id="child")
    ledger = ledger_of(root, child, grandchild, FIRST, replace(SECOND_CALL, task_id="deep"))

    assert ledger.account().task.id == "task"
    assert ledger.account().model_calls == 2
    part = ledger.account(task_id="child")
    assert (part.task.name, part.model_calls) == ("part", 1)
    assert part.money.total_usd == usd("0.009625")
    assert ledger.account(task_id="nobody").model_calls == 0


def test_agents_carry_the_cost_of_the_agents_below_them() -> None:
    runs = [
        AgentRun("agent", "task", "task", "lead", 0, 9 * SECOND),
        AgentRun("sub", "task", "agent", "helper", SECOND, SECOND),
        AgentRun("never", "task", "agent", "helper", SECOND, 0, status="not_started"),
    ]
    account = ledger_of(*runs, FIRST, replace(SECOND_CALL, agent_id="sub")).account()
    lead, helper = account.agent_runs

    assert account.agents == 2
    assert (lead.name, lead.own_usd, lead.total_usd) == ("lead", usd("0.02125"), usd("0.030875"))
    assert (helper.own_usd, helper.total_usd, helper.model_calls) == (usd("0.009625"),) * 2 + (1,)


def test_agents_that_are_each_others_parents_end() -> None:
    runs = [
        AgentRun("agent", "task", "other", "a", 0, SECOND),
        AgentRun("other", "task", "agent", "b", 0, SECOND),
    ]

    assert [run.total_usd for run in ledger_of(*runs, FIRST).account().agent_runs] == [
        usd("0.02125")
    ] * 2


def test_a_call_that_arrives_late_is_folded_where_it_belongs() -> None:
    live = Ledger(FixedPrices())
    late = live.add(SECOND_CALL)
    live.add(FIRST)

    assert late is not None
    assert late.cache_state == "unknown"
    assert live.verdict("c2") == ledger_of(FIRST, SECOND_CALL).verdict("c2")
    assert live.account() == ledger_of(FIRST, SECOND_CALL).account()


def test_a_shape_may_name_a_predecessor_that_was_sent_later() -> None:
    early = call("a", 0, START, lasts_s=9)
    later = call("b", 1, [*START, seg("x")], lasts_s=1)
    early = replace(early, context=after(later, 3, seg("y")))
    verdict = ledger_of(early, later).verdict("a")

    assert verdict is not None
    assert verdict.tokens_by_kind["user"] == 500
    live = Ledger(FixedPrices())
    live.add(early)
    live.add(later)
    assert live.account() == ledger_of(early, later).account()


def test_two_different_records_with_one_id_count_once_and_are_told() -> None:
    other = replace(FIRST, usage=usage(10, 0, 1), duration_ns=5 * SECOND)
    ledger = ledger_of(FIRST, other, FIRST)

    assert ledger.account().model_calls == 1
    assert ledger.account().money.total_usd == usd("0.000075")
    assert ledger.account().money.incomplete_reasons == {"two records with one id": 1}
    assert ledger.account() == ledger_of(other, FIRST).account()


def test_money_does_not_depend_on_the_hosts_decimal_context() -> None:
    exact = ledger_of(FIRST, SECOND_CALL).account()
    with decimal.localcontext(decimal.Context(prec=2)):
        rounded = ledger_of(FIRST, SECOND_CALL).account()

    assert rounded == exact


def test_an_unknown_model_is_unpriced_and_the_sum_says_at_least() -> None:
    ledger = ledger_of(FIRST, replace(SECOND_CALL, model="unheard-of"))
    money = ledger.account().money

    assert money.total_usd == usd("0.02125")
    assert (money.complete, money.unpriced_calls) == (False, 1)
    assert money.incomplete_reasons == {"unknown model": 1}
    verdict = ledger.verdict("c2")
    assert verdict is not None
    assert (verdict.cost, verdict.unpriced) == (None, "unknown model")


def test_what_may_have_been_billed_unseen_makes_the_sum_incomplete() -> None:
    refused = call("e", 1, START, Usage(), status="error", http_status=429)
    lost = replace(refused, id="l", http_status=None)
    slow = replace(FIRST, attempts=(Attempt(None, 0.5), Attempt(529, 1.0)))
    cut = replace(FIRST, usage=usage(0, 0, 7, {"5m": 3000}, completeness="lower_bound"))
    silent = replace(FIRST, usage=usage(0, 0, None, {"5m": 3000}))
    odd = replace(FIRST, usage=usage(0, -5, 10))
    reasons = {
        name: ledger_of(record).account().money.incomplete_reasons
        for name, record in [
            ("refused", refused), ("lost", lost), ("slow", slow), ("cut", cut),
            ("silent", silent), ("odd", odd),
        ]
    }  # fmt: skip

    assert reasons == {
        "refused": {},
        "lost": {"usage not reported": 1},
        "slow": {"an attempt without an answer may have been billed": 1},
        "cut": {"output known only in part": 1},
        "silent": {"output not reported": 1},
        "odd": {"negative token count: cache_read -5": 1},
    }


def test_only_tool_records_make_an_account_too() -> None:
    tool = ToolCall("x", "task", "agent", "run", 0, output_chars=10)
    account = ledger_of(tool).account()

    assert (account.tool_calls, account.tools[0].output_chars) == (1, 10)
    assert account.money.total_usd == 0
    assert Ledger(FixedPrices()).account().model_calls == 0


def test_embeddings_have_no_cache_and_no_answer() -> None:
    record = call("e", 0, [seg("text")], usage(1000, None, None), operation="embeddings")
    ledger = ledger_of(record)
    verdict = ledger.verdict("e")

    assert verdict is not None
    assert verdict.cache_state == "off"
    assert ledger.account().money.complete
    assert ledger.account().not_observable.get("cache_miss") is None


def test_a_chain_of_shapes_that_goes_round_is_not_followed_for_ever() -> None:
    one = call("one", 0, context=ContextShape(predecessor="two", shared=1))
    two = call("two", 1, context=ContextShape(predecessor="one", shared=1))

    assert ledger_of(one, two).account().model_calls == 2


def test_the_peak_of_the_context_and_the_models_are_told() -> None:
    account = ledger_of(FIRST, SECOND_CALL).account()

    assert account.context.peak_tokens == 4100
    assert sum(account.context.by_kind.values()) == 4100
    (model,) = account.models
    assert (model.provider, model.model, model.calls) == ("anthropic", OPUS, 2)
    assert model.total_usd == account.money.total_usd
    assert account.policies["prices"] == "fixed 2026-11-23"
