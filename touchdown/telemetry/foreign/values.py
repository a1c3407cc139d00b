"""Attributes by the fields of a dialect, whatever type they came in: what does not fit is not there."""

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from touchdown.clients.fields import dollars
from touchdown.telemetry.foreign.dialect import Dialect

MOST_JSON_CHARS = 64 * 2**20


class Values:
    """The attributes of one span under the names of its dialect."""

    __slots__ = ("_attributes", "_names", "problems")

    def __init__(self, dialect: Dialect, attributes: Mapping[str, Any]) -> None:
        self._names, self._attributes = dialect.names, attributes
        self.problems: list[str] = []
        """What stood there and could not be read, one line each."""

    def get(self, field: str) -> Any:
        """The value of a field; ``None`` where no attribute carries it."""
        for name in self._names.get(field, ()):
            value = self._attributes.get(name)
            if value is not None:
                return value
        return None

    def text(self, field: str) -> str:
        """A text; empty where there is none."""
        value = self.get(field)
        return value if isinstance(value, str) else ""

    def count(self, field: str) -> int | None:
        """A whole number, also one that came as text or as a double."""
        value = self.get(field)
        if value is None:
            return None
        whole = _whole(value)
        if whole is None:
            self.problems.append(f"{self._name(field)} is no count")
        return whole

    def number(self, field: str) -> float | None:
        """A finite number."""
        amount = self.usd(field)
        return None if amount is None else float(amount)

    def usd(self, field: str) -> Decimal | None:
        """An amount of money."""
        return dollars(self.get(field))

    def truth(self, field: str) -> bool | None:
        """True or false, also as text."""
        value = self.get(field)
        if isinstance(value, str):
            return {"true": True, "false": False}.get(value.lower())
        return value if isinstance(value, bool) else None

    def texts(self, field: str) -> tuple[str, ...]:
        """Texts: a list, a list in JSON, or one alone."""
        value = self.json(field)
        if isinstance(value, str):
            return (value,) if value else ()
        return tuple(str(one) for one in value) if isinstance(value, (list, tuple)) else ()

    def json(self, field: str) -> Any:
        """A structured value, or the text of one; text that is no JSON is itself."""
        return decoded(self.get(field))

    def flat(self, field: str) -> list[dict[str, Any]]:
        """Items that were written as ``prefix.0.a.b``, in their order, each as nested mappings."""
        for prefix in self._names.get(field, ()):
            found: dict[int, dict[str, Any]] = {}
            for index, path, value in self._numbered(prefix):
                _put(found.setdefault(index, {}), path, value)
            if found:
                return [_listed(found[index]) for index in sorted(found)]
        return []

    def _numbered(self, prefix: str) -> Iterator[tuple[int, list[str], Any]]:
        for name, value in self._attributes.items():
            if name.startswith(prefix):
                index, *path = name[len(prefix) :].split(".")
                if index.isdecimal() and path:
                    yield int(index), path, value

    def _name(self, field: str) -> str:
        return next(n for n in self._names[field] if self._attributes.get(n) is not None)


def decoded(value: Any) -> Any:
    """What a JSON text says; anything else as it is."""
    if isinstance(value, str) and value[:1] in "[{" and 1 < len(value) <= MOST_JSON_CHARS:
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _whole(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str) and value.strip().isdecimal() and len(value) < 20:
        return int(value)
    return None


def _put(into: dict[str, Any], path: list[str], value: Any) -> None:
    *folders, last = path
    for folder in folders:
        below = into.get(folder)
        if not isinstance(below, dict):
            below = into[folder] = {}
        into = below
    into.setdefault(last, value)


def _listed(value: Any) -> Any:
    """Mappings whose keys are all numbers are lists."""
    if not isinstance(value, dict):
        return value
    below = {key: _listed(one) for key, one in value.items()}
    if below and all(key.isdecimal() for key in below):
        return [below[key] for key in sorted(below, key=int)]
    return below
