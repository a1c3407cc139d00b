"""What providers bill, through the SDKs: each rule that lies in how an answer tells its usage."""

from decimal import Decimal
from typing import Any

import pytest

import touchdown
from tests.clients import shapes
from tests.clients.apis import BETA, CHAT, MESSAGES, QUESTION, RESPONSES, Api
from tests.clients.conftest import Desk
from touchdown.accounting.account import Money
from touchdown.testing import Capture, Reply, capture

M = Decimal(1_000_000)
BOTH = pytest.mark.parametrize("run", [shapes.create, shapes.read], ids=["whole", "streamed"])


def money_of(seen: Capture) -> Money:
    money = seen.account.money
    taxes = sum(money.taxes.values(), Decimal(0))
    assert money.work_usd + taxes + money.unexplained_usd == money.total_usd
    assert sum(money.within_work.values(), Decimal(0)) <= money.work_usd
    return money


@BOTH
def test_rejected_predictions_are_output(run: Any, desk: Desk, gpt: Any) -> None:
    details = {"accepted_prediction_tokens": 5, "rejected_prediction_tokens": 300}
    counts = {"prompt_tokens": 10, "completion_tokens": 400, "total_tokens": 410}
    desk.script(Reply("Done.", usage={**counts, "completion_tokens_details": details}))
    with capture() as seen:
        run(CHAT, gpt)
        (call,) = seen.calls
        money = money_of(seen)
    assert (call.usage.output, call.usage.problems) == (400, ())
    assert money.total_usd == (10 * Decimal("2.5") + 400 * 15) / M


@BOTH
def test_an_amount_in_the_answer_goes_before_the_table(run: Any, desk: Desk, gpt: Any) -> None:
    counts = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100, "cost": 0.0123}
    desk.script(Reply("Done.", usage=counts))
    with capture() as seen:
        run(CHAT, gpt)
        money = money_of(seen)
    assert money.total_usd == money.reported_usd == Decimal("0.0123")
    assert money.memo["table_usd"] == (1000 * Decimal("2.5") + 100 * 15) / M
    assert money.basis["total"] == "measured"


@BOTH
@pytest.mark.parametrize("api", [MESSAGES, BETA], ids=str)
def test_fees_of_server_tools_stand_within_work(
    api: Api, run: Any, desk: Desk, claude: Any
) -> None:
    used = {"web_search_requests": 3, "web_fetch_requests": 2}
    desk.script(
        Reply("Done.", usage={"input_tokens": 100, "output_tokens": 10, "server_tool_use": used})
    )
    with capture() as seen, touchdown.task("t") as task:
        run(api, claude)
    money = money_of(seen)
    assert money.within_work == {"server_tools": Decimal("0.03")}
    assert money.total_usd == Decimal("0.03") + (100 * 5 + 10 * 25) / M
    assert "in work: server tools $0.03" in str(task.receipt())
    report = task.receipt().report()
    assert report.tasks[0].money.within_work == {"server_tools": Decimal("0.03")}


def test_prewarming_is_an_account_of_its_own(desk: Desk, claude: Any, gpt: Any) -> None:
    text = {"type": "text", "text": "Read this first. " * 2000}
    mark = {"cache_control": {"type": "ephemeral"}}
    with capture() as seen, touchdown.task("t"):
        claude.messages.create(
            model="claude-opus-4-8", max_tokens=0, system=[{**text, **mark}], messages=[QUESTION]
        )
        claude.messages.create(
            model="claude-opus-4-8", max_tokens=9, system=[{**text, **mark}], messages=[QUESTION]
        )
        gpt.responses.create(
            model="gpt-6-sol",
            input=text["text"],
            extra_body={"prompt_cache_options": {"prewarm": True}},
        )
        calls = seen.calls
        costs = [verdict.cost.total for verdict in seen.verdicts if verdict.cost]
    money = money_of(seen)
    assert calls[0].usage.written_tokens
    assert calls[0].usage.output == calls[2].usage.output == 0
    assert money.within_work == {"prewarm": costs[0] + costs[2]}


@BOTH
@pytest.mark.parametrize("status", ["redeemed", "not_applied"])
def test_a_credit_of_unknown_size_is_said(status: str, run: Any, desk: Desk, claude: Any) -> None:
    told: dict[str, Any] = {"type": status}
    if status == "not_applied":
        told["reason"] = "expired"
    counts = {"input_tokens": 100, "output_tokens": 10, "fallback_credit": {"status": told}}
    desk.script(Reply("Done.", usage=counts))
    with capture() as seen:
        run(BETA, claude)
        money = money_of(seen)
    reason = "a fallback credit lowered the bill by an amount that is not reported"
    assert money.incomplete_reasons == ({reason: 1} if status == "redeemed" else {})


@BOTH
@pytest.mark.parametrize("asked", ["auto", "flex"])
def test_the_answers_tier_is_billed(asked: str, run: Any, desk: Desk, gpt: Any) -> None:
    api = Api("responses", "openai", "responses", {**RESPONSES.ask, "service_tier": asked})
    desk.script(Reply("Done.", service_tier="priority"))
    with capture() as seen:
        run(api, gpt)
        (call,), (verdict,) = seen.calls, seen.verdicts
    assert call.service_tier == "priority"
    assert verdict.cost is not None
    assert verdict.cost.output == call.usage.output * 30 / M  # type: ignore[operator]


def test_counts_of_a_stream_are_cumulative(desk: Desk, claude: Any) -> None:
    counts = {"input_tokens": 100, "output_tokens": 400, "cache_read_input_tokens": 50}
    desk.script(Reply("Done. " * 40, chunk_chars=3, usage=counts))
    with capture() as seen:
        shapes.read(MESSAGES, claude)
        (call,) = seen.calls
    used = call.usage
    assert (used.uncached, used.cache_read, used.output) == (100, 50, 400)


def test_the_first_image_loses_the_messages_cache(desk: Desk, claude: Any) -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    first = {"role": "user", "content": [{"type": "text", "text": "Look. " * 3000, **mark}]}
    source = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
    image = {"type": "image", "source": source, **mark}
    with capture() as seen, touchdown.task("t"):
        for said in ([first], [first, {"role": "user", "content": [image]}]):
            claude.messages.create(model="claude-opus-4-8", max_tokens=9, messages=said)
        misses = seen.account.cache.misses
    assert [(found.miss.cause, found.miss.detail) for found in misses] == [
        ("parameters_changed", "images")
    ]
