"""The user's own policies: what only they can say, with which a memo can be worked out."""

import difflib
from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import fields

from touchdown.prices.config import load_config
from touchdown.prices.location import find_config


class OversizedModel(Struct, frozen=True):
    """The user's word that ``cheaper`` would do for the easy calls of ``model``; both are exact model ids.

    Units: tokens. A call is easy when its answer has at most ``max_output_tokens``; without that, every
    call of the model is.
    """

    model: str
    cheaper: str
    max_output_tokens: int | None = None

    def __str__(self) -> str:
        size = (
            ""
            if self.max_output_tokens is None
            else f" up to {self.max_output_tokens} output tokens"
        )
        return f"{self.cheaper} would do for {self.model}{size}"


class Policies(Struct, frozen=True):
    """Everything the user stated."""

    oversized_model: tuple[OversizedModel, ...] = ()

    @property
    def described(self) -> dict[str, str]:
        """Name to what was stated, as every report prints it."""
        stated = "; ".join(str(policy) for policy in self.oversized_model)
        return {"oversized_model": stated} if stated else {}


NO_POLICIES = Policies()

_KEYS = tuple(field.name for field in fields(OversizedModel))
_MEND = 'write model = "..." and cheaper = "..." below [[policy.oversized_model]]'


def configured_policies(given: object) -> tuple[Policies, tuple[str, ...]]:
    """Those given in code, else those of ``touchdown.toml``; and one line for each that cannot be used."""
    if given is not None:
        return read_policies(given, "policies=")
    path = find_config()
    if path is None:
        return NO_POLICIES, ()
    return read_policies(load_config(path)[0].get("policy"), str(path))


def read_policies(content: object, place: str) -> tuple[Policies, tuple[str, ...]]:
    """The sound policies of a mapping, and one line for each other one. Never raises.

    ``content`` is the ``policy`` table of ``touchdown.toml``, or the same as a dictionary; ``place`` says
    where it is written, for messages.
    """
    if content is None:
        return NO_POLICIES, ()
    if not isinstance(content, Mapping):
        return NO_POLICIES, (f"{place}: policy: not a table; {_MEND}",)
    problems = [
        f"{place}: {name}: unknown policy; the policies are oversized_model"
        for name in content
        if name != "oversized_model"
    ]
    rows = content.get("oversized_model", [])
    found: list[OversizedModel] = []
    for number, row in enumerate([rows] if isinstance(rows, Mapping) else _listed(rows), start=1):
        where = f"{place}: oversized_model {number}"
        policy = _oversized_model(row)
        if isinstance(policy, str):
            problems.append(f"{where}: {policy}")
        else:
            found.append(policy)
    return Policies(tuple(found)), tuple(problems)


def _listed(rows: object) -> list[object]:
    return list(rows) if isinstance(rows, (list, tuple)) else [rows]


def _oversized_model(row: object) -> OversizedModel | str:
    if isinstance(row, OversizedModel):
        return row
    if not isinstance(row, Mapping):
        return f"not a table; {_MEND}"
    for key in row:
        if key not in _KEYS:
            close = difflib.get_close_matches(str(key), _KEYS, n=1)
            mend = f"did you mean {close[0]}?" if close else f"the keys are {', '.join(_KEYS)}"
            return f"{key}: unknown key; {mend}"
    model, cheaper, most = row.get("model"), row.get("cheaper"), row.get("max_output_tokens")
    if not (isinstance(model, str) and model and isinstance(cheaper, str) and cheaper):
        return f"two model ids are needed; {_MEND}"
    if most is not None and (isinstance(most, bool) or not isinstance(most, int) or most < 0):
        return f"max_output_tokens: {most!r} is no number of tokens; write a whole number"
    return OversizedModel(model, cheaper, most)
