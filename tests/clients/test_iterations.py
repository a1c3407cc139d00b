"""Steps that the server makes inside one call: what the totals leave out is said, and nothing added."""

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
    said = (f"the totals leave out a {kind} step of usage.iterations",)
    assert call.usage.problems == (() if kind == "message" else said)
    assert (call.usage.input_tokens, call.usage.output) == (23_000, 1_000)
