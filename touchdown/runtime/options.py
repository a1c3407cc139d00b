"""What the capture side must know of what ``instrument()`` was asked for."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """What ``instrument()`` was asked for and the capture side must know."""

    stream_usage: bool = False
    cache_diagnostics: bool = False
    digest_key: bytes | None = None
