"""What this process lost, counted where it happens: told by summary, metric and doctor."""

from collections.abc import Mapping

from touchdown.runtime.options import Options
from touchdown.runtime.sinks import Accountant

KINDS: Mapping[str, tuple[str, str]] = {
    "records": ("record in no account", "records in no account"),
    "journal_lines": ("line of the journal", "lines of the journal"),
    "contents": ("content that redact failed on", "contents that redact failed on"),
}
"""Each kind in words, for one and for more."""


def lost_so_far(accountant: Accountant, options: Options) -> dict[str, int]:
    """How much of each kind was lost; what is 0 is left out."""
    contents = options.content.failures.count if options.content is not None else 0
    found = {**accountant.lost(), "contents": contents}
    return {kind: count for kind, count in found.items() if count}


def in_words(lost: Mapping[str, int]) -> list[str]:
    """It as one phrase for each kind."""
    return [f"{count:,} {KINDS[kind][count != 1]}" for kind, count in lost.items()]
