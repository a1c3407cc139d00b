"""``decode_starved``: the same, its long-context owner named, as an engine tells it or waits show it."""

from touchdown.accounting.taxes.timed import StretchedDecode


class DecodeStarved(StretchedDecode, frozen=True):
    """What one named long prefill took of a call's decoding."""

    id: str = "decode_starved"
    question: str = "the same, its long-context owner named"
    told_by: str = "starved_ns"
    fix: str = (
        "send long contexts to workers of their own, or let the engine prefill in smaller chunks"
    )
