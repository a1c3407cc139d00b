"""Literal accounts: a long coding task, an unpriced one, an empty one, and what hostile users name things."""

from decimal import Decimal

from msgspec.structs import replace

from touchdown.accounting.account import (
    AgentTotals,
    CacheTotals,
    CallMiss,
    ContextTotals,
    Finding,
    ModelTotals,
    Money,
    NameTotals,
    Summary,
    TaskAccount,
    ToolTotals,
    UsageTotals,
)
from touchdown.accounting.time.account import TimeAccount
from touchdown.accounting.time.load import HostLoad
from touchdown.records import Miss, TaskRecord

USAGE = UsageTotals(412_338, 6_120_441, {"5m": 688_120, "1h": 120_000}, 64_203, 21_500)

MONEY = Money(
    total_usd=Decimal("7.1834295"),
    work_usd=Decimal("4.1021734"),
    taxes={
        "cache_miss": Decimal("1.2203411"),
        "tool_output": Decimal("0.9127800"),
        "subagent_fanout": Decimal("0.4081200"),
        "cache_expired": Decimal("0.3300150"),
        "compaction": Decimal("0.1400000"),
        "failed_tools": Decimal("0.0380000"),
        "cache_unread": Decimal("0.0210000"),
        "retries": Decimal(0),
    },
    unexplained_usd=Decimal("0.0110000"),
    unexplained_reasons={"expired_or_evicted": Decimal("0.0110000")},
    complete=False,
    incomplete_reasons={"unknown model": 2},
    unpriced_calls=2,
    memo={"compaction_saved_usd": Decimal("0.412"), "pending_usd": None},
    basis={"work": "derived", "cache_miss": "derived", "tool_output": "estimated"},
)

TIME = TimeAccount(
    total_ns=252_400_000_000,
    work_ns=229_100_000_001,
    within_work={"model": 164_000_000_000, "tools": 62_000_000_001, "agent": 3_100_000_000},
    taxes={
        "retries": 9_100_000_000,
        "jitter": 6_250_000_000,
        "runtime_overhead": 1_200_000,
        "queue": 0,
    },
    unexplained_ns=7_948_799_999,
    unexplained_reasons={"between calls, nothing was seen": 7_948_799_999},
    memo={"cpu_waits_on_gpu": 181_250_000_000, "gpu_waits_on_cpu": None},
    basis={"total": "measured", "work": "estimated", "jitter": "estimated", "retries": "derived"},
    off_path={"model": 44_000_000_000},
    load=HostLoad(41_000_000_000, 205_000_000_000, 93_000_000_000, 62_000_000_000, 3),
    without={"retries": 245_000_000_000, "jitter": 252_000_000_000},
)

MISS = Miss("system_changed", "cache_miss", 341_000, Decimal("1.2203411"), 1, 1_204, "system")

FINDINGS = (
    Finding(
        tax="tool_output",
        usd=Decimal("0.91278"),
        tokens=None,
        why="14 results of run_tests stayed for more than 10 later calls (not shown to be unneeded)",
        basis="estimated",
        fix="drop results of run_tests older than 10 calls",
        saves_usd=Decimal("0.42"),
    ),
    Finding(
        tax="cache_miss",
        usd=Decimal("1.2203411"),
        tokens=341_000,
        why="the system prompt changed at token 1,204 on every call",
        basis="derived",
        fix="move the time stamp behind the conversation",
        spans=("00f067aa0ba902b7",),
        saves_usd=Decimal("1.19"),
    ),
)

AGENTS = (
    AgentTotals(
        "a1", "t1", "main", Decimal("4.90"), Decimal("7.1834295"), 28, 2, 1, 12_400, 0, 900
    ),
    AgentTotals(
        "a2", "a1", "reviewer", Decimal("1.20"), Decimal("1.55"), 6, 1, 2, 41_200, 38_000, 1_200
    ),
    AgentTotals(
        "a3", "a1", "explorer", Decimal("0.7334295"), Decimal("0.7334295"), 4, 0, 2, 2_100, 0, None
    ),
    AgentTotals(
        "a4", "a2", "test-writer", Decimal("0.35"), Decimal("0.35"), 2, 0, 3, 1_050, 0, 310
    ),
)

