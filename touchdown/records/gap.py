"""What is known of records that are not there: gaps, and what a ledger came to where it was whole."""

from collections.abc import Mapping

from msgspec import Struct, field

Figure = int | float | bool | str


class Gap(Struct, frozen=True):
    """Records of a task that are known to be missing or cut: its account is incomplete."""

    task_id: str
    reason: str
    """In words for people, e.g. ``span missing: model call 7 of reviewer``."""
    records: int = 0
    """How many, where the reason does not name them one by one."""


class Settled(Struct, frozen=True):
    """What a task's ledger came to when it closed, told by whoever folded it live.

    A ledger that is rebuilt from other records than those says so.
    """

    task_id: str
    figures: Mapping[str, Figure] = field(default_factory=dict)
    """By the names of :func:`touchdown.accounting.settled.figures_of`."""
