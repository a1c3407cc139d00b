"""The wait for the first token: split only by a line that fits, and then in proportion to the tokens."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.accounting.build import OPUS, SECOND, SYSTEM, TOOLS, FixedPrices, call, seg, usage
from touchdown.accounting.ledger import refold
from touchdown.accounting.time.first_token import FEWEST_CALLS, fit
from touchdown.records import ModelCall, TaskRecord

MS = 10**6


def samples(tokens: Sequence[int], waits: Sequence[int]) -> dict[str, tuple[int, int]]:
    return {f"c{n}": pair for n, pair in enumerate(zip(tokens, waits, strict=True))}


def test_a_straight_line_is_found_exactly() -> None:
    tokens = [1_000 * n for n in range(1, 21)]
    line = fit(samples(tokens, [300 * MS + 50_000 * n for n in tokens]))
    assert line is not None
    assert line.prefill_ns(2_000) == 100 * MS


def test_too_few_calls_or_too_little_spread_say_nothing() -> None:
    tokens = [1_000 * n for n in range(1, FEWEST_CALLS)]
    assert fit(samples(tokens, [50_000 * n for n in tokens])) is None
    close = [10_000 + n for n in range(30)]
    assert fit(samples(close, [50_000 * n for n in close])) is None


def test_waits_that_do_not_grow_with_the_tokens_say_nothing() -> None:
    tokens = [1_000 * n for n in range(1, 41)]
    assert fit(samples(tokens, [(7 * n) % 40 * MS for n in range(40)])) is None
    assert fit(samples(tokens, [2 * SECOND - n for n in tokens])) is None


@given(st.permutations(range(25)))
def test_the_order_of_calls_does_not_matter(order: list[int]) -> None:
    pairs = [(500 * n, n * n * MS) for n in range(1, 26)]
    plain = fit({str(n): pair for n, pair in enumerate(pairs)})
    assert fit({str(n): pairs[n] for n in order}) == plain


def agent(number: int, missed: bool) -> list[ModelCall]:
    """Calls whose contexts grow; each waits 0.1 ms for every token that was not read. The last one misses."""
    made = []
    context = [TOOLS, SYSTEM]
    for n in range(number):
        context = [*context, seg(f"m{n}", 4_000 * (n + 1))]
        held = sum(s.chars for s in context[:-1]) // 4 if n else 0
        new = 1_000 * (n + 1) + (2_000 if n == 0 else 0)
        lost = missed and n == number - 1
        used = usage(0, 0 if lost else held, 10, {"5m": new + (held if lost else 0)})
        wait = 100_000 * (used.written_tokens) + 200 * MS
        made.append(
            replace(
                call(
                    f"c{n}", 40 * n, context, used, model=OPUS, scope="s" if not lost else "other"
                ),
                agent_id="task",
                duration_ns=wait + SECOND,
                first_chunk_ns=wait,
            )
        )
    return made


def test_tokens_that_were_missed_take_their_share_of_the_wait() -> None:
    calls = agent(22, missed=True)
    task = TaskRecord("task", "a task", 0, calls[-1].ended_at_ns)
    found = refold([task, *calls], FixedPrices()).account()
    missed = found.cache.missed
    assert missed > 100_000
    assert found.time.taxes["rerouting"] == missed * 100_000
    assert found.time.basis["rerouting"] == "estimated"
    without = refold([task, *calls[:19]], FixedPrices()).account()
    assert "rerouting" not in without.time.taxes
