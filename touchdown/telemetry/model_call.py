"""A model call as span attributes, under the conventions' names where they have one, and the call again."""

from collections.abc import Callable, Mapping, Sequence

from opentelemetry.util.types import AttributeValue

from touchdown.records import Attempt, ModelCall, Output, ProviderVerdict, ToolRequest
from touchdown.telemetry import attributes as names
from touchdown.telemetry.clocks import ATTEMPT_LASTED, CALL_CLOCKS
from touchdown.telemetry.context_read import read_context, tell_context
from touchdown.telemetry.facts import (
    COUNT,
    FLAG,
    ID,
    MONEY,
    SECONDS,
    TEXTS,
    WHOLE,
    Alike,
    Attributes,
    Column,
    Fact,
    Facts,
    Form,
    read_columns,
    read_facts,
    read_pairs,
    write_columns,
    write_pairs,
)
from touchdown.telemetry.telling import Telling
from touchdown.telemetry.usage import read_usage, tell_usage

_FACTS = Facts(
    Fact("response_id", names.RESPONSE_ID, ID),
    Fact("first_chunk_ns", names.TIME_TO_FIRST_CHUNK, SECONDS),
    Fact("chunks", names.CALL_CHUNKS, COUNT),
    Fact("reported_usd", names.COST_REPORTED, MONEY),
    Fact("previous_response_id", names.REQUEST_PREVIOUS_RESPONSE, ID),
    Fact("id", names.CALL_ID, ID),
)
_ALIKE = Alike(
    # Before all else: where a stream broke off its place is filled.
    Fact("finish_reasons", names.FINISH_REASONS, TEXTS),
    Fact("response_model", names.RESPONSE_MODEL),
    Fact("http_status", names.HTTP_STATUS, WHOLE),
    Fact("service_tier", names.CALL_TIER),
    Fact("speed", names.CALL_SPEED),
    Fact("geography", names.CALL_GEOGRAPHY),
    Fact("vendor", names.CALL_VENDOR),
    Fact("conversation", names.CONVERSATION),
    Fact("stream", names.REQUEST_STREAM, FLAG),
    Fact("batch", names.CALL_BATCH, FLAG),
    Fact("scope", names.CACHE_SCOPE),
    Fact("host", names.SERVER_ADDRESS),
    Fact("port", names.SERVER_PORT, WHOLE),
    Fact("model", names.REQUEST_MODEL),
    Fact("operation", names.OPERATION),
    Fact("provider", names.PROVIDER),
    Fact("api", names.CALL_API),
    Fact("status", names.CALL_STATUS),
    Fact("task_id", names.TASK_ID),
    Fact("agent_id", names.AGENT_ID),
)
_API_TYPES = {"chat.completions": "chat_completions", "responses": "responses"}
# What follows from other attributes, and what backends look for.
_TIER = Fact("service_tier", names.OPENAI_SERVICE_TIER)
_TYPE = Fact("api", names.OPENAI_API_TYPE, Form(str, _API_TYPES.__getitem__, kind=str))
_ALIKE_OPENAI = Alike(_ALIKE[0], _TIER, *_ALIKE[1:])
_ALIKE_TYPED = Alike(_ALIKE[0], _TIER, _TYPE, *_ALIKE[1:])
_OUTPUT = Facts(
    Fact("text_chars", names.OUTPUT_TEXT_CHARS, COUNT),
    Fact("reasoning_chars", names.OUTPUT_REASONING_CHARS, COUNT),
    Fact("summary_chars", names.OUTPUT_SUMMARY_CHARS, COUNT),
)
_PROVIDER_VERDICT = Facts(
    Fact("reason", names.PROVIDER_REASON),
    Fact("missed_tokens", names.PROVIDER_MISSED, WHOLE),
    Fact("reusable_tokens", names.PROVIDER_REUSABLE, WHOLE),
    Fact("compared_with", names.PROVIDER_COMPARED),
)
_TOOL_REQUESTS = (
    Column("name", names.OUTPUT_TOOL_NAMES),
    Column("call_id", names.OUTPUT_TOOL_IDS),
    Column("argument_chars", names.OUTPUT_TOOL_CHARS, int),
)
_ATTEMPTS = (
    Column("status", names.ATTEMPT_STATUSES, int, nothing=0),
    Column("backoff_s", names.ATTEMPT_BACKOFFS, float),
    Column("retry_after_s", names.ATTEMPT_RETRY_AFTER, float, nothing=-1.0),
    Column("error_type", names.ATTEMPT_ERRORS),
    ATTEMPT_LASTED,
)

