"""What should be said of a call, worked out from the prompts as the provider reads them.

Nothing of touchdown's accounting is used here: the rule of ``accounting.md``, section 3, over the
provider's own segments and token counts.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from tests.matrix.faults import Fault
from tests.matrix.talk import CHAT, MESSAGES, Api
from touchdown.testing.provider.prompt import LEVELS, Prompt, Segment

BLOCK = 128
LOOKBACK = 20
SYSTEM = 3
"""Two tools and the system prompt, which ends in a breakpoint."""


@dataclass(frozen=True, slots=True)
class Expected:
    """Tokens lost by one cause."""

    cause: str
    tax: str
    tokens: int


def expect(
    api: Api, prompts: Sequence[Prompt], number: int, read: int, faults: Sequence[Fault]
) -> list[Expected]:
    """The misses of call ``number``, given what it read and what was done to it."""
    base, now = prompts[number - 1], prompts[number]
    parted = _parted(base, now, api, faults)
    ends = [0, *(end for _, end in now.ends())]
    repeated = _repeated(base, now)
    spans = [(max(ends[index], read), ends[index + 1]) for index in repeated]
    spans = [(start, end) for start, end in spans if end > start]
    lost = min((f for f in faults if f.kind == "lost"), key=lambda f: f.rank, default=None)
    changes = [fault for fault in faults if fault.kind == "change"]
    behind = ends[parted]
    found: Counter[tuple[str, str]] = Counter()
    if lost is None or lost.cause in ("evicted", "lookback_exceeded"):
        near, far = _entries(api, prompts[:number], now, parted)
        behind = max(read, near, far)
        found["evicted", "unexplained"] += _between(spans, read, near)
        found["lookback_exceeded", "cache_miss"] += _between(spans, max(read, near), far)
    else:
        found[lost.cause, lost.tax] += _between(spans, 0, behind)
    if changes:
        change = _first(changes, api)
        found[change.cause, change.tax] += _between(spans, behind, now.tokens)
    return [Expected(*named, tokens) for named, tokens in found.items() if tokens]


def _between(spans: Sequence[tuple[int, int]], start: int, end: int) -> int:
    """Tokens of these spans in [start, end)."""
    return sum(max(0, min(last, end) - max(first, start)) for first, last in spans)


def _first(changes: Sequence[Fault], api: Api) -> Fault:
    """The change that comes first in the context."""
    order = ["tools_changed", "system_changed", "parameters_changed", "history_edited"]
    if api is not MESSAGES:
        order = ["parameters_changed", "tools_changed", "system_changed", "history_edited"]
    return min(changes, key=lambda fault: order.index(fault.cause))


def _parted(base: Prompt, now: Prompt, api: Api, faults: Sequence[Fault]) -> int:
    """How many first segments are the same and not made invalid by a parameter."""
    common = 0
    while common < min(len(base.segments), len(now.segments)) and _same(
        base.segments[common], now.segments[common]
    ):
        common += 1
    if any(fault.cause == "parameters_changed" for fault in faults):
        level = 2 if api is MESSAGES else 0
        ranks = [LEVELS.index(segment.level) for segment in now.segments]
        first = next((i for i, rank in enumerate(ranks) if rank >= level), len(ranks))
        common = min(common, first if api is MESSAGES else 0)
    return common


def _repeated(base: Prompt, now: Prompt) -> list[int]:
    """Indices of the segments that stand in the base too, matched in order."""
    mine = [(s.label, s.text) for s in now.segments]
    theirs = [(s.label, s.text) for s in base.segments]
    matcher = SequenceMatcher(None, theirs, mine, autojunk=False)
    return [block.b + step for block in matcher.get_matching_blocks() for step in range(block.size)]


def _same(one: Segment, other: Segment) -> bool:
    return (one.label, one.text) == (other.label, other.text)


def _entries(api: Api, earlier: Sequence[Prompt], now: Prompt, parted: int) -> tuple[int, int]:
    """Tokens of the longest entry left by an earlier call: in reach of a breakpoint, and of all."""
    ends = [0, *(end for _, end in now.ends())]
    if api is CHAT:
        whole = ends[parted] // BLOCK * BLOCK
        return (whole, 0) if whole >= 1024 else (0, 0)
    left = [len(prompt.segments) for prompt in earlier if len(prompt.segments) <= parted]
    if api is not MESSAGES:
        return max((ends[length] for length in left), default=0), 0
    if parted >= SYSTEM:
        left.append(SYSTEM)
    marks = (SYSTEM, len(now.segments))
    near = [n for n in left if any(0 <= mark - n <= LOOKBACK for mark in marks)]
    return max((ends[n] for n in near), default=0), max((ends[n] for n in left), default=0)
