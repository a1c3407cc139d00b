"""Cache events as vLLM, SGLang and TokenSpeed publish them: msgpack, a batch for each step of the scheduler.

Read at vLLM 0.31 to 0.33 and SGLang 0.5.23 (events are maps with a ``type``), and in the older form of
both, which TokenSpeed has today: arrays, the type first, then the same fields in this order. Fields that
are not asked for are skipped; token ids are never decoded.
"""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

Hash = int | bytes

DEVICE = (None, "GPU")
"""The tier of memory that a prefix is read from at once."""

MAPS = frozenset({*range(0x80, 0x90), 0xDE, 0xDF})
"""First bytes of a map in msgpack."""


class BlockStored(msgspec.Struct, tag=True):
    """Whole blocks of a prompt or an answer are in the cache now. Units: ``block_size`` tokens."""

    block_hashes: list[Hash]
    parent_block_hash: Hash | None
    token_ids: msgspec.Raw
    block_size: int
    lora_id: int | None = None
    medium: str | None = None
    group_idx: int | None = None
    """A model with several kinds of attention has a group of blocks for each: the first stands for all."""
    session_id: str | None = None


class BlockRemoved(msgspec.Struct, tag=True):
    """Blocks were evicted."""

    block_hashes: list[Hash]
    medium: str | None = None
    group_idx: int | None = None


class AllBlocksCleared(msgspec.Struct, tag=True):
    """The whole cache was emptied."""


class StoredRow(msgspec.Struct, array_like=True, tag="BlockStored"):
    """:class:`BlockStored` as an array."""

    block_hashes: list[Hash]
    parent_block_hash: Hash | None
    token_ids: msgspec.Raw
    block_size: int
    lora_id: int | None = None
    medium: str | None = None


class RemovedRow(msgspec.Struct, array_like=True, tag="BlockRemoved"):
    """:class:`BlockRemoved` as an array."""

    block_hashes: list[Hash]
    medium: str | None = None


class ClearedRow(msgspec.Struct, array_like=True, tag="AllBlocksCleared"):
    """:class:`AllBlocksCleared` as an array."""


class _Batch(msgspec.Struct, array_like=True):
    ts: float
    events: list[msgspec.Raw]


_BATCH = msgspec.msgpack.Decoder(_Batch)
_MAP = msgspec.msgpack.Decoder(BlockStored | BlockRemoved | AllBlocksCleared)
_ROW = msgspec.msgpack.Decoder(StoredRow | RemovedRow | ClearedRow)


class Stored(Struct, frozen=True):
    """Blocks that are in the cache now, each of so many tokens; ``session`` is empty where none is told."""

    hashes: Sequence[Hash]
    block_tokens: int
    session: str = ""


class Removed(Struct, frozen=True):
    """Blocks that are no more; ``None``: all of them."""

    hashes: Sequence[Hash] | None


class Batch(Struct, frozen=True):
    """The events of one step. Units: ``at_ns`` nanoseconds of the server's own clock since the epoch."""

    at_ns: int
    events: Sequence[Stored | Removed]


def read_batch(payload: bytes) -> Batch:
    """The events of one message; those of other kinds, tiers and groups are left out.

    Errors: ``ValueError`` for what is no batch. An event that cannot be read makes the whole unreadable:
    without it nobody can say what is in the cache.
    """
    try:
        batch = _BATCH.decode(payload)
        at_ns = round(batch.ts * 1e9)
        decoded = [_event(bytes(raw)) for raw in batch.events]
    except (msgspec.DecodeError, OverflowError) as error:
        raise ValueError(str(error)) from None
    return Batch(at_ns, [event for event in decoded if event is not None])


def _event(raw: bytes) -> Stored | Removed | None:
    event = (_MAP if raw[0] in MAPS else _ROW).decode(raw)
    if isinstance(event, AllBlocksCleared | ClearedRow):
        return Removed(None)
    if event.medium not in DEVICE or getattr(event, "group_idx", None) not in (None, 0):
        return None
    if isinstance(event, BlockRemoved | RemovedRow):
        return Removed(event.block_hashes)
    session = event.session_id if isinstance(event, BlockStored) else ""
    return Stored(event.block_hashes, event.block_size, session or "")
