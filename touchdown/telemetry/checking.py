"""The facts of a record as attributes, and the check that shows whether all of them came through."""

import hashlib
import json

import msgspec
from opentelemetry.util.types import AttributeValue

from touchdown.records import AgentRun, ModelCall, Record, TaskRecord, ToolCall
from touchdown.telemetry import attributes as names
from touchdown.telemetry.context_read import MOST_NEW_SEGMENTS
from touchdown.telemetry.model_call import call_attributes
from touchdown.telemetry.outcome import error_type
from touchdown.telemetry.steps import agent_attributes, task_attributes, tool_attributes

_encode = msgspec.json.Encoder(enc_hook=str, order="sorted").encode


def facts_of(record: Record) -> dict[str, AttributeValue]:
    """Everything a span says of the record itself; the essential last."""
    if isinstance(record, ModelCall):
        told = call_attributes(record)
    elif isinstance(record, ToolCall):
        told = tool_attributes(record)
    elif isinstance(record, AgentRun):
        told = agent_attributes(record)
    else:
        told = task_attributes(record)
    wrong = error_type(record)
    return told if wrong is None else {**told, names.ERROR_TYPE: wrong}


def check_of(record: Record, facts: dict[str, AttributeValue]) -> str:
    """Eight hex digits over the facts of `record`, those included that are too many for its span."""
    if isinstance(record, TaskRecord):
        facts = {**facts, **task_attributes(record, len(record.tags))}
    elif isinstance(record, ModelCall):
        new = record.context.new
        if not new or len(new) > MOST_NEW_SEGMENTS:
            facts = {**facts, names.NEW_DIGESTS: [segment.digest for segment in new]}
    return hashlib.blake2b(_plain(facts), digest_size=4).hexdigest()


def _plain(facts: dict[str, AttributeValue]) -> bytes:
    try:
        return _encode(facts)
    except (ValueError, OverflowError):  # half a character, or a number of more than 64 bits
        return json.dumps(facts, sort_keys=True, default=str).encode()
