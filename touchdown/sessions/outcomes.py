"""Outcomes from a file: which tasks were useful, and what a harness says they cost."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import msgspec
from msgspec import Struct

from touchdown.accounting.account import Money, TaskAccount
from touchdown.clients.fields import dollars
from touchdown.records import TaskRecord
from touchdown.records.task import Outcome

UNSPLIT = "unsplit"
ZERO = "the file gives a cost of 0: it is taken as unknown"
MISSING = "the file gives no cost"


class OutcomeError(ValueError):
    """A file of outcomes that cannot be used, in one line."""


class OutcomeRow(Struct, frozen=True):
    """One task in the file. Units: US dollars; ``usd`` is ``None`` with ``gap`` saying why."""

    id: str
    group: str
    outcome: Outcome
    usd: Decimal | None
    gap: str = ""

    @property
    def name(self) -> str:
        """Its id, behind the group's where it has one."""
        return f"{self.group}/{self.id}" if self.group else self.id

    def account(self) -> TaskAccount:
        """The account of a task of which no session was read: the file's cost, which nothing splits."""
        usd = self.usd or Decimal(0)
        return TaskAccount(
            task=TaskRecord(self.name, self.group or "(outcomes)", 0, 0, outcome=self.outcome),
            money=Money(
                total_usd=usd,
                unexplained_usd=usd,
                unexplained_reasons={UNSPLIT: usd} if usd else {},
                complete=not self.gap,
                incomplete_reasons={self.gap: 1} if self.gap else {},
                basis={"total": "estimated", "unexplained": "estimated"},
                reported_usd=self.usd,
            ),
        )


def read_outcomes(path: str) -> list[OutcomeRow]:
    """The rows of ``{id: {resolved, cost}}``, or of ``{group: {id: {resolved, cost}}}``.

    Errors: :class:`OutcomeError` names the file and what is wrong with it.
    """
    try:
        value = msgspec.json.decode(Path(path).read_bytes())
    except OSError as error:
        raise OutcomeError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise OutcomeError(f"{path}: not JSON in UTF-8 ({error})") from error
    rows = list(_rows(value, "")) if isinstance(value, dict) else []
    if not rows:
        raise OutcomeError(f"{path}: holds no outcomes; expected {{id: {{resolved, cost}}}}")
    return rows


def by_name(rows: Sequence[OutcomeRow]) -> dict[str, Outcome]:
    """Outcomes by the names a session may bear: ``group/id``, and the id alone where one row has it."""
    often = Counter(row.id for row in rows)
    found = {f"{row.group}/{row.id}": row.outcome for row in rows if row.group}
    return found | {row.id: row.outcome for row in rows if often[row.id] == 1}


def _rows(value: Mapping[str, object], group: str) -> Iterator[OutcomeRow]:
    for name, row in value.items():
        if not isinstance(row, dict):
            continue
        if "resolved" in row or "cost" in row:
            yield _row(name, group, row)
        elif not group:
            yield from _rows(row, name)


def _row(name: str, group: str, row: Mapping[str, object]) -> OutcomeRow:
    resolved = row.get("resolved")
    outcome: Outcome = "unknown"
    if isinstance(resolved, bool):
        outcome = "useful" if resolved else "useless"
    usd = dollars(row.get("cost"))
    if usd is None or usd < 0:
        return OutcomeRow(name, group, outcome, None, MISSING)
    return OutcomeRow(name, group, outcome, usd or None, "" if usd else ZERO)
