"""The context of a model call as span attributes, and the shape again: its size, and what is new in it."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from touchdown.records import ContextShape, Segment
from touchdown.telemetry import attributes as names
from touchdown.telemetry.facts import (
    COUNT,
    ID,
    WHOLE,
    Attributes,
    Column,
    CutError,
    Fact,
    Facts,
    read_columns,
    read_facts,
    read_template,
    write_columns,
)
from touchdown.telemetry.telling import Telling

MOST_NEW_SEGMENTS = 4096
"""New segments told by one span; a longer list stops there and says so."""

CUT = "the span's attributes are cut"
"""Why nothing is said of a context that a span tells only in part."""

_FACTS = Facts(
    Fact("chars", names.CONTEXT_CHARS, COUNT),
    Fact("shared", names.CONTEXT_SHARED, COUNT),
    Fact("sequence", names.CONTEXT_SEQUENCE, WHOLE),
    Fact("predecessor", names.CONTEXT_PREDECESSOR, ID),
    Fact("digest", names.CONTEXT_DIGEST, ID),
    Fact("opaque", names.CONTEXT_OPAQUE),
    Fact("caching", names.CACHE_ASKED),
)
_TOLD = Facts(Fact("segments", names.CONTEXT_SEGMENTS, COUNT), *_FACTS)
_SEGMENT = (
    Column("kind", names.NEW_KINDS),
    Column("chars", names.NEW_CHARS, int),
    Column("digest", names.NEW_DIGESTS),
    Column("role", names.NEW_ROLES, needed=False),
    Column("call_id", names.NEW_CALL_IDS, nothing="", needed=False),
    Column("tool_name", names.NEW_TOOL_NAMES, nothing="", needed=False),
    Column("cache_life", names.NEW_CACHE_LIVES, nothing="", needed=False),
    Column("result_digest", names.NEW_RESULT_DIGESTS, needed=False),
    Column("failed", names.NEW_FAILED, bool, needed=False),
    Column("answer_of", names.NEW_ANSWERS, needed=False),
    Column("tokens", names.NEW_TOKENS, int, needed=False),
)


def tell_context(shape: ContextShape, told: Telling) -> None:
    """Shapes and keyed digests, never content."""
    new = shape.new
    if new:
        told.more(write_columns(_SEGMENT, new[:MOST_NEW_SEGMENTS]))
        if len(new) > MOST_NEW_SEGMENTS:
            told.one(names.CONTEXT_TRUNCATED, True)
    if shape.segments:
        told.one(names.CONTEXT_NEW, len(new))
    if shape.parameters:
        told.one(names.PARAMETER_NAMES, tuple(shape.parameters))
        told.one(names.PARAMETER_DIGESTS, tuple(shape.parameters.values()))
    if shape.chars_by_kind:
        told.template(names.CONTEXT_KIND_CHARS, shape.chars_by_kind)
    told.facts(_TOLD, shape)


def read_context(attributes: Attributes) -> ContextShape:
    """The shape that a span tells of."""
    return ContextShape(
        **read_facts(_FACTS, attributes),
        new=tuple(Segment(**one) for one in read_columns(_SEGMENT, attributes)),
        chars_by_kind=read_template(
            names.CONTEXT_KIND_CHARS, int, attributes, apart=(names.NEW_CHARS,)
        ),
        parameters=_parameters(attributes),
    )


def without_context(shape: ContextShape) -> ContextShape:
    """The shape of a context that was told only in part: nothing is made of it, nor of its successors."""
    return replace(
        ContextShape(opaque=shape.opaque or CUT), sequence=shape.sequence, caching=shape.caching
    )


def _parameters(attributes: Mapping[str, Any]) -> dict[str, str]:
    digests = attributes.get(names.PARAMETER_DIGESTS, ())
    try:
        return dict(zip(attributes.get(names.PARAMETER_NAMES, ()), digests, strict=True))
    except (TypeError, ValueError) as error:
        raise CutError(f"{names.PARAMETER_DIGESTS} cannot be read: {error}") from error
