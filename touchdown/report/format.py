"""How figures are written: money, counts and durations, each in one way everywhere."""

from collections.abc import Sequence
from decimal import ROUND_FLOOR, Context, Decimal, localcontext

UNKNOWN = "unknown"

# The host may have set a coarse decimal context on this thread; a bill must not be rounded by it.
EXACT = Context(prec=100)

FINEST_PLACES = 12


def usd(amount: Decimal | None, places: int | None = None) -> str:
    """An amount in US dollars: ``$1,234.56``, ``$0.000412``, ``unknown`` for ``None``.

    ``places`` fixes the decimals; without it small amounts keep three significant digits. What is not
    zero is never printed as zero: ``<$0.01``.
    """
    if amount is None:
        return UNKNOWN
    if not amount:
        return "$0" if places is None else f"${amount:.{places}f}".replace("-", "")
    with localcontext(EXACT):
        shown = _rounded(amount, money_places(amount) if places is None else places)
        if places is None and shown:
            shown = _rounded(amount, money_places(shown))
    if not shown:
        return under(-int(shown.as_tuple().exponent))
    sign = "-" if amount < 0 else ""
    return f"{sign}${shown.copy_abs():,f}"


def under(places: int) -> str:
    """Something, but less than one step of the last decimal: ``<$0.01``."""
    return f"<${Decimal(1).scaleb(-places):f}"


def money_places(amount: Decimal) -> int:
    """How many decimals one amount needs: cents from one dollar up, else three significant digits."""
    return min(FINEST_PLACES, max(2, 2 - amount.adjusted())) if amount else 2


def column_places(amounts: Sequence[Decimal]) -> int:
    """How many decimals a column needs so that its smallest amount still shows two digits.

    At most five significant digits of the sum: a fraction of a cent beside $1,000 is ``<$0.01``.
    """
    known = [amount for amount in amounts if amount]
    if not known:
        return 2
    with localcontext(EXACT):
        sum_usd = sum((abs(amount) for amount in known), Decimal(0))
        smallest = min(abs(amount) for amount in known)
        coarse = money_places(sum_usd)
        fine = max(2, 4 - sum_usd.adjusted())
    return min(FINEST_PLACES, max(coarse, min(fine, 1 - smallest.adjusted())))


def apportion(parts: Sequence[Decimal], places: int) -> list[Decimal]:
    """The parts rounded so that they add up to their rounded sum, by largest remainder, then by order."""
    with localcontext(EXACT):
        step = Decimal(1).scaleb(-places)
        floors = [part.quantize(step, ROUND_FLOOR) for part in parts]
        sum_usd = sum(parts, Decimal(0))
        missing = int((sum_usd.quantize(step) - sum(floors, Decimal(0))) / step)
        order = sorted(range(len(parts)), key=lambda i: (floors[i] - parts[i], i))
        for i in order[:missing]:
            floors[i] += step
    return floors


def shares(parts: Sequence[Decimal]) -> list[str]:
    """The percentages of the sum, adding up to 100.0; empty strings when there is nothing to share."""
    with localcontext(EXACT):
        sum_usd = sum(parts, Decimal(0))
        if sum_usd <= 0:
            return [""] * len(parts)
        percents = apportion([part * 100 / sum_usd for part in parts], 1)
    return [
        "<0.1%" if part > 0 and not percent else f"{percent:.1f}%"
        for part, percent in zip(parts, percents, strict=True)
    ]


def percent(part: int | Decimal, whole: int | Decimal) -> str:
    """A share of a whole in whole percent; ``<1%`` and ``>99%`` where rounding would claim none or all."""
    if not whole:
        return UNKNOWN
    with localcontext(EXACT):
        value = Decimal(part) * 100 / Decimal(whole)
    if 0 < value < 1:
        return "<1%"
    if 99 < value < 100:
        return ">99%"
    return f"{value:.0f}%"


def count(number: int | None, noun: str = "") -> str:
    """A count with thousands separated and its noun in the right number: ``1,204 model calls``."""
    if number is None:
        return f"{UNKNOWN} {noun}s" if noun else UNKNOWN
    if not noun:
        return f"{number:,}"
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def short(number: int | None) -> str:
    """A count for a narrow column: exact below 10,000, else three digits (``41.2k``, ``7.34M``)."""
    if number is None or abs(number) < 10_000:
        return count(number)
    for unit, size in (("k", 10**3), ("M", 10**6), ("G", 10**9)):
        scaled = number / size
        if abs(scaled) < 999.5:
            return f"{scaled:.{max(0, 3 - len(str(int(abs(scaled)))))}f}{unit}"
    return f"{number / 10**12:,.2f}T"


def duration(seconds: float | None) -> str:
    """A duration as people say it: ``412 ms``, ``12.4 s``, ``4 min 12 s``, ``2 h 03 min``."""
    if seconds is None:
        return UNKNOWN
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes:02d} min"


def _rounded(amount: Decimal, places: int) -> Decimal:
    return amount.quantize(Decimal(1).scaleb(-places))