_TOKENS = names.REQUEST_MAX_TOKENS
_PARAMETERS: Mapping[str, tuple[str, Callable[[str], AttributeValue]]] = {
    "max_tokens": (_TOKENS, int),
    "max_completion_tokens": (_TOKENS, int),
    "max_output_tokens": (_TOKENS, int),
    "temperature": (names.REQUEST_TEMPERATURE, float),
    "top_p": (names.REQUEST_TOP_P, float),
    "top_k": (names.REQUEST_TOP_K, int),
    "frequency_penalty": (names.REQUEST_FREQUENCY_PENALTY, float),
    "presence_penalty": (names.REQUEST_PRESENCE_PENALTY, float),
    "seed": (names.REQUEST_SEED, int),
    "n": (names.REQUEST_CHOICE_COUNT, int),
    "stop": (names.REQUEST_STOP_SEQUENCES, lambda value: (value,)),
    "reasoning_effort": (names.REQUEST_REASONING_LEVEL, str),
    "effort": (names.REQUEST_REASONING_LEVEL, str),
    "encoding_format": (names.REQUEST_ENCODING_FORMATS, lambda value: (value,)),
    "dimensions": (names.EMBEDDING_DIMENSIONS, int),
}


def call_start_attributes(
    operation: str, provider: str, model: str, host: str, port: int | None
) -> dict[str, AttributeValue]:
    """What a sampler may decide by: all that is known when the call is sent."""
    begun: dict[str, AttributeValue] = {names.OPERATION: operation, names.PROVIDER: provider}
    if model:
        begun[names.REQUEST_MODEL] = model
    if host:
        begun[names.SERVER_ADDRESS] = host
        if port is not None:
            begun[names.SERVER_PORT] = port
    return begun


def tell_call(call: ModelCall, told: Telling) -> None:
    """The call itself: what it read, what was asked, who answered, how it ended, what it used."""
    tell_context(call.context, told)
    told.facts(CALL_CLOCKS, call)
    output = call.output
    told.facts(_OUTPUT, output)
    if call.provider_verdict is not None:
        told.facts(_PROVIDER_VERDICT, call.provider_verdict)
    if output.tool_requests:
        told.more(write_columns(_TOOL_REQUESTS, output.tool_requests))
    if call.attempts:
        told.more(_attempts(call.attempts))
    if call.request:
        told.more(_parameters(call))
    tell_usage(call.usage, told)
    if not call.finish_reasons and call.status != "ok" and call.stream and call.chunks:
        # The conventions want the place of an expected reason filled when a stream breaks off.
        told.one(names.FINISH_REASONS, ("error",))
    if call.vendor != "openai":
        told.alike(_ALIKE, call)
    else:
        told.alike(_ALIKE_TYPED if call.api in _API_TYPES else _ALIKE_OPENAI, call)
    told.facts(_FACTS, call)


def read_call(attributes: Attributes, began_ns: int, lasted_ns: int) -> ModelCall:
    """The call that a span tells of.

    Errors: ``CutError`` when the span does not tell enough.
    """
    fields = read_facts((*CALL_CLOCKS, *_FACTS, *_ALIKE), attributes)
    verdict = read_facts(_PROVIDER_VERDICT, attributes)
    requests = tuple(ToolRequest(**one) for one in read_columns(_TOOL_REQUESTS, attributes))
    return ModelCall(
        **{"api": "", "operation": "", "provider": "", "vendor": "", "agent_id": "", **fields},
        sent_at_ns=began_ns,
        duration_ns=lasted_ns,
        usage=read_usage(attributes),
        context=read_context(attributes),
        output=Output(**read_facts(_OUTPUT, attributes), tool_requests=requests),
        attempts=tuple(Attempt(**one) for one in read_columns(_ATTEMPTS, attributes)),
        request=read_pairs(names.REQUEST_PARAMETERS, attributes),
        provider_verdict=ProviderVerdict(**verdict) if verdict else None,
    )


def _attempts(failed: Sequence[Attempt]) -> dict[str, AttributeValue]:
    return {
        names.HTTP_RESEND_COUNT: len(failed),
        names.ATTEMPTS: len(failed) + 1,
        **write_columns(_ATTEMPTS, failed),
    }


def _parameters(call: ModelCall) -> dict[str, AttributeValue]:
    """The parameters as sent, and those that the conventions have a name for under that too."""
    asked = write_pairs(names.REQUEST_PARAMETERS, call.request)
    for name, value in call.request.items():
        if name in _PARAMETERS and (name, value) != ("n", 1):
            standard, convert = _PARAMETERS[name]
            try:
                asked[standard] = convert(str(value))
            except ValueError:
                continue
    return asked
