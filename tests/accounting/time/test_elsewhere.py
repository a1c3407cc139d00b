"""Other processes: what their clocks say is moved where it can have been, and never makes time."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.accounting.build import SECOND, SYSTEM, FixedPrices, call, seg, usage
from touchdown.accounting.ledger import refold
from touchdown.accounting.time.elsewhere import place_elsewhere, process_of
from touchdown.accounting.time.intervals import Interval
from touchdown.records import CallClock, ModelCall, TaskRecord, ToolCall

HERE, THERE = "a" * 12, "b" * 12
TASK = TaskRecord(f"task-{HERE}-000001", "goal", 0, 100 * SECOND)
TOOL = ToolCall(
    f"tool-{HERE}-000002", TASK.id, TASK.id, "ask a colleague", 10 * SECOND, duration_ns=20 * SECOND
)


def theirs(start_s: float, length_s: float, number: int = 1) -> ModelCall:
    """A call of another process, inside the tool."""
    made = call(f"call-{THERE}-{number:06x}", 0, [SYSTEM, seg(f"m{number}", 40)], usage(10, 0, 1))
    return replace(
        made,
        task_id=TASK.id,
        agent_id=TASK.id,
        sent_at_ns=int(start_s * SECOND),
        duration_ns=int(length_s * SECOND),
        clock=CallClock(first_sent_ns=SECOND),
        inside=TOOL.id,
    )


def time_of(*calls: ModelCall) -> dict[str, float]:
    time = refold([TASK, TOOL, *calls], FixedPrices()).account().time
    found = {**time.within_work, **time.taxes, "unexplained": time.unexplained_ns}
    assert sum(found.values()) == time.total_ns == 100 * SECOND
    return {name: ns / SECOND for name, ns in found.items()}


def test_a_child_whose_clock_is_right_is_where_it_says() -> None:
    found = time_of(theirs(12, 6))
    assert (found["model"], found["tools"], found["runtime_overhead"]) == (5, 14, 1)


def test_a_clock_that_is_behind_is_put_right_as_far_as_it_must_be() -> None:
    found = time_of(theirs(-5_000, 6), theirs(-4_990, 3, 2))
    assert (found["model"], found["tools"], found["runtime_overhead"]) == (7, 11, 2)


def test_what_is_longer_than_what_it_lies_in_was_not_waited_for() -> None:
    found = time_of(theirs(-5, 50))
    assert (found.get("model", 0), found["tools"]) == (0, 20)


def test_a_clock_that_is_ahead_makes_no_time() -> None:
    assert time_of(theirs(5_000, 6))["tools"] == 20


def test_ids_of_others_tell_no_process() -> None:
    assert process_of(f"call-{HERE}-00001a") == HERE
    assert process_of("toolu_01") == process_of("call-x-1") == process_of("") == ""


@given(st.integers(-50, 150), st.lists(st.tuples(st.integers(-90, 90), st.integers(0, 40))))
def test_distances_within_a_process_stay_and_nothing_begins_too_early(
    start: int, children: list[tuple[int, int]]
) -> None:
    parent = Interval(f"tool-{HERE}-000001", "tool", start, start + 50)
    for number, (began, length) in enumerate(children):
        identity = f"call-{THERE}-{number:06x}"
        inner = Interval(f"call-{THERE}-f{number:05x}", "call", began, began + length)
        parent.children.append(Interval(identity, "agent", began, began + length, children=[inner]))
    place_elsewhere(parent)
    moved = {
        child.start_ns - began for child, (began, _) in zip(parent.children, children, strict=True)
    }
    assert len(moved) <= 1
    assert all(child.start_ns >= start for child in parent.children)
    assert all(child.children[0].start_ns == child.start_ns for child in parent.children)
    assert [child.length_ns for child in parent.children] == [length for _, length in children]
