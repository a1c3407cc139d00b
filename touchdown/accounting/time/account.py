"""The time side of a task's account, as frozen facts for reports and programs."""

from collections.abc import Mapping

from msgspec import Struct, field

from touchdown.accounting.time.load import HostLoad
from touchdown.records.verdict import Basis


class TimeAccount(Struct, frozen=True):
    """The wall time, split once: ``work_ns`` + all ``taxes`` + ``unexplained_ns`` is ``total_ns`` exactly.

    Units: nanoseconds. ``total_ns`` is ``None`` where the end of the task is not known.
    """

    total_ns: int | None = None
    work_ns: int = 0
    within_work: Mapping[str, int] = field(default_factory=dict)
    """Parts of ``work_ns``: ``model``, ``tools``, ``agent`` (its own code), ``human``."""
    taxes: Mapping[str, int] = field(default_factory=dict)
    unexplained_ns: int = 0
    unexplained_reasons: Mapping[str, int] = field(default_factory=dict)
    memo: Mapping[str, int | None] = field(default_factory=dict)
    basis: Mapping[str, Basis] = field(default_factory=dict)
    off_path: Mapping[str, int] = field(default_factory=dict)
    """What ran beside the critical path, by kind; no part of ``total_ns``."""
    without: Mapping[str, int] = field(default_factory=dict)
    """Tax to what the wall time would be without it: another branch may then be the longest."""
    load: HostLoad | None = None
    """What the task asks of its host."""
