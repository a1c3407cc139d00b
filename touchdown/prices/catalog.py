"""Hourly prices of machines, from a price list in the form of SkyPilot's catalogue."""

import csv
import os
from collections.abc import Mapping, Sequence
from decimal import Decimal

Row = Mapping[str, str]

NEEDED = ("InstanceType", "AcceleratorName", "AcceleratorCount", "Region", "Price")
"""Columns without which it is no such list. Source: README of skypilot-org/skypilot-catalog, v5 to v8."""

ZONE = "AvailabilityZone"
MOST_NAMED = 5


def hourly_price(
    catalog: str | os.PathLike[str],
    *,
    instance: str = "",
    gpu: str = "",
    region: str = "",
    zone: str = "",
    spot: bool = False,
) -> Decimal:
    """US dollars an hour of one machine, from a ``vms.csv`` of the SkyPilot catalogue that you have on disk.

    The rows are taken that match all that is given, ``gpu`` as ``name`` or ``name:count``; they must agree on
    one price. Where a list prices machines and accelerators in rows of their own (Google's does), name both
    ``instance`` and ``gpu``: their prices are added.

    Errors: ``ValueError`` in one line for a file in another form, no row, no price or several; ``OSError``.
    """
    if not (instance or gpu):
        raise ValueError("hourly_price: name an instance, a gpu or both")
    rows = _read(catalog)
    wanted = {"Region": region, ZONE: zone}
    asked = {"instance": instance, "gpu": gpu, "region": region, "zone": zone}
    told = ", ".join(f"{name}={value!r}" for name, value in asked.items() if value)
    here = [row for row in rows if all(row.get(c) == v for c, v in wanted.items() if v)]
    column = "SpotPrice" if spot else "Price"
    both = [row for row in here if _is_instance(row, instance) and _has_gpu(row, gpu)]
    if both and not (instance and not gpu and _sells_apart(rows, both)):
        return _one_price(both, column, told)
    machines = [row for row in here if instance and _is_instance(row, instance)]
    if machines and not gpu:
        raise ValueError(
            f"hourly_price: this list prices accelerators apart; name the gpu of {instance!r} too"
        )
    apart = [row for row in here if not row["InstanceType"] and _has_gpu(row, gpu)]
    if not machines or not apart:
        raise ValueError(f"hourly_price: no row with {told}")
    return _one_price(machines, column, told) + _one_price(apart, column, told)


def _read(catalog: str | os.PathLike[str]) -> list[Row]:
    with open(catalog, encoding="utf-8", newline="") as file:
        try:
            rows = [*csv.DictReader(file)]
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"hourly_price: {os.fspath(catalog)} is no CSV ({error})") from None
    missing = [name for name in NEEDED if not rows or name not in rows[0]]
    if missing:
        raise ValueError(
            f"hourly_price: {os.fspath(catalog)} is no price list of SkyPilot's catalogue:"
            f" no column {missing[0]}"
        )
    return [{name: value or "" for name, value in row.items() if name} for row in rows]


def _is_instance(row: Row, instance: str) -> bool:
    return row["InstanceType"] == instance if instance else bool(row["InstanceType"])


def _has_gpu(row: Row, gpu: str) -> bool:
    name, _, count = gpu.partition(":")
    if not name:
        return True
    same = row["AcceleratorName"].casefold() == name.casefold()
    return same and (not count or _number(row["AcceleratorCount"]) == _number(count))


def _sells_apart(rows: Sequence[Row], found: Sequence[Row]) -> bool:
    """Whether the list has rows of accelerators alone, and none of these rows has its own in it.

    Rows of machines that never have an accelerator look the same: asking too much is better than too low
    a price.
    """
    alone = any(not row["InstanceType"] and row["AcceleratorName"] for row in rows)
    return alone and not any(row["AcceleratorName"] for row in found)


def _one_price(rows: Sequence[Row], column: str, told: str) -> Decimal:
    prices = {_number(row.get(column, "")) for row in rows}
    known = sorted(price for price in prices if price is not None)
    if not known or None in prices:
        raise ValueError(f"hourly_price: no {column} in each row with {told}")
    if len(known) == 1:
        return known[0]
    for name in ("InstanceType", "AcceleratorCount", "Region", ZONE):
        values = sorted({row.get(name, "") for row in rows})
        if len(values) > 1:
            some = ", ".join(values[:MOST_NAMED]) + (", ..." if len(values) > MOST_NAMED else "")
            raise ValueError(
                f"hourly_price: {len(known)} prices with {told}, {known[0]} to {known[-1]};"
                f" they differ by {name}: {some}"
            )
    raise ValueError(f"hourly_price: {len(known)} prices with {told}: {known[0]} to {known[-1]}")


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except ArithmeticError:
        return None
    return number if number.is_finite() and number >= 0 else None
