"""The time ledger: each second in one account, by the records of calls, tools and agents."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.accounting.build import OPUS, SECOND, FixedPrices, call, usage
from touchdown.accounting.account import TaskAccount
from touchdown.accounting.ledger import refold
from touchdown.accounting.taxes.jitter import excess_ns
from touchdown.records import (
    AgentRun,
    Attempt,
    CallClock,
    EngineTiming,
    GapBucket,
    Mark,
    ModelCall,
    Record,
    TaskRecord,
    ToolCall,
)

TASK = TaskRecord("task", "a task", 0, 100 * SECOND)


def model(name: str, at_s: float, lasts_s: float, **more: Any) -> ModelCall:
    made = call(name, at_s, (), usage(100), model=OPUS)
    return replace(made, agent_id="task", duration_ns=int(lasts_s * SECOND), **more)


def tool(name: str, at_s: float, lasts_s: float, **more: Any) -> ToolCall:
    return ToolCall(name, "task", "task", name, int(at_s * SECOND),
                    duration_ns=int(lasts_s * SECOND), **more)  # fmt: skip


def account(*records: Record, task: TaskRecord = TASK) -> TaskAccount:
    return refold([task, *records], FixedPrices()).account()


def seconds(found: TaskAccount) -> dict[str, float]:
    """Account to seconds, without what is nothing; checked to add up."""
    time = found.time
    assert time.work_ns == sum(time.within_work.values())
    assert time.unexplained_ns == sum(time.unexplained_reasons.values())
    assert time.total_ns == time.work_ns + sum(time.taxes.values()) + time.unexplained_ns
    named = {**time.within_work, **time.taxes, "unexplained": time.unexplained_ns}
    return {name: ns / SECOND for name, ns in named.items() if ns}


def test_calls_tools_and_the_rest_of_a_loop() -> None:
    found = account(model("c1", 1, 9), tool("t1", 10, 40), model("c2", 52, 8))
    assert seconds(found) == {"model": 17, "tools": 40, "unexplained": 43}
    assert found.time.memo == {"cpu_waits_on_gpu": 17 * SECOND, "gpu_waits_on_cpu": 42 * SECOND}


def test_back_off_is_retries_and_a_wait_that_a_server_asked_for_is_queue() -> None:
    lost = (Attempt(500, 2.0, lasted_s=1.0), Attempt(429, 5.0, retry_after_s=5.0, lasted_s=0.5))
    found = account(model("c1", 0, 20, attempts=lost))
    assert seconds(found) == {"retries": 3, "queue": 5.5, "model": 11.5, "unexplained": 80}
    assert found.time.without == {"queue": 94_500_000_000, "retries": 97 * SECOND}
    assert [f.seconds for f in found.findings if f.tax == "queue"] == [5.5]


def test_without_a_tax_another_branch_may_be_the_longest() -> None:
    slow = model("slow", 0, 20, attempts=(Attempt(500, 15.0),))
    found = account(slow, model("beside", 0, 18), task=replace(TASK, duration_ns=20 * SECOND))
    assert seconds(found) == {"retries": 15, "model": 5}
    assert found.time.off_path == {"model": 18 * SECOND}
    assert found.time.without == {"retries": 18 * SECOND}


def test_a_failed_tool_and_a_repeated_one_are_their_taxes() -> None:
    failed = tool("t1", 0, 4, failed=True, failure="raised")
    assert seconds(account(failed)) == {"failed_tools": 4, "unexplained": 96}


def test_a_tool_that_asks_a_person_has_their_time_even_where_it_failed() -> None:
    asked = tool("ask", 0, 30, human=True, failed=True, failure="raised")
    found = account(model("c0", 0, 0), asked, model("c1", 30, 10))
    assert seconds(found) == {"human": 30, "model": 10, "unexplained": 60}


def test_a_tool_that_calls_a_model_has_the_rest_of_its_time() -> None:
    inner = model("c1", 12, 5, inside="t1")
    assert seconds(account(tool("t1", 10, 10), inner))["tools"] == 5


def test_sub_agents_beside_each_other() -> None:
    runs = [AgentRun(f"a{n}", "task", "task", "worker", 0, n * SECOND) for n in (30, 50)]
    calls = [replace(model(f"c{n}", 0, n - 5), agent_id=f"a{n}") for n in (30, 50)]
    found = account(*runs, *calls)
    assert seconds(found) == {"model": 45, "unexplained": 55}
    assert found.time.off_path == {"model": 25 * SECOND}
    assert found.time.basis["work"] == "estimated"


def test_the_clocks_of_a_stream_part_it_into_phases() -> None:
    gaps = (GapBucket(30, 10, 10 * SECOND), GapBucket(33, 1, 8 * SECOND))
    clock = CallClock(2 * SECOND, 2 * SECOND, 4 * SECOND, 20 * SECOND, gaps)
    found = account(model("c1", 0, 45, first_chunk_ns=5 * SECOND, clock=clock))
    assert seconds(found) == {
        "runtime_overhead": 2 + 2,
        "model": 3 + 11,
        "agent": 20,
        "jitter": 7,
        "unexplained": 55,
    }
    assert found.time.basis["jitter"] == "estimated"


def test_a_median_needs_waits_and_chunks_of_one_read_are_none() -> None:
    assert excess_ns((GapBucket(30, 3, 3 * SECOND),)) is None
    burst = GapBucket(10, 1_000, 500_000)
    assert excess_ns((burst, GapBucket(30, 3, 3 * SECOND), GapBucket(31, 1, 2 * SECOND))) == SECOND


def test_an_engine_refines_the_wait_and_the_decoding() -> None:
    engine = EngineTiming("vllm", queue_ns=SECOND, kv_load_ns=2 * SECOND, fabric_ns=3 * SECOND,
                          prefill_ns=4 * SECOND, frontend_ns=SECOND, prefill_beside_ns=5 * SECOND,
                          starved_ns=6 * SECOND)  # fmt: skip
    found = account(model("c1", 0, 60, first_chunk_ns=15 * SECOND, engine=engine))
    assert seconds(found) == {
        "queue": 1, "kv_offload": 2, "fabric_transfer": 3, "runtime_overhead": 1,
        "prefill_blocks_decode": 5, "decode_starved": 6, "model": 42, "unexplained": 40,
    }  # fmt: skip
    assert {"kv_offload", "fabric_transfer"}.isdisjoint(found.not_observable)


def test_what_an_engine_estimates_is_an_estimate_and_what_it_cannot_say_has_its_reason() -> None:
    engine = EngineTiming(
        "dynamo",
        queue_ns=SECOND,
        frontend_ns=SECOND,
        basis={"queue_ns": "estimated", "frontend_ns": "measured"},
        not_observable={"kv_load_ns": "it is inside the prefill"},
    )
    found = account(model("c1", 0, 60, engine=engine))
    assert found.time.basis["queue"] == "estimated"
    assert found.time.basis["runtime_overhead"] == "derived"
    assert found.not_observable["kv_offload"] == "it is inside the prefill"
    assert found.not_observable["decode_starved"] == "no serving engine told of it"
    (finding,) = [finding for finding in found.findings if finding.tax == "queue"]
    assert (finding.seconds, finding.basis) == (1.0, "estimated")


def test_a_stretched_decoding_is_a_finding_that_names_whose_doing_it_was() -> None:
    engines = [
        EngineTiming(
            "vllm",
            starved_ns=number * SECOND,
            basis={"starved_ns": "estimated"},
            evidence={"starved_ns": f"prefill of call-{number}"},
        )
        for number in (2, 6)
    ]
    found = account(
        *(
            model(f"c{n}", 20 * n, 20, first_chunk_ns=SECOND, engine=e)
            for n, e in enumerate(engines)
        )
    )
    (finding,) = [finding for finding in found.findings if finding.tax == "decode_starved"]
    assert (finding.seconds, finding.basis, finding.usd) == (8.0, "estimated", None)
    assert finding.why == "decoding was stretched, mostly by: prefill of call-6"
    assert not [finding for finding in found.findings if finding.tax == "prefill_blocks_decode"]


def test_marks_of_one_thread_tell_own_code_from_idling() -> None:
    first = model("c1", 0, 10, ended=Mark(7, 5 * SECOND, SECOND))
    later = model("c2", 30, 10, begun=Mark(7, 15 * SECOND, 3 * SECOND))
    found = account(first, later)
    assert seconds(found) == {"model": 20, "runtime_overhead": 2, "agent": 10, "unexplained": 68}
    assert found.time.without == {"runtime_overhead": 98 * SECOND}
    other = account(first, replace(later, begun=Mark(8, 17 * SECOND)))
    assert "agent" not in seconds(other)


def test_what_was_waited_for_before_a_call_may_be_told() -> None:
    found = account(
        model("c1", 0, 10),
        model("c2", 30, 10, awaited="tools"),
        model("c3", 60, 40, awaited="human"),
    )
    assert seconds(found) == {"model": 60, "tools": 20, "human": 20}


def test_a_task_without_an_end_has_no_time_yet() -> None:
    assert account(task=replace(TASK, duration_ns=None)).time.total_ns is None


BROKEN = st.builds(
    lambda n, at, length, first, lost: model(
        f"c{n}", at, length, first_chunk_ns=first, attempts=(Attempt(500, lost),)
    ),
    st.integers(0, 20), st.floats(-50, 150), st.floats(-10, 90),
    st.none() | st.integers(-SECOND, 200 * SECOND), st.floats(0, 50),
)  # fmt: skip


@pytest.mark.parametrize("length_s", [100, 0, -5])
@settings(deadline=None)
@given(st.lists(BROKEN, max_size=6))
def test_broken_clocks_still_add_up(length_s: int, calls: list[ModelCall]) -> None:
    found = account(*calls, task=replace(TASK, duration_ns=length_s * SECOND))
    assert found.time.total_ns == max(length_s, 0) * SECOND
    seconds(found)


def test_what_lies_in_a_task_inside_its_agents_task_is_that_tasks() -> None:
    turn = TaskRecord("turn", "turn 1", 10 * SECOND, 50 * SECOND, parent_id="task")
    spoken = replace(model("c1", 10, 50), task_id="turn")
    later = replace(turn, id="turn 2", started_at_ns=80 * SECOND, duration_ns=20 * SECOND)
    answer = replace(model("c2", 80, 20, awaited="human"), task_id="turn 2")
    found = account(turn, later, spoken, answer)
    assert seconds(found) == {"model": 70, "human": 20, "unexplained": 10}
