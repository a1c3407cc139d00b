"""``prefill_blocks_decode``: others' prefill stretching my decode, as an engine tells it or waits show it."""

from touchdown.accounting.taxes.timed import StretchedDecode


class PrefillBlocksDecode(StretchedDecode, frozen=True):
    """What other requests' prefill took of a call's decoding."""

    id: str = "prefill_blocks_decode"
    question: str = "others' prefill stretching my decode"
    told_by: str = "prefill_beside_ns"
    fix: str = "let the engine prefill in smaller chunks, or prefill on workers of its own"
