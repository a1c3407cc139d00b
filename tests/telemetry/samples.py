"""Small records to show as spans, each with as little said as possible."""

from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from touchdown.records import (
    AgentRun,
    Attempt,
    CallClock,
    CallStart,
    CallVerdict,
    ContextShape,
    CostByClass,
    EngineTiming,
    GapBucket,
    Mark,
    Miss,
    ModelCall,
    Output,
    Segment,
    StepStart,
    TaskRecord,
    ToolCall,
    ToolRequest,
    Usage,
)

BEGAN_NS = 1_000_000_000_000
TOOK_NS = 2_500_000_000

CALL_START = CallStart(
    id="call-1",
    task_id="task-1",
    agent_id="agent-1",
    provider="openai",
    model="gpt-5",
    operation="chat",
    sent_at_ns=BEGAN_NS,
    host="api.openai.com",
    port=443,
    agent_name="reviewer",
)

BARE_CALL = ModelCall(
    id="call-1",
    task_id="task-1",
    agent_id="agent-1",
    api="responses",
    operation="chat",
    provider="openai",
    vendor="openai",
    sent_at_ns=BEGAN_NS,
    duration_ns=TOOK_NS,
    usage=Usage(),
    context=ContextShape(),
    host="api.openai.com",
    port=443,
    model="gpt-5",
)

CALL = replace(
    BARE_CALL,
    engine=EngineTiming(
        engine="dynamo",
        worker="11731975439582334656",
        block_tokens=16,
        prompt_tokens=1_000,
        cached_tokens=800,
        computed_tokens=200,
        frontend_ns=1_200_345,
        kv_load_ns=0,
        prefill_ns=4_885_207,
        decode_ns=13_759_889,
        starved_ns=1_000_001,
        starved_by="call-7",
        total_ns=21_344_833,
        basis={"prefill_ns": "estimated", "total_ns": "measured"},
        evidence={"prefill_ns": "nvext.timing.prefill_time_ms"},
        not_observable={"queue_ns": "Dynamo's frontend has it inside the prefill"},
    ),
    usage=Usage(
        uncached=100,
        cache_read=800,
        cache_write={"5m": 60, "1h": 40},
        output=50,
        reasoning=20,
        server_tools={"web_search": 2},
        completeness="full",
    ),
    context=ContextShape(
        predecessor="call-0",
        shared=4,
        new=(
            Segment("assistant", 30, "d4", role="assistant"),
            Segment(
                "tool_result",
                900,
                "d5",
                role="user",
                call_id="toolu_1",
                tool_name="run_tests",
                failed=True,
                cache_life="5m",
                result_digest="r5",
                tokens=260,
            ),
        ),
        sequence=3,
        digest="dd",
        chars=4_000,
        chars_by_kind={"system": 3_070, "assistant": 30, "tool_result": 900},
        parameters={"tool_choice": "p1"},
        opaque="server-side state",
        caching="explicit",
    ),
    scope="scope-1",
    response_model="gpt-5-2026-08-07",
    response_id="resp_1",
    stream=True,
    first_chunk_ns=400_000_000,
    chunks=12,
    attempts=(Attempt(429, 0.5, 1.0, "RateLimitError", 0.25), Attempt(None, 1.0)),
    output=Output(80, 60, (ToolRequest("toolu_2", "read_file", 25),)),
    finish_reasons=("stop",),
    http_status=200,
    service_tier="default",
    speed="standard",
    geography="eu",
    batch=True,
    reported_usd=Decimal("0.0021"),
    request={"max_output_tokens": 512, "temperature": 0.5, "verbosity": "low", "n": 1},
    previous_response_id="resp_0",
    conversation="conversation-1",
    inside="tool-9",
    awaited="tools",
    begun=Mark(4_321, 900, 80),
    ended=Mark(4_322, 950, 90, 70),
    clock=CallClock(
        7,
        1_500_000_007,
        None,
        0,
        (GapBucket(20, 3, 2_500_000),),
        first_content_ns=2_000_000_000,
        before_content_ns=4_000,
        pool_ns=0,
        late_ns=90,
        cpu_before_ns=300,
    ),
)

VERDICT = CallVerdict(
    call_id="call-1",
    cost=CostByClass(
        uncached=Decimal("0.001"),
        cache_read=Decimal("0.0002"),
        cache_write=Decimal("0.0003"),
        output=Decimal("0.005"),
        server_tools=Decimal("0.02"),
    ),
    price_source="book 2026-11-20",
    price_reason="price_assumed_list",
    price_basis="estimated",
    cache_state="partial",
    reusable_tokens=900,
    read_tokens=800,
    missed_tokens=100,
    misses=(
        Miss("expired", "cache_expired", 60, Decimal("0.0001"), 4, 800, "assistant", "gap 301 s"),
        Miss("history_edited", "cache_miss", 40, Decimal("0.0002"), 5, 860, "tool_result"),
    ),
    context_tokens=1_000,
    tokens_by_kind={"system": 760, "assistant": 10, "tool_result": 230},
)

TOOL_START = StepStart(
    kind="tool",
    id="step-1",
    task_id="task-1",
    agent_id="agent-1",
    name="run_tests",
    started_at_ns=BEGAN_NS,
    agent_name="reviewer",
    conversation="conversation-1",
)
TOOL = ToolCall(
    id="step-1",
    task_id="task-1",
    agent_id="agent-1",
    name="run_tests",
    started_at_ns=BEGAN_NS,
    duration_ns=TOOK_NS,
    call_id="toolu_1",
    output_chars=900,
    result_digest="r5",
    argument_digest="a5",
)

AGENT_START = StepStart(
    kind="agent",
    id="agent-1",
    task_id="task-1",
    agent_id="task-1",
    name="reviewer",
    started_at_ns=BEGAN_NS,
)
AGENT = AgentRun(
    id="agent-1",
    task_id="task-1",
    parent_id="task-1",
    name="reviewer",
    started_at_ns=BEGAN_NS,
    duration_ns=TOOK_NS,
    result_chars=120,
)

TASK_START = TaskRecord(id="task-1", name="fix issue", started_at_ns=BEGAN_NS)
TASK = replace(
    TASK_START,
    duration_ns=TOOK_NS,
    tags={"team": "core", "shift": "night"},
    user="u-7",
    conversation="conversation-1",
    outcome="useful",
    outcome_reason="tests pass",
    score=0.9,
)


def plain(span: Any) -> dict[str, Any]:
    """A finished span as a dict of plain values."""
    told = {
        "name": span.name,
        "kind": span.kind.name,
        "began_ns": span.start_time,
        "ended_ns": span.end_time,
        "status": span.status.status_code.name,
        "attributes": {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in span.attributes.items()
        },
    }
    if span.status.description is not None:
        told["description"] = span.status.description
    return told
