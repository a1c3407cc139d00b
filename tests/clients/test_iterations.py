"""Steps that the server makes inside one call: what the totals leave out stands beside them, priced."""

from typing import Any

import pytest

from tests.clients import shapes
from tests.clients.apis import BETA
from tests.clients.conftest import Desk
from touchdown.testing import Reply, capture

STEP = {
    "input_tokens": 180_000,
    "output_tokens": 3_500,
    "cache_read_input_tokens": 0,
    "cache_creation_input_tokens": 0,
}
TOTALS = {**STEP, "input_tokens": 23_000, "output_tokens": 1_000}


@pytest.mark.parametrize("run", [shapes.create, shapes.read], ids=lambda run: run.__name__)
@pytest.mark.parametrize("kind", ["message", "compaction", "advisor_message"])
def test_a_step_inside_a_call(kind: str, run: Any, desk: Desk, claude: Any) -> None:
    steps = [{**STEP, "type": kind, "model": "claude-opus-4-8"}, {**TOTALS, "type": "message"}]
    desk.script(Reply("Done.", usage={**TOTALS, "iterations": steps}))
    with capture() as seen:
        run(BETA, claude)
        (call,) = seen.calls
        money = seen.account.money
    assert [(step.kind, step.usage.input_tokens) for step in call.usage.steps] == (
        [] if kind == "message" else [(kind, 180_000)]
    )
    assert (call.usage.input_tokens, call.usage.output) == (23_000, 1_000)
    assert call.usage.problems == ()
    assert money.complete
    assert (money.total_usd > 1) == (kind != "message")


def test_a_step_of_a_kind_that_is_not_known_is_said(desk: Desk, claude: Any) -> None:
    steps = [{**STEP, "type": "new_kind"}]
    desk.script(Reply("Done.", usage={**TOTALS, "iterations": steps}))
    with capture() as seen:
        shapes.read(BETA, claude)
        (call,) = seen.calls
    assert call.usage.problems == (
        "how a new_kind step of usage.iterations is billed is not known",
    )
