"""The answer's tokens: over reasoning, text and each tool request."""

from msgspec import Struct

from touchdown.context.shares import apportion
from touchdown.records import ModelCall


class OutputShares(Struct, frozen=True):
    """Output tokens by what they said; they add up to the output billed. Basis: estimated."""

    reasoning: int
    text: int
    requests: tuple[int, ...]


def share_output(call: ModelCall) -> OutputShares:
    """Reasoning first where it was reported; the rest by characters, all text where none were seen."""
    total = max(call.usage.output or 0, 0)
    output, reported = call.output, call.usage.reasoning
    if reported is None or not 0 <= reported <= total:
        reported = _estimated_reasoning(call, total)
    weights = [output.text_chars, *_asked(call)]
    if not any(weights):
        weights[0] = 1
    text, *requests = apportion(total - reported, weights)
    return OutputShares(reported, text, tuple(requests))


def _estimated_reasoning(call: ModelCall, total: int) -> int:
    thought = call.output.reasoning_chars
    said = call.output.text_chars + sum(_asked(call))
    return apportion(total, [thought, said])[0] if thought else 0


def _asked(call: ModelCall) -> list[int]:
    return [request.argument_chars + len(request.name) for request in call.output.tool_requests]
