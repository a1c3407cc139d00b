"""Cache policies: what a prefix cache would have held, for sources that tell blocks and no cache figures.

A trace corpus names the blocks of each prompt and not what was read from a cache. A policy supplies it, and
everything that follows from it is ``estimated``.
"""

from collections.abc import Hashable, Iterable, Sequence
from typing import Literal, get_args

from msgspec import Struct, field

from touchdown.accounting.cache_rules import rule_for
from touchdown.records import Usage

CachePolicy = Literal["unlimited", "5m", "1h", "none"]
CACHE_POLICIES: tuple[CachePolicy, ...] = get_args(CachePolicy)
DEFAULT_POLICY: CachePolicy = "5m"
"""The life that a hosted provider gives without being asked for a longer one."""

_LIFE_S: dict[CachePolicy, int | None] = {"unlimited": None, "5m": 300, "1h": 3600}
_MEANING: dict[CachePolicy, str] = {
    "unlimited": "a block is read when the same prefix was sent before in the session to the same model",
    "5m": "a block is read up to 5 minutes after its last use by the same model in the session",
    "1h": "a block is read up to 1 hour after its last use by the same model in the session",
    "none": "nothing is ever read from a cache",
}

ROOT = 0


def policy_note(policy: CachePolicy) -> str:
    """What is told to people about figures that come from a policy."""
    return (
        f"cache figures are estimated, the source has none: policy {policy!r}, {_MEANING[policy]}"
        " (--cache-policy)"
    )


class Prefixes:
    """Numbers for prefixes of blocks: equal numbers mean the same blocks from the beginning on."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[int, Hashable], int] = {}

    def of(self, blocks: Iterable[Hashable]) -> list[int]:
        """The number of the prefix that ends at each block."""
        numbers, known = [], self._numbers
        number = ROOT
        for block in blocks:
            number = known.setdefault((number, block), len(known) + 1)
            numbers.append(number)
        return numbers


class PrefixCache(Struct):
    """The prefix caches of one session, one per model, under a policy.

    A block counts as sent from the moment its call was sent; its life is counted from the end of the call
    that last wrote or read it.
    """

    policy: CachePolicy
    _used_ns: dict[str, dict[int, int]] = field(default_factory=dict)

    def read(self, model: str, prefixes: Sequence[int], sent_ns: int, ended_ns: int) -> int:
        """How many first blocks the call reads. All of its blocks are in the cache from then on."""
        if self.policy == "none":
            return 0
        used = self._used_ns.setdefault(model, {})
        life_s = _LIFE_S[self.policy]
        oldest_ns = None if life_s is None else sent_ns - life_s * 10**9
        read = 0
        for number in prefixes:
            last_ns = used.get(number)
            if last_ns is None or (oldest_ns is not None and last_ns < oldest_ns):
                break
            read += 1
        for number in prefixes:
            used[number] = max(ended_ns, used.get(number, ended_ns))
        return read

    def usage(
        self, *, provider: str, model: str, read: int, cacheable: int, total: int, output: int
    ) -> Usage:
        """The usage of a call that reads ``read`` tokens, of ``cacheable`` in whole blocks, of ``total``.

        What is not read is written where the provider bills writes, else plain input; what fills no block
        is plain input. A policy without a life gives writes none, so that the shortest one is billed.
        """
        written: dict[str, int] | None = None
        rule = rule_for(provider, "", model)
        if self.policy == "none":
            written = {}
        elif rule is not None and rule.ends == "breakpoint":
            life = self.policy if self.policy in rule.lives else "unknown"
            written = {life: cacheable - read} if cacheable > read else {}
        return Usage(
            uncached=total - read - sum((written or {}).values()),
            cache_read=read,
            cache_write=written,
            output=output,
            completeness="full",
            cache_policy=self.policy,
        )