LONG = TaskAccount(
    task=TaskRecord(
        id="t1",
        name="fix issue 4121",
        started_at_ns=1_760_000_000_123_456_789,
        duration_ns=252_400_000_000,
        tags={"team": "infra"},
        outcome="useful",
    ),
    wall_s=252.4,
    model_calls=40,
    tool_calls=63,
    agents=4,
    failed_calls=1,
    attempts_retried=3,
    retry_backoff_s=8.5,
    usage=USAGE,
    money=MONEY,
    time=TIME,
    cache=CacheTotals(6_600_000, 6_120_441, 479_559, (CallMiss("c7", "00f067aa0ba902b7", MISS),)),
    context=ContextTotals(182_340, {"tool_result": 111_000, "assistant": 57_340, "system": 14_000}),
    models=(
        ModelTotals("anthropic", "claude-sonnet-4-5-20250929", 38, USAGE, Decimal("7.1834295")),
        ModelTotals("openai", "acme-large-2", 2, UsageTotals(20_000, None, None, 900, 0), None),
    ),
    agent_runs=AGENTS,
    tools=(
        ToolTotals("run_tests", 14, 3, 182_400, 48_000, Decimal("0.144"), Decimal("0.9012")),
        ToolTotals("web_search", 1, 0, None),
    ),
    findings=FINDINGS,
    policies={"genai-prices": "0.2.3", "stale_tool_output": "1"},
    not_observable={
        "rerouting": "the provider does not name the worker",
        "queue": "no serving engine told of it",
        "kv_offload": "no serving engine told of it",
    },
)

UNPRICED_USAGE = UsageTotals(41_000, None, None, 2_200, None)

UNPRICED = TaskAccount(
    task=TaskRecord("t2", "summarise reports", 1),
    open=True,
    wall_s=12.44,
    model_calls=5,
    usage=UNPRICED_USAGE,
    money=Money(complete=False, incomplete_reasons={"no price for this host": 5}, unpriced_calls=5),
    models=(ModelTotals("openai", "local-qwen", 5, UNPRICED_USAGE, None),),
)

NOTHING = TaskAccount(
    task=TaskRecord("t3", "nothing", 1, outcome="useless", outcome_reason="tests still fail"),
    wall_s=0.004,
)

SUMMARY = Summary(
    tasks=12,
    useful=8,
    useless=1,
    unknown=3,
    total_usd=Decimal("22.1034295"),
    complete=False,
    cost_per_useful_task_usd=Decimal("2.10345"),
    low_usd=Decimal("1.8412"),
    high_usd=Decimal("2.7629"),
    known_share=Decimal("0.841"),
    spent_on_useless_usd=Decimal("2.104"),
    by_name={
        "fix issue 4121": NameTotals(9, 6, Decimal("18.2"), Decimal("3.0333")),
        "triage": NameTotals(3, 0, Decimal("3.9034295"), None),
    },
)


def named(name: str) -> TaskAccount:
    """The long task with ``name`` wherever a user or a host chooses the text."""
    return replace(
        LONG,
        task=replace(LONG.task, name=name, outcome_reason=name, error_type=name, tags={name: name}),
        money=replace(MONEY, incomplete_reasons={name: 1}),
        models=(ModelTotals(name, name, 1, USAGE, Decimal(1)),),
        agent_runs=tuple(replace(agent, name=name) for agent in AGENTS),
        tools=(ToolTotals(name, 1, 0, 10),),
        findings=(replace(FINDINGS[0], why=name, fix=name),),
        policies={name: name},
        not_observable={"rerouting": name},
    )
