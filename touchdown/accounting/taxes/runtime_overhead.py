"""``runtime_overhead``: the client's own work around a call, and the interpreter's."""

from touchdown.accounting.taxes.tax import Evidence
from touchdown.accounting.taxes.timed import Timed

UNSEEN = "the source tells no times inside its calls"


class RuntimeOverhead(Timed, frozen=True):
    """Making a request and reading its answer, garbage collection, an engine's front end."""

    id: str = "runtime_overhead"
    question: str = (
        "Python/C++ and process boundary: serialising, parsing, tokenising, event-loop lag, "
        "engine front-end, our own cost"
    )
    needs: str = "client, engine"

    def not_observable(self, seen: Evidence) -> str | None:
        """For records without clocks: another's spans, recorded sessions."""
        told = any(facts.call.clock is not None for facts in seen.calls)
        return None if told else UNSEEN
