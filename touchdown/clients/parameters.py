"""Request parameters small enough to be told, under their names in the API."""

from collections.abc import Mapping

NAMES = frozenset(
    (
        "max_tokens",
        "max_completion_tokens",
        "max_output_tokens",
        "temperature",
        "top_p",
        "top_k",
        "frequency_penalty",
        "presence_penalty",
        "seed",
        "n",
        "stream",
        "background",
        "reasoning_effort",
        "service_tier",
        "dimensions",
        "encoding_format",
        "prompt_cache_retention",
    )
)


NESTED = (
    ("reasoning", "effort", "reasoning_effort"),
    ("output_config", "effort", "reasoning_effort"),
    ("stream_options", "include_usage", "include_usage"),
    ("prompt_cache_options", "ttl", "prompt_cache_ttl"),
    ("prompt_cache_options", "prewarm", "prewarm"),
)
"""A parameter, the field inside it, and what that is called here."""


def pick_request(body: Mapping[str, object]) -> dict[str, str | int | float | bool]:
    """The plain parameters of a request body, and what they are called where they are nested."""
    picked: dict[str, str | int | float | bool] = {}
    for name, value in body.items():
        if name in NAMES and isinstance(value, (str, int, float, bool)):
            picked[name] = value
    for outer, inner, name in NESTED:
        if outer in body:
            nested = body[outer]
            value = nested.get(inner) if isinstance(nested, Mapping) else None
            if isinstance(value, (str, int, bool)):
                picked[name] = value
    return picked
