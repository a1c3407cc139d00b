"""What a provider itself says of its prefix cache at one call, where it was asked."""

from msgspec import Struct

FIRST_CALL = "first_call"
"""Asked, but there was no earlier answer to compare with."""
NO_DIVERGENCE = "no_divergence"
"""Compared, and nothing that matters to the cache had changed."""
PENDING = "pending"
"""The answer was sent before the comparison was done."""
NOT_TOLD = "not_told"
"""Asked, and the answer says nothing of it."""


class ProviderVerdict(Struct, frozen=True):
    """Why a provider says its cache did not match an earlier request of the same agent.

    Units: tokens, as the provider estimates them. ``reason`` is the provider's own word, or one of the
    four above where it has none.
    """

    reason: str
    missed_tokens: int | None = None
    reusable_tokens: int | None = None
    compared_with: str = ""
    """Id of the answer whose request it compared with this one; empty when there was none."""
