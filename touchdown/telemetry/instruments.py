"""The instruments of one meter: the conventions' metrics with their buckets, and ours."""

from msgspec import Struct
from opentelemetry.metrics import Counter, Histogram, Meter

from touchdown.telemetry import metric_names

DURATIONS = tuple(0.01 * 2**power for power in range(14))
AGENT_DURATIONS = tuple(round(0.1 * 2**power, 1) for power in range(13))
TOKENS = tuple(4**power for power in range(14))
SHARES = tuple(share / 10 for share in range(11))
CALLS = tuple(2**power for power in range(8))

COUNTED = ("input", "output", "cache_read.input", "cache_write.input", "reasoning.output")
"""Usage that is counted, by the middle of its metric's name."""


class Instruments(Struct, frozen=True):
    """Made once per meter."""

    meter: Meter
    inference_s: Histogram
    first_chunk_s: Histogram
    operation_s: Histogram
    input_tokens: Histogram
    output_tokens: Histogram
    counted: dict[str, Counter]
    tool_s: Histogram
    agent_s: Histogram
    agent_calls: Histogram
    agent_tools: Histogram
    cost: Counter
    context_size: Histogram
    cache_hit_share: Histogram
    refused: Counter
    dropped: Counter
    tasks: Counter
    spent: Counter


def make_instruments(meter: Meter) -> Instruments:
    """All instruments of `meter`."""

    def histogram(name: str, unit: str, buckets: tuple[float, ...]) -> Histogram:
        return meter.create_histogram(name, unit, explicit_bucket_boundaries_advisory=buckets)

    return Instruments(
        meter=meter,
        inference_s=histogram(metric_names.INFERENCE_DURATION, "s", DURATIONS),
        first_chunk_s=histogram(metric_names.INFERENCE_FIRST_CHUNK, "s", DURATIONS),
        operation_s=histogram(metric_names.OPERATION_DURATION, "s", DURATIONS),
        input_tokens=histogram(metric_names.INFERENCE_INPUT, "{token}", TOKENS),
        output_tokens=histogram(metric_names.INFERENCE_OUTPUT, "{token}", TOKENS),
        counted={
            counted: meter.create_counter(
                metric_names.INFERENCE_COUNTED.format(counted=counted), "{token}"
            )
            for counted in COUNTED
        },
        tool_s=histogram(metric_names.TOOL_DURATION, "s", DURATIONS),
        agent_s=histogram(metric_names.AGENT_DURATION, "s", AGENT_DURATIONS),
        agent_calls=histogram(metric_names.AGENT_INFERENCE_CALLS, "{inference_call}", CALLS),
        agent_tools=histogram(metric_names.AGENT_TOOL_CALLS, "{tool_call}", CALLS),
        context_size=histogram(metric_names.CONTEXT_SIZE, "{token}", TOKENS),
        cache_hit_share=histogram(metric_names.CACHE_HIT_SHARE, "1", SHARES),
        refused=meter.create_counter(metric_names.REFUSED, "{call}"),
        dropped=meter.create_counter(metric_names.DROPPED, "{item}"),
        cost=meter.create_counter(metric_names.COST, "{USD}"),
        tasks=meter.create_counter(metric_names.TASKS, "{task}"),
        spent=meter.create_counter(metric_names.SPENT, "{USD}"),
    )
