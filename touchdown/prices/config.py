"""The ``[[price]]`` tables of ``touchdown.toml``."""

import difflib
import sys
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path

from msgspec.structs import fields

from touchdown.prices.location import CONFIG_VARIABLE
from touchdown.prices.override import Override, PriceConfigError, Rule, make_rule

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_KEYS = tuple(each.name for each in fields(Override) if each.name != "place")


def load_config(path: Path) -> tuple[Mapping[str, object], tuple[PriceConfigError, ...]]:
    """What a file says, numbers as exact decimals; nothing and one error for one that is not TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"), parse_float=_decimal), ()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        mend = f"mend it or unset {CONFIG_VARIABLE}"
        return {}, (PriceConfigError(str(path), "file", f"cannot be read ({reason})", mend),)
    except tomllib.TOMLDecodeError as error:
        problem = f"not TOML ({error})".replace("\n", " ")
        return {}, (PriceConfigError(str(path), "file", problem, "mend that line"),)


def read_config(path: Path) -> tuple[tuple[Rule, ...], tuple[PriceConfigError, ...]]:
    """The sound price rows of a file, and one error for each other row. Never raises."""
    content, broken = load_config(path)
    tables = content.get("price", [])
    if broken or not isinstance(tables, list):
        mend = "write [[price]] with two brackets, once for each price"
        return (), broken or (PriceConfigError(str(path), "price", "not a list of tables", mend),)
    rules: list[Rule] = []
    problems: list[PriceConfigError] = []
    for number, table in enumerate(tables, start=1):
        place = f"{path}, [[price]] table {number}"
        try:
            rules.append(make_rule(_override(table, place), place))
        except PriceConfigError as error:
            problems.append(error)
    return tuple(rules), tuple(problems)


def read_overrides(
    overrides: Iterable[Override | Mapping[str, object]],
) -> tuple[tuple[Rule, ...], tuple[PriceConfigError, ...]]:
    """The sound rules of prices given in code, and one error for each other one. Never raises.

    Each is an ``Override``, or a mapping with the keys of a ``[[price]]`` table.
    """
    rules: list[Rule] = []
    problems: list[PriceConfigError] = []
    given: Iterable[object] = overrides
    for number, override in enumerate(given, start=1):
        place = f"prices=[...], entry {number}"
        try:
            if isinstance(override, Mapping):
                override = _override(override, place)
            if not isinstance(override, Override):
                mend = 'write {"model": "...", "input": "...", "output": "..."}'
                raise PriceConfigError(place, "entry", f"a {type(override).__name__}", mend)
            rules.append(make_rule(override, place))
        except PriceConfigError as error:
            problems.append(error)
    return tuple(rules), tuple(problems)


def _override(table: object, place: str) -> Override:
    if not isinstance(table, Mapping):
        mend = "write [[price]] and the keys below it"
        raise PriceConfigError(place, "price", "not a table", mend)
    for key in table:
        if key not in _KEYS:
            close = difflib.get_close_matches(str(key), _KEYS, n=1)
            mend = f"did you mean {close[0]}?" if close else f"the keys are {', '.join(_KEYS)}"
            raise PriceConfigError(place, str(key), "unknown key", mend)
    return Override(**{"model": "", **table}, place=place)


def _decimal(text: str) -> Decimal | str:
    try:
        return Decimal(text)
    except InvalidOperation:
        return text
