"""Money, counts and durations are each written in one way."""

from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from touchdown.report.format import apportion, column_places, count, duration, percent, short, usd

AMOUNTS = st.decimals(
    min_value=Decimal(-10), max_value=Decimal(10**6), allow_nan=False, places=12
) | st.decimals(min_value=Decimal(0), max_value=Decimal("0.001"), allow_nan=False, places=15)


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        (None, "unknown"),
        ("0", "$0"),
        ("0.000412", "$0.000412"),
        ("0.0004119999", "$0.000412"),
        ("0.09999", "$0.100"),
        ("0.5", "$0.500"),
        ("1", "$1.00"),
        ("1234.5649", "$1,234.56"),
        ("1234567", "$1,234,567.00"),
        ("-0.25", "-$0.250"),
        ("1E-20", "<$0.000000000001"),
        ("1E+3", "$1,000.00"),
    ],
)
def test_an_amount_keeps_what_matters(amount: str | None, written: str) -> None:
    assert usd(None if amount is None else Decimal(amount)) == written


def test_less_than_one_step_is_not_printed_as_zero() -> None:
    assert usd(Decimal("0.004"), places=2) == "<$0.01"
    assert usd(Decimal("-0.004"), places=2) == "<$0.01"
    assert usd(Decimal(0), places=2) == "$0.00"


def test_a_coarse_decimal_context_of_the_host_changes_nothing() -> None:
    parts = [Decimal("1234.56789"), Decimal("0.00001")]
    exact = apportion(parts, 5), usd(parts[0], 5), percent(1, 3), column_places(parts)
    with localcontext() as context:
        context.prec = 2
        assert (
            apportion(parts, 5),
            usd(parts[0], 5),
            percent(1, 3),
            column_places(parts),
        ) == exact


@given(st.lists(AMOUNTS, min_size=1, max_size=12), st.integers(0, 9))
def test_rounded_parts_add_up_to_the_rounded_sum(parts: list[Decimal], places: int) -> None:
    step = Decimal(1).scaleb(-places)
    rounded = apportion(parts, places)
    assert abs(sum(rounded, Decimal(0)) - sum(parts, Decimal(0))) <= step / 2
    assert all(abs(near - part) < step for near, part in zip(rounded, parts, strict=True))


@given(st.lists(AMOUNTS, min_size=1, max_size=12))
def test_what_was_not_paid_stays_at_zero(parts: list[Decimal]) -> None:
    rounded = apportion([*parts, Decimal(0)], 4)
    assert rounded[-1] == 0


@pytest.mark.parametrize(
    ("part", "whole", "written"),
    [(1, 3, "33%"), (1, 1000, "<1%"), (999, 1000, ">99%"), (0, 5, "0%"), (5, 5, "100%")],
)
def test_a_share_never_claims_none_or_all_by_rounding(part: int, whole: int, written: str) -> None:
    assert percent(part, whole) == written


def test_a_share_of_nothing_is_unknown() -> None:
    assert percent(0, 0) == "unknown"


def test_counts_agree_with_their_noun() -> None:
    assert count(1, "model call") == "1 model call"
    assert count(1204, "model call") == "1,204 model calls"
    assert count(None, "model call") == "unknown model calls"
    assert count(None) == "unknown"


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (9_999, "9,999"),
        (10_000, "10.0k"),
        (182_400, "182k"),
        (999_600, "1.00M"),
        (7_340_899, "7.34M"),
        (12 * 10**12, "12.00T"),
    ],
)
def test_short_counts_keep_three_digits(number: int, written: str) -> None:
    assert short(number) == written


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (None, "unknown"),
        (0.0, "0 ms"),
        (0.412, "412 ms"),
        (0.9999, "1.0 s"),
        (12.44, "12.4 s"),
        (59.97, "1 min 00 s"),
        (252.4, "4 min 12 s"),
        (7380.0, "2 h 03 min"),
    ],
)
def test_durations_read_as_people_say_them(seconds: float | None, written: str) -> None:
    assert duration(seconds) == written
