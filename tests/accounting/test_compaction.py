"""``compaction``: the summary's making, its first reading and the rebuilt tail, each once; what it saved."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from tests.accounting.build import (
    HAIKU,
    MILLION,
    SECOND,
    SYSTEM,
    TOOLS,
    FixedPrices,
    after,
    asks,
    call,
    seg,
    usage,
    usd,
)
from touchdown.accounting.account import TaskAccount
from touchdown.accounting.ledger import Ledger, refold
from touchdown.records import ModelCall, Output, Record, Segment, TaskRecord
from touchdown.records.usage import ServerStep

START = [TOOLS, SYSTEM, seg("goal")]
HISTORY = [seg(f"said {number}") for number in range(5)]
LONG = call("c1", 0, [*START, *HISTORY], usage(0, 0, 10, {"5m": 8000}))
ASKED = call(
    "c2",
    10,
    context=after(LONG, 8, seg("summarise this", 400)),
    used=usage(100, 8000, 500),
    output=Output(text_chars=2000),
)
SUMMARY = seg("the story so far", 2000, answer_of="c2")
# Tools and system stay; goal and history give way to 500 tokens of summary; 1,000 tokens are kept.
SHORT = call(
    "c3",
    20,
    context=after(ASKED, 2, SUMMARY, HISTORY[-1], seg("go on", 400)),
    used=usage(0, 2000, 10, {"5m": 1600}),
)
MAKING = 100 * usd("5") / MILLION + 8000 * usd("0.5") / MILLION + 500 * usd("25") / MILLION
READING = 500 * usd("6.25") / MILLION
TAIL = 1000 * usd("5.75") / MILLION


def account_of(*records: Record) -> TaskAccount:
    return refold(records, FixedPrices()).account()


def compaction(*records: Record) -> Decimal:
    return account_of(*records).money.taxes["compaction"]


def later(count: int) -> list[ModelCall]:
    made = [SHORT]
    for number in range(count):
        shape = after(made[-1], 5 + number, seg(f"then {number}", 40))
        used = usage(0, 3600 + 10 * number, 10, {"5m": 10})
        made.append(call(f"c{4 + number}", 30 + 10 * number, context=shape, used=used))
    return made[1:]


def test_a_summary_that_the_agent_asked_for_is_paid_for_once_in_each_of_three_places() -> None:
    money = account_of(LONG, ASKED, SHORT).money

    assert money.taxes["compaction"] == MAKING + READING + TAIL
    assert money.taxes["cache_miss"] == 0


def test_the_summarisers_call_moves_when_its_answer_is_put_to_use() -> None:
    ledger = Ledger(FixedPrices())
    ledger.add(LONG)
    ledger.add(ASKED)
    before = ledger.account().money.taxes["compaction"]
    ledger.add(SHORT)

    assert (before, ledger.account().money.taxes["compaction"]) == (0, MAKING + READING + TAIL)


def test_a_summariser_of_its_own_is_recognised_as_well() -> None:
    own = call(
        "c2",
        10,
        [seg("you summarise", 400, "system"), seg("the transcript", 20_000)],
        usage(5100, 0, 500),
        agent_id="summariser",
        model=HAIKU,
        output=Output(text_chars=2000),
    )
    short = replace(SHORT, context=after(LONG, 2, *SHORT.context.new))
    making = 5100 * usd("1") / MILLION + 500 * usd("5") / MILLION

    assert compaction(LONG, own, short) == making + READING + TAIL
    same_agent = replace(own, agent_id="agent")
    assert compaction(LONG, same_agent, short) == making + READING + TAIL


def test_a_summariser_without_the_tools_is_no_change_of_tools() -> None:
    bare = replace(ASKED, context=replace(LONG.context, new=(SYSTEM, *HISTORY, seg("sum up"))))
    bare = replace(bare, usage=usage(7000, 0, 500))
    short = replace(SHORT, context=replace(LONG.context, new=(*START[:2], *SHORT.context.new)))
    misses = account_of(LONG, bare, short).cache.misses

    assert {m.miss.cause for m in misses if m.call_id == "c3"} == {"compacted"}


def _kept(*segments: Segment) -> ModelCall:
    shape = replace(LONG.context, new=tuple(segments))
    return replace(SHORT, context=shape, usage=usage(2000, 2000, 10))


ANSWER = seg("answer", 2000, "assistant", answer_of="c2")


@pytest.mark.parametrize(
    "short",
    [
        _kept(*START, *HISTORY, seg("summarise this", 400), ANSWER, seg("go on", 400)),
        _kept(TOOLS, SYSTEM, *HISTORY[2:], seg("summarise this", 400), ANSWER, seg("go on", 400)),
        _kept(
            *START, seg("edited"), *HISTORY[1:], seg("summarise this", 400), ANSWER, seg("go on")
        ),
        _kept(*START, seg("short"), *HISTORY[3:], seg("edited too", 40), ANSWER, seg("go on")),
    ],
    ids=["an ordinary answer", "a sliding window", "an edit", "a window and an edit"],
)
def test_an_answer_that_only_stands_where_it_was_given_is_no_summary(short: ModelCall) -> None:
    assert compaction(LONG, ASKED, short) == 0


def test_what_it_saved_is_a_memo_and_so_is_the_net() -> None:
    calls = [LONG, ASKED, SHORT, *later(9)]
    money = account_of(*calls).money

    # Goal and four of the five were removed, the summary takes 500: 4,500 tokens in ten calls.
    saved = 10 * 4500 * usd("0.5") / MILLION
    assert money.memo["compaction_saved_usd"] == saved
    assert money.memo["compaction_net_usd"] == saved - money.taxes["compaction"]
    assert money.work_usd + sum(money.taxes.values()) == money.total_usd


def test_one_that_pays_has_nothing_to_mend_and_one_that_does_not_says_by_how_much() -> None:
    (dear,) = account_of(LONG, ASKED, SHORT).findings
    (cheap,) = account_of(LONG, ASKED, SHORT, *later(20)).findings

    assert dear.saves_usd == dear.usd - 4500 * usd("0.5") / MILLION if dear.usd else None
    assert dear.fix.startswith("compact later")
    assert (cheap.saves_usd, cheap.fix.split(":")[0]) == (0, "nothing to mend")
    assert cheap.why == (
        "1 compaction kept 4,500 tokens out of the context of 21 calls, "
        "which saved about $0.0472, $0.0214 more than it cost"
    )


def test_a_closed_child_task_keeps_its_summarisers_call() -> None:
    root = TaskRecord("task", "root", 0, 90 * SECOND)
    child = TaskRecord("child", "part", 0, 15 * SECOND, parent_id="task")
    asked = replace(ASKED, task_id="child")

    assert compaction(root, child, LONG, asked, SHORT) == READING + TAIL
    open_for_longer = replace(child, duration_ns=30 * SECOND)
    assert compaction(root, open_for_longer, LONG, asked, SHORT) == MAKING + READING + TAIL


def test_a_call_that_only_compacts_is_one_whole() -> None:
    compacting = replace(ASKED, output=Output(summary_chars=3000), context=LONG.context)
    compacting = replace(compacting, usage=usage(0, 8000, 500))

    assert compaction(LONG, compacting) == MAKING - 100 * usd("5") / MILLION


STEP = ServerStep("compaction", usage(100, 0, 131, {"5m": 8000}))
INSIDE = call(
    "c2",
    10,
    context=after(LONG, 8, seg("now say hello", 400)),
    used=replace(usage(3000, 0, 5), steps=(STEP,)),
    output=Output(text_chars=6, summary_chars=4000),
)
STEP_USD = 8000 * usd("6.25") / MILLION + 100 * usd("5") / MILLION + 131 * usd("25") / MILLION


def test_a_compaction_inside_a_call_is_priced_by_its_own_counts() -> None:
    money = account_of(LONG, INSIDE).money
    alone = account_of(LONG, replace(INSIDE, usage=usage(3000, 0, 5))).money

    assert money.total_usd == alone.total_usd + STEP_USD
    # The rest of the call read tools, system prompt (8,000 characters) and the summary (4,000).
    assert money.taxes["compaction"] == STEP_USD + 1000 * usd("5") / MILLION
    assert money.complete


def test_what_the_provider_removed_is_saved_in_this_call_and_all_that_go_on() -> None:
    summary = seg("summary", 4000, "summary")
    after_it = call("c3", 20, [*START[:2], summary, seg("hi", 24)], usage(1006, 2000, 5))
    money = account_of(LONG, INSIDE, after_it).money

    # 8,100 tokens went in, 3,000 were left.
    assert money.memo["compaction_saved_usd"] == 2 * 5100 * usd("0.5") / MILLION
    assert money.taxes["compaction"] == STEP_USD + 1000 * usd("5") / MILLION


def test_a_step_that_cannot_be_priced_is_said_to_be_missing() -> None:
    advice = ServerStep("advisor_message", usage(100, 0, 10), "unheard-of")
    money = account_of(replace(INSIDE, usage=replace(usage(3000), steps=(advice,)))).money

    assert money.incomplete_reasons == {"a advisor_message step on the server: unknown model": 1}
    known = replace(advice, model=HAIKU)
    account = account_of(replace(INSIDE, usage=replace(usage(3000), steps=(known,))))
    assert account.money.complete
    assert account.usage.uncached_input == 3100


def test_a_new_history_without_a_summary_is_an_edit() -> None:
    plain = replace(SHORT, context=after(ASKED, 2, seg("else", 2000), HISTORY[-1]))
    misses = account_of(LONG, ASKED, plain).cache.misses

    assert {m.miss.cause for m in misses} == {"history_edited"}
    assert compaction(LONG, ASKED, replace(plain, output=asks(("t", "run")))) == 0
