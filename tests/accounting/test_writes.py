"""Looking at the least read writes finds what asking every write would find, at a cost that does not grow."""

from hypothesis import given
from hypothesis import strategies as st

from tests.accounting.build import SYSTEM, TOOLS, FixedPrices, after, call, seg, usage
from touchdown.accounting import writes
from touchdown.accounting.calls import Calls
from touchdown.accounting.contexts import Contexts
from touchdown.accounting.facts import CallFacts
from touchdown.accounting.fold import Fold
from touchdown.accounting.writes import MOST_OPEN, Writes
from touchdown.records import ModelCall

START = [TOOLS, SYSTEM, seg("goal")]

steps = st.lists(
    st.tuples(
        st.sampled_from(("a", "b")),
        st.integers(0, 4),  # segments cut off
        st.integers(0, 5).map(lambda n: 1000 * n),  # tokens read
        st.integers(0, 2).map(lambda n: 1000 * n),  # and written
        st.sampled_from((1.0, 40.0, 400.0)),  # seconds since the call before
    ),
    max_size=20,
)


class EveryWrite(Writes):
    """Asks all of them."""

    def note(self, facts: CallFacts) -> None:
        known = self._open[facts.route]
        known[:] = [entry for entry in known if writes._stays_open(entry[2], facts)]
        if facts.call.usage.cache_write:
            facts.write = writes._write_of(facts)
            if facts.write is not None:
                known.append((0, facts.key, facts))


def calls_of(given_steps: list[tuple[str, int, int, int, float]]) -> list[ModelCall]:
    calls: list[ModelCall] = []
    latest: dict[str, tuple[ModelCall, int]] = {}
    at_s = 0.0
    for number, (agent, cut, read, written, pause_s) in enumerate(given_steps):
        at_s += pause_s
        used = usage(100, read, 50, {"5m": written} if written else {})
        before = latest.get(agent)
        if before is None:
            one, length = call(f"c{number}", at_s, START, used, agent_id=agent), len(START)
        else:
            shared = max(before[1] - cut, 0)
            context = after(before[0], shared, seg(f"new {number}"))
            one, length = (
                call(f"c{number}", at_s, context=context, used=used, agent_id=agent),
                shared + 1,
            )
        calls.append(one)
        latest[agent] = one, length
    return calls


def folded(calls: list[ModelCall], kept: Writes) -> list[object]:
    fold = Fold(FixedPrices(), Contexts(Calls(calls)))
    fold._writes = kept
    for one in calls:
        fold.take(one)
    return [facts.write and (facts.write.read_until, facts.write.parts) for facts in fold.calls]


@given(steps)
def test_each_write_is_known_to_be_read_as_far_as_if_all_were_asked(
    given_steps: list[tuple[str, int, int, int, float]],
) -> None:
    calls = calls_of(given_steps)
    assert folded(calls, Writes()) == folded(calls, EveryWrite())


def test_writes_that_nothing_reads_are_not_asked_and_not_kept_for_ever() -> None:
    kept = Writes()
    first = call("c0", 0, START, usage(0, 0, 10, {"1h": 3000}))
    calls = [first]
    for number in range(1, MOST_OPEN + 600):
        used = usage(10, 3000, 10, {"1h": 100})
        calls.append(call(f"c{number:05}", number / 100, context=after(calls[-1], 3), used=used))
    folded(calls, kept)
    (waiting,) = kept._open.values()
    assert MOST_OPEN <= len(waiting) <= MOST_OPEN + writes.DROPPED
    assert waiting[0][2].call.id != "c00001"
