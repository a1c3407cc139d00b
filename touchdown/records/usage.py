"""Usage: the token counts of one model call, in one normal form."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

Completeness = Literal["full", "input_only", "lower_bound", "none"]
"""How much of the bill the counts cover.

``full``: the provider's final counts. ``input_only``: input known, output not reported. ``lower_bound``:
input known and output at least what is given (a stream cut short). ``none``: nothing was reported.
"""


class ServerStep(Struct, frozen=True):
    """Something the provider did inside one call that it bills beside the call's own counts.

    ``kind`` is the provider's word: ``compaction`` (it summarised the history), ``advisor_message``, ...
    ``model`` is the model that did it where that is another one.
    """

    kind: str
    usage: "Usage"
    model: str = ""


class Usage(Struct, frozen=True):
    """Token counts of one model call in disjoint classes; a class the provider did not report is ``None``.

    The provider's counting convention (cached tokens inside or beside the input) is converted once, by
    the client's reader. ``input_tokens`` and ``total_tokens`` are sums of the parts.

    Units: tokens; ``server_tools`` counts requests.
    """

    uncached: int | None = None
    cache_read: int | None = None
    cache_write: Mapping[str, int] | None = None
    """Life (``5m`` ``1h`` ``30m`` ``12h`` ``unknown``) to tokens written; ``None`` when not reported."""
    output: int | None = None
    reasoning: int | None = None
    """The part of ``output`` spent on reasoning."""
    server_tools: Mapping[str, int] | None = None
    completeness: Completeness = "none"
    cache_policy: str = ""
    """The policy that supplied the cache classes where the source reports none; empty: as reported."""
    problems: tuple[str, ...] = ()
    """Why the counts are incomplete or contradict themselves, one line each."""
    steps: tuple[ServerStep, ...] = ()
    """Billed beside the counts above, which leave them out."""

    @property
    def written_tokens(self) -> int:
        """All tokens written to the cache; 0 when none was reported."""
        written = self.cache_write
        if not written:
            return 0
        return sum(written.values()) if len(written) > 1 else next(iter(written.values()))

    @property
    def input_tokens(self) -> int | None:
        """The whole input: uncached, read and written; ``None`` when the input was not reported."""
        if self.uncached is None:
            return None
        return self.uncached + (self.cache_read or 0) + self.written_tokens

    @property
    def total_tokens(self) -> int | None:
        """Input and output together; ``None`` when either is unknown."""
        if self.input_tokens is None or self.output is None:
            return None
        return self.input_tokens + self.output

    @property
    def compacted(self) -> bool:
        """Whether the provider summarised the history inside this call: its input is then not the prompt."""
        return bool(self.steps) and any(step.kind == "compaction" for step in self.steps)
