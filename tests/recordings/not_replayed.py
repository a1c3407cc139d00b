"""What cannot be replayed, in one place, and why."""

from collections.abc import Mapping

from tests.recordings.asking import CannotAskError, ask_for
from tests.recordings.exchanges import Recorded

NEWEST: Mapping[str, str] = {}
"""With the newest SDKs every exchange is replayed."""

LOWEST: Mapping[str, str] = {
    "responses.compact": "openai 2.0 has no responses.compact: it came with the API in a later 2.x",
    "responses.input_tokens.count": "openai 2.0 has no responses.input_tokens: it came in a later 2.x",
}
"""SDK method to the reason why the lowest SDKs cannot ask it."""

NOT_THE_SAME = {
    "time between chunks": "not recorded: chunks follow each other at once",
    "headers other than content-type, retry-after and two of timing": "not recorded",
    "white space of JSON bodies": "recordings hold the JSON value; event streams are byte for byte",
    "boundary of a multipart form": "the SDK draws a new one each time",
    "?beta=true": "newest anthropic leaves it out; the path is the same",
}
"""Where a replay differs from what the real API sent or was sent."""


def not_askable(clients: Mapping[str, object], recorded: list[Recorded]) -> set[str]:
    """Methods that these exchanges need and these SDKs do not have."""
    missing = set()
    for each in recorded:
        ask = ask_for(each)
        try:
            ask.bound(clients[each.vendor])
        except (CannotAskError, AttributeError):
            missing.add(f"{ask.resource}.{ask.method}")
    return missing
