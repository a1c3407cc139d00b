"""``unneeded_work``: the same again with nothing changed in between, and never what only looks like it."""

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
from touchdown.accounting.account import MOST_SPANS, TaskAccount
from touchdown.accounting.ledger import refold
from touchdown.records import ModelCall, Record, ToolCall

START = [TOOLS, SYSTEM, seg("goal")]
FIRST = call("c1", 0, START, usage(0, 0, 100, {"5m": 3000}))
AGAIN = replace(FIRST, id="c2", sent_at_ns=10 * SECOND, usage=usage(0, 3000, 100))
WHOLE = 3000 * usd("0.5") / MILLION + 100 * usd("25") / MILLION


def account_of(*records: Record) -> TaskAccount:
    return refold(records, FixedPrices()).account()


def unneeded(*records: Record) -> object:
    return account_of(*records).money.taxes["unneeded_work"]


def test_the_same_request_again_is_unneeded_whole() -> None:
    account = account_of(FIRST, AGAIN)

    assert account.money.taxes["unneeded_work"] == WHOLE
    (found,) = account.findings
    assert found.why == "1 model call repeated a request; nothing had changed in between"
    assert (found.basis, found.usd, found.saves_usd) == ("derived", WHOLE, WHOLE)


def test_of_many_repeats_the_first_spans_are_named_and_all_are_counted() -> None:
    again = [
        replace(AGAIN, id=f"c{nr}", span_id=f"span-c{nr}", sent_at_ns=10 * nr * SECOND)
        for nr in range(2, MOST_SPANS + 12)
    ]
    (found,) = account_of(FIRST, *again).findings

    assert found.why.startswith(f"{len(again)} model calls repeated a request")
    assert found.spans == tuple(each.span_id for each in again[:MOST_SPANS])


@pytest.mark.parametrize(
    "second",
    [
        replace(AGAIN, sent_at_ns=SECOND // 2),
        replace(AGAIN, request={"temperature": 1}),
        replace(AGAIN, context=after(FIRST, 3, seg("more"))),
        replace(AGAIN, context=replace(FIRST.context, parameters={"tool_choice": "x"})),
        replace(AGAIN, model="claude-haiku-4-5"),
        replace(AGAIN, context=replace(FIRST.context, opaque="conversation: on the server")),
    ],
    ids=["in flight together", "another temperature", "more said", "parameter", "model", "hidden"],
)
def test_what_differs_or_runs_beside_it_is_no_repeat(second: ModelCall) -> None:
    assert unneeded(FIRST, second) == 0


def test_a_tool_in_between_may_have_changed_what_the_answer_depends_on() -> None:
    wrote = ToolCall("x", "task", "agent", "run", 5 * SECOND)
    looked = replace(wrote, read_only=True)

    assert unneeded(FIRST, wrote, AGAIN) == 0
    assert unneeded(FIRST, looked, AGAIN) == WHOLE


def test_a_retry_is_a_retry() -> None:
    money = account_of(replace(FIRST, status="error"), AGAIN).money

    assert money.taxes["unneeded_work"] == 0
    assert money.taxes["retries"] > 0


# 100 output tokens asked for each tool call; each result is 100 tokens.
ASK_1 = replace(FIRST, usage=usage(0, 0, 100, {"5m": 3000}))
ASK_1 = replace(ASK_1, output=asks(("t1", "look"), text=0, argument_chars=96))
READ_1 = call(
    "c2",
    10,
    context=after(ASK_1, 3, result("t1", "look", 400, digest="same")),
    used=usage(0, 3000, 100, {"5m": 100}),
    output=asks(("t2", "look"), text=0, argument_chars=96),
)
READ_2 = call(
    "c3",
    20,
    context=after(READ_1, 4, result("t2", "look", 400, digest="same")),
    used=usage(0, 3100, 100, {"5m": 100}),
)
LATER = call("c4", 30, context=after(READ_2, 5, seg("x", 400)), used=usage(0, 3200, 1, {"5m": 100}))


def looked(name: str, at_s: float, call_id: str, digest: str = "same", **more: object) -> ToolCall:
    tool = ToolCall(
        name, "task", "agent", "look", int(at_s * SECOND), duration_ns=1, call_id=call_id,
        result_digest=digest, argument_digest="a", read_only=True,
    )  # fmt: skip
    return replace(tool, **more)  # type: ignore[arg-type]


TWICE = (looked("x1", 5, "t1"), looked("x2", 15, "t2"))
TOOL_AGAIN = 100 * usd("25") / MILLION + 100 * usd("6.25") / MILLION + 100 * usd("0.5") / MILLION


def test_a_read_only_tool_called_again_takes_its_request_and_its_result() -> None:
    account = account_of(ASK_1, READ_1, READ_2, LATER, *TWICE)

    assert account.money.taxes["unneeded_work"] == TOOL_AGAIN
    (found,) = account.findings
    assert found.why == "1 tool call repeated another (look 1x); nothing had changed in between"


@pytest.mark.parametrize(
    "tools",
    [
        (TWICE[0], replace(TWICE[1], read_only=False)),
        (TWICE[0], replace(TWICE[1], argument_digest="b")),
        (TWICE[0], replace(TWICE[1], argument_digest="")),
        (TWICE[0], replace(TWICE[1], result_digest="other")),
        (*TWICE, ToolCall("x3", "task", "elsewhere", "write", 10 * SECOND)),
        (replace(TWICE[0], agent_id="other"), TWICE[1]),
    ],
    ids=["not read-only", "arguments", "unknown arguments", "result", "a write", "another agent"],
)
def test_what_is_no_repeat_of_a_tool(tools: tuple[ToolCall, ...]) -> None:
    assert unneeded(ASK_1, READ_1, READ_2, LATER, *tools) == 0


def test_a_tool_seen_only_in_the_context_counts_as_a_write() -> None:
    asked = replace(READ_1, output=asks(("t2", "look"), ("sh", "shell"), text=0))
    shape = after(asked, 4, result("sh", "shell", 400), result("t2", "look", 400, digest="same"))

    assert unneeded(ASK_1, asked, replace(READ_2, context=shape), *TWICE) == 0


def test_a_poller_whose_result_ever_changes_is_exempt() -> None:
    third = looked("x3", 25, "t3", digest="done")

    assert unneeded(ASK_1, READ_1, READ_2, LATER, *TWICE, third) == 0
    wrote = ToolCall("w", "task", "agent", "write", 20 * SECOND)
    assert unneeded(ASK_1, READ_1, READ_2, LATER, *TWICE, third, wrote) == TOOL_AGAIN


def test_a_result_that_is_no_longer_in_the_context_has_to_be_asked_for_again() -> None:
    cleared = replace(
        READ_2.context,
        predecessor=None,
        shared=0,
        new=(*START, seg("cleared", 40), result("t2", "look", 400, digest="same")),
    )
    dropped = replace(READ_2, context=cleared, usage=usage(100, 3000, 10))

    assert unneeded(ASK_1, READ_1, dropped, *TWICE) == 0


def test_a_failed_tool_that_fails_again_is_a_failure() -> None:
    failed = tuple(replace(tool, failed=True) for tool in TWICE)
    money = account_of(ASK_1, READ_1, READ_2, LATER, *failed).money

    assert money.taxes["unneeded_work"] == 0
    assert money.taxes["failed_tools"] > 0
