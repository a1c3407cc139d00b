"""A model call as span attributes: the conventions' own names, and what they have none for."""

from collections.abc import Callable, Mapping

from opentelemetry.util.types import AttributeValue

from touchdown.records import ModelCall, Usage
from touchdown.telemetry import attributes as names
from touchdown.telemetry.known import known

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
    "stop": (names.REQUEST_STOP_SEQUENCES, lambda value: [value]),
    "reasoning_effort": (names.REQUEST_REASONING_LEVEL, str),
    "effort": (names.REQUEST_REASONING_LEVEL, str),
    "encoding_format": (names.REQUEST_ENCODING_FORMATS, lambda value: [value]),
    "dimensions": (names.EMBEDDING_DIMENSIONS, int),
}
_MOST_PARAMETERS = 16
_API_TYPES = {"chat.completions": "chat_completions", "responses": "responses"}


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


def call_attributes(call: ModelCall) -> dict[str, AttributeValue]:
    """The call itself: what was asked, who answered, how it ended, what it used."""
    return {
        **_output(call),
        **_attempts(call),
        **_request(call),
        **_response(call),
        **usage_attributes(call.usage),
        **call_start_attributes(call.operation, call.provider, call.model, call.host, call.port),
        **known(
            {
                names.CALL_ID: call.id,
                names.TASK_ID: call.task_id,
                names.AGENT_ID: call.agent_id,
            }
        ),
    }


def _request(call: ModelCall) -> dict[str, AttributeValue]:
    asked = known(
        {
            names.CALL_API: call.api,
            names.CALL_VENDOR: call.vendor,
            names.CONVERSATION: call.conversation,
            names.REQUEST_PREVIOUS_RESPONSE: call.previous_response_id,
            names.REQUEST_STREAM: call.stream or None,
            names.CALL_BATCH: call.batch or None,
            names.CACHE_SCOPE: call.scope,
        }
    )
    if call.vendor == "openai" and call.api in _API_TYPES:
        asked[names.OPENAI_API_TYPE] = _API_TYPES[call.api]
    for name, value in list(call.request.items())[:_MOST_PARAMETERS]:
        standard, convert = _PARAMETERS.get(name, (names.REQUEST_OTHER.format(name=name), None))
        if (name, value) == ("n", 1):
            continue
        try:
            asked[standard] = value if convert is None else convert(str(value))
        except ValueError:
            asked[names.REQUEST_OTHER.format(name=name)] = value
    return asked


def _response(call: ModelCall) -> dict[str, AttributeValue]:
    first = None if call.first_chunk_ns is None or not call.stream else call.first_chunk_ns / 1e9
    return known(
        {
            names.RESPONSE_ID: call.response_id,
            names.RESPONSE_MODEL: call.response_model,
            names.FINISH_REASONS: list(_finish_reasons(call)),
            names.TIME_TO_FIRST_CHUNK: first,
            names.HTTP_STATUS: call.http_status,
            names.CALL_STATUS: call.status,
            names.CALL_CHUNKS: call.chunks or None,
            names.CALL_TIER: call.service_tier,
            names.OPENAI_SERVICE_TIER: call.service_tier if call.vendor == "openai" else None,
            names.CALL_SPEED: call.speed,
            names.CALL_GEOGRAPHY: call.geography,
            names.COST_REPORTED: None if call.reported_usd is None else str(call.reported_usd),
        }
    )


def _finish_reasons(call: ModelCall) -> tuple[str, ...]:
    if call.finish_reasons or call.status == "ok":
        return call.finish_reasons
    # The conventions want the place of an expected reason filled when a stream breaks off.
    return ("error",) if call.stream and call.chunks else ()


def usage_attributes(usage: Usage) -> dict[str, AttributeValue]:
    """Token counts. What was not reported is absent; a 0 was reported as 0."""
    written = None if usage.cache_write is None else usage.written_tokens
    counts = known(
        {
            names.INPUT_TOKENS: usage.input_tokens,
            names.OUTPUT_TOKENS: usage.output,
            names.CACHE_READ_TOKENS: usage.cache_read,
            names.CACHE_WRITE_TOKENS: written,
            names.REASONING_TOKENS: usage.reasoning,
            names.USAGE_UNCACHED: usage.uncached,
            names.USAGE_COMPLETENESS: usage.completeness,
            names.USAGE_PROBLEMS: list(usage.problems),
        }
    )
    for life, tokens in (usage.cache_write or {}).items():
        counts[names.USAGE_WRITE_LIFE.format(life=life)] = tokens
    if usage.server_tools:
        counts[names.SERVER_TOOL_NAMES] = list(usage.server_tools)
        counts[names.SERVER_TOOL_REQUESTS] = list(usage.server_tools.values())
    return counts


def _output(call: ModelCall) -> dict[str, AttributeValue]:
    output = call.output
    sizes: dict[str, AttributeValue] = {}
    if output.text_chars:
        sizes[names.OUTPUT_TEXT_CHARS] = output.text_chars
    if output.reasoning_chars:
        sizes[names.OUTPUT_REASONING_CHARS] = output.reasoning_chars
    if output.tool_requests:
        sizes[names.OUTPUT_TOOL_NAMES] = [request.name for request in output.tool_requests]
        sizes[names.OUTPUT_TOOL_IDS] = [request.call_id for request in output.tool_requests]
        sizes[names.OUTPUT_TOOL_CHARS] = [
            request.argument_chars for request in output.tool_requests
        ]
    return sizes


def _attempts(call: ModelCall) -> dict[str, AttributeValue]:
    failed = call.attempts
    if not failed:
        return {}
    return {
        names.HTTP_RESEND_COUNT: len(failed),
        names.ATTEMPTS: len(failed) + 1,
        names.ATTEMPT_STATUSES: [attempt.status or 0 for attempt in failed],
        names.ATTEMPT_BACKOFFS: [attempt.backoff_s for attempt in failed],
        names.ATTEMPT_RETRY_AFTER: [
            -1.0 if attempt.retry_after_s is None else attempt.retry_after_s for attempt in failed
        ],
        names.ATTEMPT_ERRORS: [attempt.error_type for attempt in failed],
    }
