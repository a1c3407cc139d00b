"""The context of a model call as span attributes: its size and make-up, and what is new in it."""

from collections.abc import Callable

from opentelemetry.util.types import AttributeValue

from touchdown.records import CallVerdict, ContextShape, Segment
from touchdown.telemetry import attributes as names
from touchdown.telemetry.known import known

MOST_NEW_SEGMENTS = 128
"""New segments told by one span; a longer list stops there and says so."""

# A column is left out when no segment has anything in it.
_COLUMNS: tuple[tuple[str, Callable[[Segment], str]], ...] = (
    (names.NEW_ROLES, lambda segment: segment.role),
    (names.NEW_CALL_IDS, lambda segment: segment.call_id or ""),
    (names.NEW_TOOL_NAMES, lambda segment: segment.tool_name or ""),
    (names.NEW_CACHE_LIVES, lambda segment: segment.cache_life or ""),
    (names.NEW_RESULT_DIGESTS, lambda segment: segment.result_digest),
)


def context_attributes(
    shape: ContextShape, predecessor_span: str | None
) -> dict[str, AttributeValue]:
    """Shapes and keyed digests, never content."""
    told = known(
        {
            names.CONTEXT_CHARS: shape.chars or None,
            names.CONTEXT_SEGMENTS: shape.segments or None,
            names.CONTEXT_SHARED: shape.shared or None,
            names.CONTEXT_NEW: len(shape.new) if shape.segments else None,
            names.CONTEXT_SEQUENCE: shape.sequence,
            names.CONTEXT_PREDECESSOR: shape.predecessor,
            names.CONTEXT_PREDECESSOR_SPAN: predecessor_span,
            names.CONTEXT_DIGEST: shape.digest,
            names.CONTEXT_OPAQUE: shape.opaque,
            names.CACHE_ASKED: shape.caching,
            names.PARAMETER_NAMES: list(shape.parameters),
            names.PARAMETER_DIGESTS: list(shape.parameters.values()),
        }
    )
    for kind, chars in shape.chars_by_kind.items():
        told[names.CONTEXT_KIND_CHARS.format(kind=kind)] = chars
    return {**told, **_new_segments(shape.new)}


def _new_segments(segments: tuple[Segment, ...]) -> dict[str, AttributeValue]:
    if not segments:
        return {}
    shown = segments[:MOST_NEW_SEGMENTS]
    told: dict[str, AttributeValue] = {
        names.NEW_KINDS: [segment.kind for segment in shown],
        names.NEW_CHARS: [segment.chars for segment in shown],
        names.NEW_DIGESTS: [segment.digest for segment in shown],
    }
    for name, read in _COLUMNS:
        column = [read(segment) for segment in shown]
        if any(column):
            told[name] = column
    if any(segment.failed for segment in shown):
        told[names.NEW_FAILED] = [segment.failed for segment in shown]
    if len(shown) < len(segments):
        told[names.CONTEXT_TRUNCATED] = True
    return told


def share_attributes(verdict: CallVerdict) -> dict[str, AttributeValue]:
    """The tokens of the context, and how they are shared out over its kinds."""
    told = known({names.CONTEXT_TOKENS: verdict.context_tokens})
    if verdict.tokens_by_kind:
        told[names.CONTEXT_SHARES_BASIS] = verdict.shares_basis
    for kind, tokens in verdict.tokens_by_kind.items():
        told[names.CONTEXT_KIND_TOKENS.format(kind=kind)] = tokens
    return told
