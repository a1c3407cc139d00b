"""The running counters of a thread: what one request used is the difference to the count before."""

from collections.abc import Mapping
from typing import NamedTuple

from touchdown.clients.fields import count
from touchdown.records import Usage
from touchdown.sessions.counts import usage_of


class Counted(NamedTuple):
    """Token counts as Codex keeps them: cached and written inside the input, reasoning inside the output."""

    input: int
    read: int | None
    written: int | None
    output: int
    reasoning: int | None

    @property
    def usage(self) -> Usage:
        """As usage of one request."""
        return usage_of(
            self.input,
            self.output,
            read=self.read,
            written=self.written,
            reasoning=self.reasoning,
        )


def read_counted(value: object) -> Counted | None:
    """A ``total_token_usage`` or ``last_token_usage``; ``None`` for anything else.

    Source: openai/codex ``codex-rs/protocol/src/protocol.rs`` (``TokenUsage``), 2026-08;
    ``cache_write_input_tokens`` is in newer builds only.
    """
    if not isinstance(value, Mapping):
        return None
    given, output = count(value, "input_tokens"), count(value, "output_tokens")
    if given is None or output is None:
        return None
    read, written = (
        count(value, name) for name in ("cached_input_tokens", "cache_write_input_tokens")
    )
    return Counted(given, read, written, output, count(value, "reasoning_output_tokens"))


def used_since(
    before: Counted | None, total: Counted | None, last: Counted | None
) -> Counted | None:
    """What was used since the count before. ``last`` stands in where the counters began anew.

    They do when a thread goes on whose earlier requests its file does not hold, and when Codex sets them
    back because a context was full.
    """
    if total is None:
        return last
    if before is None:
        return last or total
    parts = [_less(now, then) for now, then in zip(total, before, strict=True)]
    if any(part is not None and part < 0 for part in parts):
        return last or total
    return Counted(parts[0] or 0, parts[1], parts[2], parts[3] or 0, parts[4])


def _less(now: int | None, then: int | None) -> int | None:
    return None if now is None else now - (then or 0)
