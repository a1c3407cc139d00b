"""The index of prefixes finds what asking every earlier call would find."""

from hypothesis import given
from hypothesis import strategies as st

from tests.accounting.build import FixedPrices, call, seg
from touchdown.accounting.calls import Calls
from touchdown.accounting.contexts import Contexts
from touchdown.accounting.fold import Fold
from touchdown.records import ModelCall

AGENTS = ("a", "b", "c", "d")
prompts = st.lists(
    st.tuples(st.sampled_from(AGENTS), st.lists(st.sampled_from("xyz"), max_size=5)), max_size=25
)


def shared(one: ModelCall, other: ModelCall) -> int:
    pairs = zip(one.context.new, other.context.new, strict=False)
    return next((n for n, (mine, theirs) in enumerate(pairs) if mine != theirs),
                min(len(one.context.new), len(other.context.new)))  # fmt: skip


@given(prompts)
def test_a_first_call_s_base_is_the_latest_with_the_longest_prefix(
    given_prompts: list[tuple[str, list[str]]],
) -> None:
    calls = [
        call(f"c{n}", 10.0 * n, [seg(name) for name in names], agent_id=agent)
        for n, (agent, names) in enumerate(given_prompts)
    ]
    fold = Fold(FixedPrices(), Contexts(Calls(calls)))
    seen: set[str] = set()
    for n, one in enumerate(calls):
        base = fold.take(one).base
        if one.agent_id not in seen:
            seen.add(one.agent_id)
            best = max(
                calls[:n], key=lambda known: (shared(known, one), known.sent_at_ns), default=None
            )
            expected = best.id if best is not None and shared(best, one) else None
            assert (base.call.id if base else None) == expected
