"""Token counts in the one form that most writers of trajectories use: cached tokens inside the input."""

from collections.abc import Mapping

from touchdown.clients.openai.usage import read_usage
from touchdown.records import Usage


def usage_of(
    total_input: int | None,
    output: int | None,
    *,
    read: int | None = None,
    written: int | None = None,
    reasoning: int | None = None,
) -> Usage:
    """Usage whose input includes what was read and written, and whose output includes reasoning.

    Units: tokens. ``None`` for what is not told.
    """
    if total_input is None and output is None:
        return Usage()
    details: Mapping[str, int | None] = {"cached_tokens": read, "cache_write_tokens": written}
    return read_usage(
        {
            "input_tokens": total_input,
            "output_tokens": output,
            "input_tokens_details": details,
            "output_tokens_details": {"reasoning_tokens": reasoning},
        }
    )
