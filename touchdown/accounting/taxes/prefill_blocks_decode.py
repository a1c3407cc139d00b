"""``prefill_blocks_decode``: others' prefill stretching my decode, as an engine tells it."""

from dataclasses import dataclass

from touchdown.accounting.taxes.timed import EngineTold


@dataclass(frozen=True, slots=True)
class PrefillBlocksDecode(EngineTold):
    """What other requests' prefill took of a call's decoding."""

    id: str = "prefill_blocks_decode"
    question: str = "others' prefill stretching my decode"
    told_by: str = "prefill_beside_ns"
