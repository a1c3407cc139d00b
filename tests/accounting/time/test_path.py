"""The critical path: it covers the wall time exactly, and agrees with a slow, obvious second look."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from touchdown.accounting.time.intervals import Interval
from touchdown.accounting.time.path import CANCELLED_WITHIN_NS, Piece, critical_path
from touchdown.accounting.time.without import length_without

times = st.integers(0, 60)


@st.composite
def intervals(draw: st.DrawFn, depth: int = 3) -> Interval:
    """Any tree: children may begin before their parent, outlive it, have no length, overlap."""
    start = draw(times)
    children = draw(st.lists(intervals(depth - 1), max_size=4)) if depth else []
    for number, child in enumerate(children):
        child.id = f"{number}"
    kind = "agent" if children else "call"
    cancelled = draw(st.booleans()) if not children else False
    return Interval("root", kind, start, start + draw(times), cancelled, children=children)


def owner_at(interval: Interval, instant: int, start: int, end: int) -> Interval:
    """Who owns one nanosecond: asked anew for each, by the rule's own words."""
    won = [c.end_ns for c in interval.children if not c.cancelled]
    at = end
    while True:
        fit = [
            child
            for child in interval.children
            if child.start_ns < child.end_ns <= at
            and child.end_ns > start
            and not (
                child.cancelled
                and any(
                    child.start_ns < e and 0 <= child.end_ns - e <= CANCELLED_WITHIN_NS for e in won
                )
            )
        ]
        if at <= start or not fit:
            return interval
        last = max(fit, key=lambda child: (child.end_ns, -child.start_ns, -int(child.id)))
        if instant >= last.end_ns:
            return interval
        if instant >= last.start_ns:
            return owner_at(last, instant, max(start, last.start_ns), last.end_ns)
        at = last.start_ns


def covered(root: Interval) -> list[Piece]:
    pieces = critical_path(root)
    at = root.start_ns
    for piece in pieces:
        assert piece.start_ns == at
        assert piece.start_ns < piece.end_ns
        at = piece.end_ns
    assert at == root.end_ns
    return pieces


@given(intervals())
def test_the_path_covers_the_wall_time_once(root: Interval) -> None:
    assert sum(piece.length_ns for piece in covered(root)) == root.length_ns


@given(intervals())
def test_a_second_look_at_every_nanosecond_agrees(root: Interval) -> None:
    for piece in covered(root):
        for instant in range(piece.start_ns, piece.end_ns):
            assert owner_at(root, instant, root.start_ns, root.end_ns) is piece.owner


@given(intervals())
def test_what_is_off_the_path_can_be_removed(root: Interval) -> None:
    pieces = critical_path(root)
    on_path = {id(piece.owner) for piece in pieces}

    def holds(interval: Interval) -> bool:
        return id(interval) in on_path or any(map(holds, interval.children))

    def cut(interval: Interval) -> Interval:
        # The winner of a race is kept for its loser's sake even where it is off the path itself.
        kept = [child for child in interval.children if holds(child) or not child.cancelled]
        return replace(interval, children=[cut(child) if holds(child) else child for child in kept])

    again = critical_path(cut(root))
    assert [(p.start_ns, p.end_ns, p.owner.id) for p in again] == [
        (p.start_ns, p.end_ns, p.owner.id) for p in pieces
    ]


def call(name: str, start: int, end: int, cancelled: bool = False) -> Interval:
    return Interval(name, "call", start, end, cancelled)


def owners(end: int, *children: Interval) -> list[tuple[str, int, int]]:
    root = Interval("task", "task", 0, end, children=list(children))
    return [(piece.owner.id, piece.start_ns, piece.end_ns) for piece in covered(root)]


def test_of_parallel_calls_the_last_to_end_is_on_the_path() -> None:
    found = owners(12, call("short", 1, 5), call("long", 1, 10))
    assert found == [("task", 0, 1), ("long", 1, 10), ("task", 10, 12)]


def test_the_winner_of_a_race_is_on_the_path() -> None:
    found = owners(9, call("winner", 0, 6), call("loser", 0, 7, cancelled=True))
    assert found == [("winner", 0, 6), ("task", 6, 9)]


def test_a_cancelled_call_without_a_winner_was_waited_for() -> None:
    assert owners(9, call("timed out", 0, 7, cancelled=True))[0] == ("timed out", 0, 7)


def test_a_child_that_outlives_the_task_was_not_waited_for() -> None:
    assert owners(9, call("left behind", 2, 30), call("done", 1, 4)) == [
        ("task", 0, 1),
        ("done", 1, 4),
        ("task", 4, 9),
    ]


def test_times_in_whole_seconds_may_overlap_by_one() -> None:
    second = 10**9
    found = owners(
        9 * second, call("first", 0, 2 * second + 7), call("next", 2 * second, 9 * second)
    )
    assert found == [("first", 0, 2 * second), ("next", 2 * second, 9 * second)]


def test_a_fine_clock_leaves_an_overlap_to_the_parent() -> None:
    assert owners(11, call("first", 0, 6), call("next", 5, 11))[0] == ("task", 0, 5)


@given(intervals(), st.dictionaries(st.sampled_from(["root", "0", "1", "2"]), st.integers(0, 30)))
def test_without_a_wait_the_task_is_never_longer(root: Interval, saved: dict[str, int]) -> None:
    assert length_without(root, {}) == root.length_ns
    assert 0 <= length_without(root, saved) <= root.length_ns


def test_a_step_that_follows_moves_with_what_it_waited_for() -> None:
    first, second = call("first", 0, 10), call("second", 12, 20)
    root = Interval("task", "task", 0, 21, children=[first, second])
    assert length_without(root, {"first": 4}) == 17
    root.children.append(call("beside", 1, 9))
    assert length_without(root, {"first": 4}) == 20
