"""Facts: fields of records and the attributes that carry them. One table serves writing and reading."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from opentelemetry.util.types import AttributeValue

Attributes = Mapping[str, AttributeValue]


class CutError(ValueError):
    """The attributes are not those that were written: a limit or a processor has cut them."""


@dataclass(frozen=True, slots=True)
class Form:
    """How a value stands in an attribute.

    ``write`` gives ``None`` for what is not written. ``read`` takes whatever a source makes of a number
    or a text (OTLP's JSON has whole numbers as strings) and gives the value again, to the last digit.
    """

    write: Callable[[Any], AttributeValue | None]
    read: Callable[[Any], Any]


def _same(value: Any) -> Any:
    return value


def _some(value: Any) -> Any:
    return value or None


def _truth(value: Any) -> bool:
    return value.lower() == "true" if isinstance(value, str) else bool(value)


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(str(item) for item in value)


TEXT = Form(_some, str)
"""A text, the empty one not written."""
WHOLE = Form(_same, int)
"""A whole number; 0 is written."""
COUNT = Form(_some, int)
"""A whole number that is 0 where it is absent."""
NUMBER = Form(_same, float)
TRUTH = Form(_same, _truth)
"""True or false, both written."""
FLAG = Form(_some, _truth)
"""Written only where true."""
SECONDS = Form(lambda ns: None if ns is None else ns / 1e9, lambda s: round(float(s) * 1e9))
"""Nanoseconds, as seconds in a double: exact up to three weeks."""
MONEY = Form(lambda usd: None if usd is None else str(usd), lambda text: Decimal(str(text)))
"""An exact decimal as text."""
TEXTS = Form(lambda items: list(items) or None, _texts)


@dataclass(frozen=True, slots=True)
class Fact:
    """One field of a record and its attribute."""

    field: str
    name: str
    form: Form = TEXT


def write_facts(facts: Iterable[Fact], record: object) -> dict[str, AttributeValue]:
    """The attributes of `record`; what is unknown is left out."""
    written = ((fact.name, fact.form.write(getattr(record, fact.field))) for fact in facts)
    return {name: value for name, value in written if value is not None}


def read_facts(facts: Iterable[Fact], attributes: Attributes) -> dict[str, Any]:
    """The fields that `attributes` tell of.

    Errors: ``CutError`` names the attribute that cannot be read.
    """
    return {
        fact.field: _read(fact.name, fact.form.read, attributes[fact.name])
        for fact in facts
        if fact.name in attributes
    }


@dataclass(frozen=True, slots=True)
class Column:
    """One field of each of several items, as one attribute that is a list.

    ``nothing`` stands for ``None``, which a list cannot hold. A column that is not ``needed`` is left
    out where no item has anything in it.
    """

    field: str
    name: str
    read: Callable[[Any], Any] = str
    nothing: str | int | float | None = None
    needed: bool = True


def write_columns(columns: Iterable[Column], items: Sequence[object]) -> dict[str, AttributeValue]:
    """The lists of `items`; nothing when there are none."""
    if not items:
        return {}
    told: dict[str, AttributeValue] = {}
    for column in columns:
        values = [getattr(item, column.field) for item in items]
        if column.needed or any(values):
            told[column.name] = [column.nothing if v is None else v for v in values]
    return told


def read_columns(columns: Sequence[Column], attributes: Attributes) -> list[dict[str, Any]]:
    """The fields of each item.

    Errors: ``CutError`` when the lists are not of one length.
    """
    lists = {
        column: _as_list(column, attributes[column.name])
        for column in columns
        if column.name in attributes
    }
    lengths = {len(values) for values in lists.values()}
    if len(lengths) > 1 or (lists and any(c.needed and c not in lists for c in columns)):
        raise CutError(f"{columns[0].name} and what stands beside it are not of one length")
    return [
        {column.field: values[index] for column, values in lists.items()}
        for index in range(max(lengths, default=0))
    ]


def _as_list(column: Column, values: Any) -> list[Any]:
    def one(value: Any) -> Any:
        read = _read(column.name, column.read, value)
        return None if column.nothing is not None and read == column.nothing else read

    if isinstance(values, str) or not isinstance(values, Sequence):
        raise CutError(f"{column.name} is no list")
    return [one(value) for value in values]


def write_template(name: str, values: Mapping[str, Any]) -> dict[str, AttributeValue]:
    """A mapping as one attribute per key: `name` has the key's place in braces."""
    before, after = _around(name)
    return {f"{before}{key}{after}": value for key, value in values.items()}


def read_template(
    name: str, read: Callable[[Any], Any], attributes: Attributes, apart: Iterable[str] = ()
) -> dict[str, Any]:
    """The mapping again; names listed in `apart` are no part of it."""
    before, after = _around(name)
    return {
        found[len(before) : len(found) - len(after)]: _read(found, read, value)
        for found, value in attributes.items()
        if found.startswith(before)
        and found.endswith(after)
        and len(found) > len(before) + len(after)
        and found not in apart
    }


def write_pairs(name: str, values: Mapping[str, Any]) -> dict[str, AttributeValue]:
    """A mapping as one attribute: a list of ``key=value``, the value in JSON. Nothing when it is empty."""
    return {name: [f"{key}={json.dumps(value)}" for key, value in values.items()]} if values else {}


def read_pairs(name: str, attributes: Attributes) -> dict[str, Any]:
    """The mapping again."""

    def read(told: Any) -> dict[str, Any]:
        parts = [str(pair).partition("=") for pair in told]
        return {key: json.loads(value) for key, _, value in parts}

    return _read(name, read, attributes[name]) if name in attributes else {}


def _around(name: str) -> tuple[str, str]:
    before, _, rest = name.partition("{")
    return before, rest.partition("}")[2]


def _read(name: str, read: Callable[[Any], Any], value: Any) -> Any:
    try:
        return read(value)
    except (ValueError, TypeError, ArithmeticError) as error:
        raise CutError(f"{name} cannot be read: {error}") from error
