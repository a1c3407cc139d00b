"""``decode_starved``: the same, its long-context owner named, as an engine tells it."""

from dataclasses import dataclass

from touchdown.accounting.taxes.timed import EngineTold


@dataclass(frozen=True, slots=True)
class DecodeStarved(EngineTold):
    """What one named long prefill took of a call's decoding."""

    id: str = "decode_starved"
    question: str = "the same, its long-context owner named"
    told_by: str = "starved_ns"
