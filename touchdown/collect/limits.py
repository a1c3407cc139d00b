"""How much a receiver takes in, and for how long it waits."""

from msgspec import Struct

MIB = 1 << 20


class Limits(Struct, frozen=True):
    """Units: bytes and seconds."""

    request_bytes: int = 32 * MIB
    """The body of one request, as it came and unzipped. Exporters write batches of a few megabytes."""
    waiting_bytes: int = 128 * MIB
    """Requests that wait to be read, all together; more is asked to come again."""
    forward_bytes: int = 64 * MIB
    """Requests that wait to be forwarded; what comes on top is not, and is counted."""
    connections: int = 256
    request_s: float = 30.0
    """One request, from its first byte to the last."""
    idle_s: float = 60.0
    """A connection without a request."""
    busy_s: float = 1.0
    """How long a request waits for room among those that wait to be read."""
