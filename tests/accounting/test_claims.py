"""The content layer: failed tools, retries and fan-out take their parts, to the last digit and once each."""

from typing import Any

import pytest
from msgspec.structs import replace

from tests.accounting.build import (
    MILLION,
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
from touchdown.accounting.account import TaskAccount
from touchdown.accounting.ledger import Ledger, refold
from touchdown.accounting.outputs import share_output
from touchdown.records import AgentRun, Attempt, ModelCall, Output, Record, ToolCall, Usage

START = [TOOLS, SYSTEM, seg("goal")]

# 100 output tokens over 100 characters of text and two requests of 100 with their names.
ASKING = call(
    "c1",
    0,
    START,
    usage(0, 0, 300, {"5m": 3000}),
    output=asks(("t1", "run"), ("t2", "run"), argument_chars=97),
)
CARRYING = call(
    "c2",
    5,
    context=after(ASKING, 3, result("t1", chars=400, failed=True), result("t2", chars=400)),
    used=usage(0, 3000, 10, {"5m": 200}),
)
LATER = call(
    "c3", 10, context=after(CARRYING, 5, seg("x", 400)), used=usage(0, 3200, 10, {"5m": 100})
)


def account_of(*records: Record) -> TaskAccount:
    return refold(records, FixedPrices()).account()


def test_a_failed_tool_takes_what_asked_for_it_and_its_result_wherever_it_is_carried() -> None:
    money = account_of(ASKING, CARRYING, LATER).money

    asking = 100 * usd("25") / MILLION
    first_read, carried = 100 * usd("6.25") / MILLION, 100 * usd("0.5") / MILLION
    assert money.taxes["failed_tools"] == asking + first_read + carried
    assert money.work_usd == money.total_usd - money.taxes["failed_tools"]
    assert money.basis["failed_tools"] == "estimated"


def test_the_asking_calls_share_moves_when_the_failure_is_seen() -> None:
    ledger = Ledger(FixedPrices())
    ledger.add(ASKING)
    before = ledger.account().money
    ledger.add(CARRYING)
    after_it = ledger.account().money

    assert before.taxes["failed_tools"] == 0
    assert after_it.taxes["failed_tools"] == usd("0.0025") + usd("0.000625")


@pytest.mark.parametrize(
    "tool",
    [
        ToolCall("x", "task", "agent", "run", 2 * SECOND, call_id="t2", failed=True),
        ToolCall("x", "task", "agent", "run", 2 * SECOND, result_digest="two", failed=True),
        ToolCall("x", "task", "elsewhere", "run", 2 * SECOND, result_digest="two", failed=True),
    ],
    ids=["by call id", "by digest", "by digest from another agent"],
)
def test_a_decorated_tool_is_joined_with_its_result_and_counts_once(tool: ToolCall) -> None:
    shape = after(
        ASKING, 3, result("t1", chars=400, digest="one"), result("t2", chars=400, digest="two")
    )
    account = account_of(ASKING, tool, replace(CARRYING, context=shape))

    assert account.tool_calls == 2
    assert [(t.name, t.calls, t.failed) for t in account.tools] == [("run", 2, 1)]
    assert account.money.taxes["failed_tools"] == usd("0.0025") + usd("0.000625")


def test_by_name_alone_tools_are_joined_only_where_no_digest_is_known() -> None:
    shape = after(ASKING, 3, result("t1", chars=400), result("t2", chars=400))
    carrying = replace(CARRYING, context=shape)
    plain = ToolCall("x", "task", "agent", "run", 2 * SECOND)
    digested = replace(plain, result_digest="other")

    assert account_of(ASKING, plain, carrying).tool_calls == 2
    assert account_of(ASKING, digested, carrying).tool_calls == 3


def test_equal_names_and_digests_are_joined_in_order() -> None:
    same = after(
        ASKING, 3, result("t1", chars=400, digest="ok"), result("t2", chars=400, digest="ok")
    )
    tools = [
        ToolCall(name, "task", "agent", "run", at * SECOND, result_digest="ok", failed=name == "b")
        for name, at in (("b", 3), ("a", 2))
    ]
    account = account_of(ASKING, *tools, replace(CARRYING, context=same))

    assert (account.tool_calls, account.tools[0].failed) == (2, 1)


def test_a_tool_that_was_never_started_is_no_call() -> None:
    tool = ToolCall("x", "task", "agent", "run", 0, status="not_started", failed=True)

    assert account_of(ASKING, tool).tool_calls == 0


def test_a_failed_tool_whose_result_was_never_read_still_cost_its_request() -> None:
    tool = ToolCall("x", "task", "agent", "run", 2 * SECOND, call_id="t1", failed=True)

    assert account_of(ASKING, tool).money.taxes["failed_tools"] == usd("0.0025")


def test_results_handed_over_to_another_agent_are_not_counted_again() -> None:
    handed = call(
        "c4",
        12,
        [TOOLS, seg("other system", 4000, "system"), *START[2:], *CARRYING.context.new],
        usage(3200),
        agent_id="next",
    )

    assert account_of(ASKING, CARRYING, handed).tool_calls == 2


def test_call_ids_that_a_server_uses_again_are_different_calls() -> None:
    again = call(
        "c3",
        10,
        context=after(CARRYING, 5, seg("asked", 40, "tool_use"), result("t1", "run", 800)),
        used=usage(0, 3200, 10, {"5m": 300}),
    )

    account = account_of(ASKING, replace(CARRYING, output=asks(("t1", "run"))), again)
    assert account.tool_calls == 3
    assert account.tools[0].failed == 1


@pytest.mark.parametrize("status", ["error", "cancelled", "closed_early"])
def test_a_call_that_failed_and_was_sent_again_is_a_retry(status: str) -> None:
    failed = replace(
        ASKING,
        status=status,  # type: ignore[arg-type]
        usage=usage(0, 0, 40, {"5m": 3000}, completeness="lower_bound"),
    )
    again = replace(ASKING, id="c2", sent_at_ns=5 * SECOND, usage=usage(0, 3000, 300))
    money = account_of(failed, again).money

    assert money.taxes["retries"] == 3000 * usd("6.25") / MILLION + 40 * usd("25") / MILLION
    assert not money.complete


def test_only_the_same_context_sent_again_is_a_retry() -> None:
    failed = replace(ASKING, status="error", usage=usage(0, 0, 40, {"5m": 3000}))
    other = call("c2", 5, context=after(failed, 3, seg("x")), used=usage(0, 3000, 9, {"5m": 1000}))
    hedged = replace(ASKING, id="c3", sent_at_ns=SECOND // 2)

    assert account_of(failed, other).money.taxes["retries"] == 0
    assert account_of(failed, hedged).money.taxes["retries"] == 0
    assert account_of(failed).money.taxes["retries"] == 0


def test_a_retry_keeps_the_price_layer_of_its_miss_with_the_cause() -> None:
    first = call("c0", 0, START, usage(0, 0, 10, {"5m": 3000}))
    lost = call("c1", 900, START, usage(0, 0, 10, {"5m": 3000}), status="error")
    again = call("c2", 905, START, usage(0, 3000, 10))
    money = account_of(first, lost, again).money

    assert money.taxes["cache_expired"] == 3000 * usd("5.75") / MILLION
    assert money.taxes["retries"] == 3000 * usd("0.5") / MILLION + 10 * usd("25") / MILLION


def test_attempts_inside_the_sdk_cost_time_and_no_known_money() -> None:
    slow = replace(ASKING, attempts=(Attempt(529, 0.5), Attempt(429, 1.5)))
    account = account_of(slow)
    (finding,) = account.findings

    assert (account.attempts_retried, account.retry_backoff_s) == (2, 2.0)
    assert account.money.complete
    assert (finding.tax, finding.usd, finding.seconds) == ("retries", 0, 2.0)
    assert finding.why == "2 attempts failed inside the SDK, which waited 2.0 s"


def test_a_sub_agents_first_call_repeating_messages_is_fan_out() -> None:
    child = call(
        "c2",
        60,
        [*START[:2], seg("goal", 4000), seg("brief", 400)],
        usage(100, 3000, 10),
        agent_id="sub",
    )
    fan_out = account_of(ASKING, child).money.taxes["subagent_fanout"]
    small = [*START[:2], seg("goal", 2000)]
    little = replace(ASKING, context=replace(ASKING.context, new=tuple(small)))
    shape = replace(child.context, new=(*small, seg("brief", 400)))

    assert fan_out == 0
    assert account_of(little, replace(child, context=shape)).money.taxes["subagent_fanout"] == 0
    wide = [*START[:2], seg("goal", 8000)]
    big = replace(
        ASKING,
        context=replace(ASKING.context, new=tuple(wide)),
        usage=usage(0, 0, 1, {"5m": 4000}),
    )
    repeats = replace(
        child, context=replace(shape, new=(*wide, seg("b", 400))), usage=usage(100, 4000, 10)
    )
    assert account_of(big, repeats).money.taxes["subagent_fanout"] == usd("0.001")


def test_the_next_run_of_an_agent_goes_on_with_its_conversation() -> None:
    def run(name: str, at_s: int, **more: Any) -> AgentRun:
        return AgentRun(name, "task", "task", "writer", at_s * SECOND, 5 * SECOND, **more)

    said = [*START[:2], seg("goal", 8000)]
    one = call("c1", 1, said, usage(0, 0, 1, {"5m": 4000}), agent_id="run 1")
    more = [*said, seg("answer", 200), seg("and then", 400)]
    two = call("c2", 61, more, usage(100, 4000, 10), agent_id="run 2")
    fan_out = [
        account_of(one, two, *runs).money.taxes["subagent_fanout"]
        for runs in (
            [run("run 1", 0), run("run 2", 60)],
            [run("run 1", 0), replace(run("run 2", 60), name="reviewer")],
            [replace(run("run 1", 0), duration_ns=90 * SECOND), run("run 2", 60)],
        )
    ]

    assert fan_out == [0, usd("0.001"), usd("0.001")]


def test_a_reported_cost_wins_and_the_parts_add_up_to_it() -> None:
    charged = [
        replace(record, reported_usd=usd(amount))
        for record, amount in (
            (ASKING, "0.0123456789012345"), (CARRYING, "0.001"), (LATER, "0.0000001"),
        )
    ]  # fmt: skip
    ledger = refold(charged, FixedPrices())
    money = ledger.account().money
    table = account_of(ASKING, CARRYING, LATER).money

    assert money.total_usd == money.reported_usd == usd("0.0133457789012345")
    assert money.work_usd + sum(money.taxes.values()) == money.total_usd
    assert money.memo["table_usd"] == table.total_usd
    assert money.basis["total"] == "measured"
    assert 0 < money.taxes["failed_tools"] < table.taxes["failed_tools"]
    verdict = ledger.verdict("c1")
    assert verdict is not None
    assert verdict.cost is not None
    assert verdict.cost.total == usd("0.0123456789012345")


def test_a_reported_cost_without_a_table_is_unsplit() -> None:
    known = replace(ASKING, model="unheard-of", reported_usd=usd("0.5"))
    free = replace(ASKING, model="free", reported_usd=usd("0.25"))
    money = account_of(known, replace(free, id="c9", agent_id="b")).money

    assert money.total_usd == usd("0.75")
    assert money.unexplained_reasons == {"unsplit": usd("0.75")}
    assert (money.unpriced_calls, money.complete) == (0, True)


@pytest.mark.parametrize("reported", ["NaN", "Infinity", "-1"])
def test_a_reported_cost_that_is_no_amount_is_not_believed(reported: str) -> None:
    money = account_of(replace(ASKING, reported_usd=usd(reported))).money

    assert money.total_usd == account_of(ASKING).money.total_usd
    assert money.incomplete_reasons == {"the reported cost is not an amount": 1}


def _answer(output: Output, tokens: int, reasoning: int | None = None) -> ModelCall:
    used = Usage(uncached=1, output=tokens, reasoning=reasoning, completeness="full")
    return replace(ASKING, output=output, usage=used)


def test_output_tokens_go_to_reasoning_first_and_the_rest_by_characters() -> None:
    two = asks(("t1", "run"), ("t2", "run"), text=100, argument_chars=97)
    cases = {
        "reported": share_output(_answer(two, 400, 100)),
        "seen": share_output(_answer(replace(two, reasoning_chars=300), 400)),
        "nothing seen": share_output(_answer(Output(), 50)),
        "contradiction": share_output(_answer(two, 30, 31)),
        "only a tool": share_output(_answer(asks(("t", "run"), text=0), 10)),
    }

    assert {n: (s.reasoning, s.text, s.requests) for n, s in cases.items()} == {
        "reported": (100, 100, (100, 100)),
        "seen": (200, 67, (67, 66)),
        "nothing seen": (0, 50, ()),
        "contradiction": (0, 10, (10, 10)),
        "only a tool": (0, 0, (10,)),
    }
