"""The facts of a record as attributes, and the check that shows whether all of them came through."""

import json
from zlib import crc32

import msgspec

from touchdown.records import AgentRun, ModelCall, Record, TaskRecord, ToolCall
from touchdown.telemetry import attributes as names
from touchdown.telemetry.context_read import MOST_NEW_SEGMENTS
from touchdown.telemetry.model_call import tell_call
from touchdown.telemetry.outcome import error_type
from touchdown.telemetry.protobuf import UnusualError
from touchdown.telemetry.steps import MOST_TAGS, agent_attributes, task_attributes, tool_attributes
from touchdown.telemetry.telling import AsAttributes, AsBytes, Telling

_encode = msgspec.json.Encoder(enc_hook=str, order="sorted").encode


def tell_facts(record: Record, told: Telling) -> None:
    """Everything a span says of the record itself; the essential last."""
    if isinstance(record, ModelCall):
        tell_call(record, told)
    elif isinstance(record, ToolCall):
        told.more(tool_attributes(record))
    elif isinstance(record, AgentRun):
        told.more(agent_attributes(record))
    else:
        told.more(task_attributes(record))
    wrong = error_type(record)
    if wrong is not None:
        told.one(names.ERROR_TYPE, wrong)


def facts_of(record: Record) -> AsAttributes:
    """The same by name."""
    told = AsAttributes()
    tell_facts(record, told)
    return told


def check_of(record: Record) -> str:
    """Eight hex digits over the facts of `record`, those included that are too many for its span."""
    try:
        told = AsBytes()
        tell_facts(record, told)
        return check_of_bytes(record, told)
    except (UnusualError, UnicodeEncodeError):
        return f"{crc32(_plain(record)):08x}"


def check_of_bytes(record: Record, facts: AsBytes) -> str:
    """The same, where the facts are told already. Errors: as :class:`AsBytes`."""
    count = len(facts)
    _tell_beyond(record, facts)
    told = b"".join(facts)
    del facts[count:]
    return f"{crc32(told):08x}"


def _tell_beyond(record: Record, told: Telling) -> None:
    """What there is no room for on a span."""
    if isinstance(record, TaskRecord):
        if len(record.tags) > MOST_TAGS:
            told.more(task_attributes(record, len(record.tags)))
    elif isinstance(record, ModelCall) and len(record.context.new) > MOST_NEW_SEGMENTS:
        told.one(names.NEW_DIGESTS, tuple([segment.digest for segment in record.context.new]))


def _plain(record: Record) -> bytes:
    """For half a character, a number of more than 64 bits."""
    facts = facts_of(record)
    _tell_beyond(record, facts)
    try:
        return _encode(facts)
    except (ValueError, OverflowError):
        return json.dumps(facts, sort_keys=True, default=str).encode()
