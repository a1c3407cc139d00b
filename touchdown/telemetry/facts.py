"""Facts: fields of records and the attributes that carry them. One table serves writing and reading."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cache, cached_property, lru_cache
from operator import attrgetter, getitem
from typing import Any

from msgspec import MsgspecError, Struct
from opentelemetry.util.types import AttributeValue

from touchdown.telemetry.known import Fresh, Ids, Kept

Attributes = Mapping[str, AttributeValue]
_MOST_BLOCKS = 64
_MOST_FILLED = 1_024
"""Names of templates that are remembered: kinds, taxes, tags."""


class CutError(ValueError):
    """The attributes are not those that were written: a limit or a processor has cut them."""


class Form(Struct, frozen=True):
    """How a value stands in an attribute.

    ``read`` takes whatever a source makes of a number or a text (OTLP's JSON has whole numbers as strings)
    and gives the value again, to the last digit.
    """

    read: Callable[[Any], Any]
    write: Callable[[Any], AttributeValue] | None = None
    """What is written; the value as it is where there is none."""
    zero: bool = False
    """Whether 0 and what else is empty is written, too; ``None`` never is."""
    kind: type | None = None
    """The type of values that come again and again, whose bytes are worth keeping."""

    def fields(self, name: str) -> Mapping[Any, bytes]:
        """The fields of an attribute of this form."""
        if self is ID:
            return Ids(name)
        if self.kind is None:
            return Fresh(name, self.write, self.zero)
        return Kept(name, self.kind, self.write, self.zero)


def _truth(value: Any) -> bool:
    return value.lower() == "true" if isinstance(value, str) else bool(value)


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(str(item) for item in value)


TEXT = Form(str, kind=str)
"""A text, the empty one not written."""
ID = Form(str)
"""A text that is another one each time."""
WHOLE = Form(int, zero=True, kind=int)
"""A whole number; 0 is written."""
COUNT = Form(int, kind=int)
"""A whole number that is 0 where it is absent."""
NUMBER = Form(float, zero=True)
TRUTH = Form(_truth, zero=True, kind=bool)
"""True or false, both written."""
FLAG = Form(_truth, kind=bool)
"""Written only where true."""
SECONDS = Form(lambda s: round(float(s) * 1e9), lambda ns: ns / 1e9, zero=True, kind=int)
"""Nanoseconds, as seconds in a double: exact up to three weeks."""
MONEY = Form(lambda text: Decimal(str(text)), str, zero=True, kind=Decimal)
"""An exact decimal as text."""
TEXTS = Form(_texts, tuple, kind=tuple)


class Fact(Struct, frozen=True):
    """One field of a record and its attribute."""

    field: str
    name: str
    form: Form = TEXT


class Facts(tuple[Fact, ...]):
    """Some facts of one kind of record, made ready to be written quickly."""

    _values: Callable[[object], Any]
    _forms: tuple[tuple[str, Callable[[Any], AttributeValue] | None, bool], ...]

    def __new__(cls, *facts: Fact) -> "Facts":
        made = super().__new__(cls, facts)
        values = attrgetter(*(fact.field for fact in facts))
        made._values = values if len(facts) > 1 else lambda record: (values(record),)
        made._forms = tuple((fact.name, fact.form.write, fact.form.zero) for fact in facts)
        return made

    def write(self, record: object, told: dict[str, AttributeValue]) -> None:
        """Add the attributes of `record` to those told; what is unknown is left out."""
        for (name, write, zero), value in zip(self._forms, self._values(record), strict=True):
            if value or (zero and value is not None):
                told[name] = value if write is None else write(value)

    def encode(self, record: object) -> Iterable[bytes]:
        """The same in bytes, an empty field for what is left out. Errors: as :func:`add_attributes`."""
        return map(getitem, self._fields, self._values(record))

    @cached_property
    def _fields(self) -> tuple[Mapping[Any, bytes], ...]:
        return tuple(fact.form.fields(fact.name) for fact in self)


class Alike(Facts):
    """Facts that are mostly what they were in the record before: their bytes are remembered as a whole."""

    def block(self, record: object) -> tuple[bytes, int]:
        """All in one piece, and how many are told. Errors: as :meth:`encode`."""
        values = self._values(record)
        known = self._blocks.get(values)
        if known is None:
            told = [field for field in map(getitem, self._fields, values) if field]
            known = b"".join(told), len(told)
            if len(self._blocks) >= _MOST_BLOCKS:
                self._blocks.clear()
            self._blocks[values] = known
        return known

    @cached_property
    def _blocks(self) -> dict[Any, tuple[bytes, int]]:
        return {}


def write_facts(facts: Facts, record: object) -> dict[str, AttributeValue]:
    """The attributes of `record`; what is unknown is left out."""
    told: dict[str, AttributeValue] = {}
    facts.write(record, told)
    return told


def read_facts(facts: Iterable[Fact], attributes: Attributes) -> dict[str, Any]:
    """The fields that `attributes` tell of.

    Errors: ``CutError`` names the attribute that cannot be read.
    """
    return {
        fact.field: _read(fact.name, fact.form.read, attributes[fact.name])
        for fact in facts
        if fact.name in attributes
    }


class Column(Struct, frozen=True):
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
            told[column.name] = tuple([column.nothing if v is None else v for v in values])
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
    """A mapping as one attribute per key, in order: `name` has the key's place in braces."""
    return {filled(name, key): values[key] for key in sorted(values)}


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
    if not values:
        return {}
    return {name: tuple([f"{key}={_json(value)}" for key, value in values.items()])}


def _json(value: Any) -> str:
    return str(value) if type(value) is int else json.dumps(value)


def read_pairs(name: str, attributes: Attributes) -> dict[str, Any]:
    """The mapping again."""

    def read(told: Any) -> dict[str, Any]:
        parts = [str(pair).partition("=") for pair in told]
        return {key: json.loads(value) for key, _, value in parts}

    return _read(name, read, attributes[name]) if name in attributes else {}


@lru_cache(_MOST_FILLED)
def filled(name: str, key: str) -> str:
    """The name of one key of a mapping."""
    before, after = _around(name)
    return f"{before}{key}{after}"


@cache
def _around(name: str) -> tuple[str, str]:
    before, _, rest = name.partition("{")
    return before, rest.partition("}")[2]


def _read(name: str, read: Callable[[Any], Any], value: Any) -> Any:
    try:
        return read(value)
    except (ValueError, TypeError, ArithmeticError, MsgspecError) as error:
        raise CutError(f"{name} cannot be read: {error}") from error
