"""A provider's verdicts beside ours: who names which cause, and what decides nothing."""

import pytest
from msgspec.structs import replace

from tests.accounting.build import FixedPrices, call, seg, usage
from tests.accounting.pairs import FIRST, MORE, START, then
from touchdown.accounting.account import Agreement, CauseAgreement
from touchdown.accounting.agreement import MEANINGS, UNCHANGED, UNDECIDED, add_agreements
from touchdown.accounting.ledger import refold
from touchdown.records import ModelCall, ProviderVerdict

BEFORE = replace(FIRST, response_id="answer_1")


def said(made: ModelCall, reason: str, compared_with: str = "answer_1") -> Agreement:
    told = replace(made, provider_verdict=ProviderVerdict(reason, 5, None, compared_with))
    found = refold([BEFORE, told], FixedPrices()).account().cache.agreement
    assert found is not None
    return found


EDITED = then(seg("other goal"), MORE, shared=2)
EXPIRED = then(MORE, at_s=400)
APPENDED = then(MORE, used=usage(0, 3000, 1, {"5m": 1000}))


@pytest.mark.parametrize(
    ("made", "reason", "cause", "side"),
    [
        (EDITED, "messages_changed", "history_edited", "agree"),
        (EDITED, "tools_changed", "history_edited", "differ"),
        (EDITED, "no_divergence", "history_edited", "ours_only"),
        (EXPIRED, "no_divergence", "expired", "ours_only"),
        (EXPIRED, "system_changed", "expired", "differ"),
        (APPENDED, "messages_changed", "history_edited", "provider_only"),
        (APPENDED, "model_changed", "model_changed", "provider_only"),
    ],
)
def test_who_names_the_cause(made: ModelCall, reason: str, cause: str, side: str) -> None:
    found = said(made, reason)
    assert found.causes[cause] == CauseAgreement(**{side: 1})
    assert (found.asked, found.undecided) == (1, {})


def test_both_may_say_that_nothing_changed() -> None:
    assert said(APPENDED, "no_divergence") == Agreement(asked=1, unchanged=1)


@pytest.mark.parametrize("reason", sorted(UNDECIDED))
def test_what_decides_nothing(reason: str) -> None:
    assert said(EDITED, reason) == Agreement(asked=1, undecided={reason: 1})


def test_a_verdict_on_another_pair_of_calls_is_not_held_against_ours() -> None:
    found = said(EDITED, "messages_changed", "answer_0")
    assert found == Agreement(asked=1, undecided={"compared_with_another_call": 1})


def test_a_reason_that_no_row_knows_decides_nothing() -> None:
    assert said(EDITED, "moon_phase").undecided == {"unknown_reason": 1}


def test_a_parameter_is_compared_by_its_name() -> None:
    base = replace(
        BEFORE, context=replace(BEFORE.context, parameters={"speed": "a", "thinking": "a"})
    )
    for name, side in (("speed", "agree"), ("thinking", "differ")):
        shape = replace(base.context, parameters={**base.context.parameters, name: "b"})
        shape = replace(shape, predecessor="c1", shared=3, new=(MORE,))
        made = replace(call("c2", 60, START, usage(0, 0, 1, {"5m": 4000})), context=shape)
        told = replace(
            made, provider_verdict=ProviderVerdict("model_changed", compared_with="answer_1")
        )
        found = refold([base, told], FixedPrices()).account().cache.agreement
        assert found is not None
        assert found.causes["parameters_changed"] == CauseAgreement(**{side: 1})


def test_sums_of_agreements() -> None:
    one, other = said(EDITED, "messages_changed"), said(EXPIRED, "no_divergence")
    both = add_agreements([one, None, other, one])
    assert both is not None
    assert both.asked == 3
    assert both.causes == {
        "expired": CauseAgreement(ours_only=1),
        "history_edited": CauseAgreement(agree=2),
    }
    assert add_agreements([None]) is None


def test_a_task_and_its_summary_count_the_same() -> None:
    told = replace(EDITED, provider_verdict=ProviderVerdict("messages_changed", 5, 9, "answer_1"))
    ledger = refold([BEFORE, told], FixedPrices())
    assert "provider_verdicts" in ledger.account().policies
    assert "provider_verdicts" not in refold([BEFORE], FixedPrices()).account().policies


def test_no_reason_stands_in_two_lists() -> None:
    known = {row.reason for row in MEANINGS}
    assert not known & UNDECIDED
    assert not known & UNCHANGED
