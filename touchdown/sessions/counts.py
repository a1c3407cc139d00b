"""Token counts in the one form that most writers of trajectories use: cached tokens inside the input."""

from collections.abc import Mapping

from msgspec.structs import replace

from touchdown.clients.fields import count
from touchdown.clients.openai.usage import read_usage
from touchdown.records import Usage

LIVES = ("5m", "30m", "1h", "12h")
_FIELD = "ephemeral_{}_input_tokens"


def usage_of(
    total_input: int | None,
    output: int | None,
    *,
    read: int | None = None,
    written: int | None = None,
    reasoning: int | None = None,
    lives: object = None,
) -> Usage:
    """Usage whose input includes what was read and written, and whose output includes reasoning.

    Units: tokens. ``None`` for what is not told. ``lives`` is Anthropic's split of what was written, where
    the source kept it.
    """
    if total_input is None and output is None:
        return Usage()
    details: Mapping[str, int | None] = {"cached_tokens": read, "cache_write_tokens": written}
    usage = read_usage(
        {
            "input_tokens": total_input,
            "output_tokens": output,
            "input_tokens_details": details,
            "output_tokens_details": {"reasoning_tokens": reasoning},
        }
    )
    split = {life: tokens for life in LIVES if (tokens := count(lives, _FIELD.format(life)))}
    if split and sum(split.values()) == usage.written_tokens:
        return replace(usage, cache_write=split)
    return usage
