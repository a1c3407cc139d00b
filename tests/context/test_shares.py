"""Token shares add up to the provider's count, and appended segments take the difference of two counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from touchdown.context.shares import Shares, append_shares, apportion, left_over, share_out


def share_appended(
    before: Shares, kept: int, total: int, weights: list[int], counted: int = 0
) -> Shares | None:
    """Give what is left to what is new, by weight, as the ledger does."""
    rest = left_over(before, kept, total, len(weights))
    if rest is None:
        return None
    return append_shares(before, kept, total, apportion(rest, weights), counted)


@pytest.mark.parametrize(
    ("total", "weights", "parts"),
    [
        (10, [1, 1], [5, 5]),
        (10, [1, 1, 1], [4, 3, 3]),
        (11, [1, 1, 1], [4, 4, 3]),
        (7, [0, 5, 0], [0, 7, 0]),
        (5, [0, 0], [3, 2]),
        (3, [10, 10, 1], [2, 1, 0]),
        (0, [3, 4], [0, 0]),
        (0, [], []),
        (100, [1, 999], [0, 100]),
    ],
)
def test_largest_remainder_with_ties_by_index(
    total: int, weights: list[int], parts: list[int]
) -> None:
    assert apportion(total, weights) == parts


@pytest.mark.parametrize(("total", "weights"), [(-1, [1]), (1, [-1, 2]), (1, [])])
def test_what_cannot_be_shared_out_is_an_error(total: int, weights: list[int]) -> None:
    with pytest.raises(ValueError, match="share"):
        apportion(total, weights)


@given(st.integers(0, 10**7), st.lists(st.integers(0, 10**6), min_size=1, max_size=60))
def test_parts_add_up_and_none_is_off_by_a_whole_token(total: int, weights: list[int]) -> None:
    parts = apportion(total, weights)
    whole = sum(weights)

    assert sum(parts) == total
    assert min(parts) >= 0
    if whole:
        assert all(abs(p * whole - total * w) < whole for p, w in zip(parts, weights, strict=True))


def test_appended_segments_take_the_difference_of_two_counts() -> None:
    first = share_out(300, [100, 200])
    second = share_appended(first, 2, 1000, [30, 40])

    assert second is not None
    assert second.ends[:4] == [100, 300, 600, 1000]
    assert [second.is_measured(n) for n in range(5)] == [True, False, True, False, True]
    assert (first.length, first.total, first.end(2)) == (2, 300, 300)


def test_two_calls_may_append_to_the_same_one() -> None:
    first = share_out(300, [100, 200])
    left = share_appended(first, 2, 400, [1])
    right = share_appended(first, 2, 900, [1, 1])

    assert left is not None
    assert right is not None
    assert left.ends == [100, 300, 400]
    assert right.ends == [100, 300, 600, 900]


def test_a_context_cut_short_keeps_the_positions_before_the_cut() -> None:
    first = share_out(300, [100, 100, 100])
    cut = share_appended(first, 1, 150, [7])

    assert cut is not None
    assert cut.ends == [100, 150]
    assert not cut.is_measured(1)
    assert cut.error(1) == 5


@pytest.mark.parametrize(("total", "chars"), [(250, [10]), (300, [10]), (400, [])])
def test_counts_that_contradict_an_append_are_not_used(total: int, chars: list[int]) -> None:
    assert share_appended(share_out(300, [1]), 1, total, chars) is None


def test_positions_name_their_segments() -> None:
    shares = Shares([100, 100, 250], 3, 250)

    assert [shares.at(token) for token in (0, 99, 100, 249, 250)] == [0, 0, 2, 2, 2]
    assert [shares.span(index) for index in range(3)] == [(0, 100), (100, 100), (100, 250)]


def test_an_answer_counted_apart_ends_at_a_count() -> None:
    first = share_out(300, [100, 200])
    second = share_appended(first, 2, 1000, [30, 20, 650], counted=2)

    assert second is not None
    assert second.ends == [100, 300, 330, 350, 1000]
    assert [second.is_measured(n) for n in range(6)] == [True, False, True, False, True, True]
    assert [second.basis(i) for i in range(5)] == [*["estimated"] * 4, "derived"]


def test_a_boundary_is_as_uncertain_as_what_lies_behind_the_last_count() -> None:
    first = share_out(10_000, [4_000, 6_000])
    second = share_appended(first, 2, 11_000, [500, 500])

    assert second is not None
    assert [second.error(n) for n in range(5)] == [0, 200, 0, 60, 0]
