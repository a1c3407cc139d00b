"""``rerouting``: the cache was lost because the request went elsewhere."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from msgspec import Struct

from touchdown.accounting.account import Finding
from touchdown.accounting.taxes.missed import as_finding, cache_is_hidden, describe, group_misses
from touchdown.accounting.taxes.tax import Claim, Evidence, Kind

REASONS = {"rerouted": "the request went elsewhere than the one before"}

MEND = "keep one conversation on one endpoint, account and worker"


class Rerouting(Struct, frozen=True):
    """The price layer of tokens cached at another endpoint or account."""

    id: str = "rerouting"
    question: str = "KV recomputed, or cache lost, because the request went elsewhere"
    kind: Kind = "account"
    needs: str = "endpoint, provider or worker identity"
    causes: frozenset[str] = frozenset(REASONS)

    def not_observable(self, seen: Evidence) -> str | None:
        """Where no provider reported cache figures."""
        return cache_is_hidden(seen)

    def claims(self, seen: Evidence) -> Iterable[Claim]:
        """Nothing of the content."""
        return ()

    def findings(self, seen: Evidence) -> Iterator[Finding]:
        """One for all."""
        for group in group_misses(seen, self.id):
            yield as_finding(self.id, group, describe(group, REASONS), MEND, group.usd)

    def memos(self, seen: Evidence) -> Mapping[str, Decimal | None]:
        """None."""
        return {}
