"""Token shares where reasoning stands in the context: a tool loop keeps it, a new prompt may not."""

from tests.accounting.build import SYSTEM, FixedPrices, after, call, result, seg, usage
from touchdown.accounting.ledger import refold
from touchdown.records import Segment

GOAL = seg("goal", 400)
STEP = (
    seg("thought", 100, "thinking"),
    seg("asks", 100, "tool_use", call_id="t"),
    result("t", "search", 7000),
)


def tokens_of_what_is_new(*more: Segment) -> int:
    first = call("a", 0, [SYSTEM, GOAL], usage(1000))
    then = call("b", 2, used=usage(1500), context=after(first, 2, *STEP, *more))
    verdict = refold([first, then], FixedPrices()).verdict("b")
    assert verdict is not None
    before = refold([first], FixedPrices()).verdict("a")
    assert before is not None
    return (
        sum(verdict.tokens_by_kind.values())
        - verdict.tokens_by_kind["system"]
        - (before.tokens_by_kind["user"])
    )


def test_within_a_tool_loop_what_is_new_is_the_difference_of_two_counts() -> None:
    assert tokens_of_what_is_new() == 500


def test_after_a_new_prompt_reasoning_may_be_gone_and_all_is_shared_anew() -> None:
    assert tokens_of_what_is_new(seg("more", 100)) > 500
