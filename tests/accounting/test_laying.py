"""Token shares get better with each call: what is derived, what is learned, and what is kept."""

import pytest

from tests.accounting.build import (
    HAIKU,
    SYSTEM,
    TOOLS,
    FixedPrices,
    after,
    call,
    result,
    seg,
    usage,
)
from touchdown.accounting.calls import Calls
from touchdown.accounting.contexts import Contexts
from touchdown.accounting.facts import CallFacts
from touchdown.accounting.fold import Fold
from touchdown.context.shares import Shares
from touchdown.records import ModelCall, Output, Segment, Usage

GOAL = seg("goal", 400)
SAID = seg("said", 400, "assistant")
ASKED = seg("asked", 400, "tool_use", call_id="t", tool_name="search")
THOUGHT = seg("thought", 400, "thinking")
FOUND = result("t", "search", 2000)
SILENT = Output()


def fold(*calls: ModelCall) -> list[CallFacts]:
    folding = Fold(FixedPrices(), Contexts(Calls(calls)))
    return [folding.take(one) for one in calls]


def laid(facts: CallFacts) -> list[int]:
    shares = shares_of(facts)
    return [end - start for start, end in map(shares.span, range(shares.length))]


def shares_of(facts: CallFacts) -> Shares:
    assert facts.shares is not None
    return facts.shares


def two_calls(
    used: Usage, *new: Segment, total: int = 2000, output: Output = SILENT, api: str = "messages"
) -> CallFacts:
    first = call("a", 0, [SYSTEM, GOAL], used, output=output, api=api)
    return fold(first, call("b", 2, used=usage(total), context=after(first, 2, *new), api=api))[1]


def test_the_answer_takes_the_tokens_it_was_billed_and_the_result_what_is_left() -> None:
    facts = two_calls(usage(1100, output=230), SAID, ASKED, FOUND)

    assert laid(facts)[2:] == [115, 115, 670]
    bases = [shares_of(facts).basis(index) for index in range(5)]
    assert bases == [*["estimated"] * 4, "derived"]


def test_reasoning_that_is_not_passed_back_takes_nothing() -> None:
    facts = two_calls(usage(1100, output=900, reasoning=700), ASKED, FOUND)

    assert laid(facts)[2:] == [200, 700]


def test_reasoning_that_is_passed_back_in_a_tool_loop_counts_in_full() -> None:
    facts = two_calls(usage(1100, output=260, reasoning=150), THOUGHT, ASKED, FOUND)

    assert sum(laid(facts)[2:4]) == 260
    assert shares_of(facts).basis(4) == "derived"


@pytest.mark.parametrize(
    ("used", "output", "api"),
    [
        (usage(1100, output=None), Output(), "messages"),
        (usage(1100, output=200, completeness="lower_bound"), Output(), "messages"),
        (usage(1100, output=5000), Output(), "messages"),
        (usage(1100, output=200), Output(reasoning_chars=90), "messages"),
        (usage(1100, output=200, reasoning=300), Output(), "messages"),
    ],
    ids=["unknown", "cut short", "another answer", "unknown reasoning", "contradiction"],
)
def test_an_answer_whose_tokens_are_not_known_is_estimated(
    used: Usage, output: Output, api: str
) -> None:
    facts = two_calls(used, SAID, FOUND, output=output, api=api)

    assert laid(facts)[2:] == [150, 750]
    assert shares_of(facts).basis(3) == "estimated"


def test_of_other_apis_it_is_not_known_how_passed_back_reasoning_counts() -> None:
    facts = two_calls(usage(1100, output=260), THOUGHT, FOUND, api="responses")

    assert laid(facts)[2:] == [150, 750]


def test_what_was_laid_keeps_its_tokens_when_history_is_edited() -> None:
    first = call("a", 0, [TOOLS, SYSTEM, GOAL], usage(2100))
    second = call("b", 2, used=usage(3100), context=after(first, 3, FOUND))
    other = result("t", "search", 800)
    third = call("c", 4, used=usage(3300), context=after(second, 3, other, FOUND))
    edited = seg("another goal", 800)
    fourth = call("d", 6, used=usage(3410), context=after(third, 2, edited, other, FOUND))

    seen = fold(first, second, third, fourth)

    assert laid(seen[1]) == [1000, 1000, 100, 1000]
    assert laid(seen[2]) == [1000, 1000, 100, 200, 1000]
    assert laid(seen[3]) == [1000, 1000, 210, 200, 1000]


def test_what_one_kind_showed_is_used_where_kinds_are_mixed() -> None:
    first = call("a", 0, [SYSTEM, GOAL], usage(1100))
    second = call("b", 2, used=usage(9100), context=after(first, 2, result("t", chars=16_000)))
    mixed = (seg("more", 4000), result("u", chars=4000))
    third = call("c", 4, used=usage(12_100), context=after(second, 3, *mixed))

    said, found = laid(fold(first, second, third)[2])[3:]

    assert said + found == 3000
    assert found > 1.05 * said


def test_another_model_shares_out_as_the_model_before_had_shown() -> None:
    first = call("a", 0, [SYSTEM, GOAL], usage(1100))
    second = call("b", 2, used=usage(3100), context=after(first, 2, FOUND))
    third = call("c", 4, [SYSTEM, GOAL, FOUND], usage(6200), model=HAIKU)

    assert laid(fold(first, second, third)[2]) == [2000, 200, 4000]


def test_estimates_stand_for_characters_where_they_were_made() -> None:
    short = seg("dense", 1000, tokens=500)
    long = seg("sparse", 3000, tokens=500)

    assert laid(fold(call("a", 0, [short, long], usage(800)))[0]) == [400, 400]
    old = [seg("dense", 1000), seg("sparse", 3000)]
    assert laid(fold(call("a", 0, old, usage(800)))[0]) == [200, 600]
