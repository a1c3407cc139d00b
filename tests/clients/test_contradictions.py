"""Usage that cannot be right, through the SDKs and the whole ledger: said, unpriced, never clipped."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

import touchdown
from tests.clients import shapes
from tests.clients.apis import APIS, CHAT, MESSAGES, RESPONSES, Api
from tests.clients.conftest import Desk
from touchdown.accounting.ledger import refold
from touchdown.live.accountant import LiveAccountant
from touchdown.prices import PriceBook
from touchdown.testing import Reply, capture

BOTH = pytest.mark.parametrize("run", [shapes.create, shapes.read], ids=["whole", "streamed"])
WRONG: dict[Api, dict[str, Any]] = {
    CHAT: {
        "prompt_tokens": 100,
        "completion_tokens": 5,
        "total_tokens": 105,
        "prompt_tokens_details": {"cached_tokens": 900},
    },
    RESPONSES: {
        "input_tokens": 100,
        "output_tokens": 5,
        "total_tokens": 105,
        "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 60},
        "output_tokens_details": {"reasoning_tokens": 0},
    },
    MESSAGES: {
        "input_tokens": 100,
        "output_tokens": 5,
        "cache_creation_input_tokens": 10,
        "cache_creation": {"ephemeral_5m_input_tokens": 40, "ephemeral_1h_input_tokens": 0},
    },
}


@BOTH
@pytest.mark.parametrize("api", WRONG, ids=str)
def test_more_cached_than_there_is(api: Api, run: Any, desk: Desk, client_of: Any) -> None:
    desk.script(Reply("Done.", usage=WRONG[api]))
    with capture() as seen, touchdown.task("t") as task:
        run(api, client_of(api))
        run(api, client_of(api))
    (call, _), account = seen.calls, seen.account
    assert call.usage.completeness == "none"
    assert len(call.usage.problems) == 1
    assert account.money.unpriced_calls == 1
    assert account.money.incomplete_reasons[call.usage.problems[0]] == 1
    assert not account.money.complete
    assert "not in the total" in str(task.receipt())
    assert refold(seen.records, PriceBook()).account().money == account.money


@BOTH
@pytest.mark.parametrize(
    ("api", "reply", "said"),
    [
        (RESPONSES, {"service_tier": "scale"}, "service_tier scale of gpt-5.4"),
        (
            MESSAGES,
            {"usage": {"input_tokens": 9, "output_tokens": 1, "service_tier": "priority"}},
            "service_tier priority of claude-opus-4-8",
        ),
        (
            MESSAGES,
            {"usage": {"input_tokens": 9, "output_tokens": 1, "inference_geo": "mars"}},
            "inference_geo mars of claude-opus-4-8",
        ),
    ],
)
def test_a_tier_without_a_price(
    api: Api, reply: dict[str, Any], said: str, run: Any, desk: Desk, client_of: Any
) -> None:
    desk.script(Reply("Done.", **reply))
    with capture() as seen:
        run(api, client_of(api))
        money = seen.account.money
    assert (money.total_usd, money.unpriced_calls, money.complete) == (0, 1, False)
    (reason,) = money.incomplete_reasons
    assert said in reason


@pytest.mark.parametrize("api", APIS, ids=str)
def test_two_calls_with_one_id(api: Api, desk: Desk, client_of: Any) -> None:
    with capture() as seen:
        shapes.create(api, client_of(api))
        (call,) = seen.calls
        total = seen.account.money.total_usd
    other = replace(call, duration_ns=call.duration_ns + 1, response_id="another")
    accounts = []
    for records in ([call, other], [other, call], [call, call, other]):
        accountant = LiveAccountant(PriceBook())
        for record in records:
            accountant.fold(record)
        (account,) = accountant.accounts()
        accounts.append(account.money)
    assert accounts[0] == accounts[1] == accounts[2]
    assert accounts[0].total_usd == total
    assert accounts[0].incomplete_reasons == {"two records with one id": 1}
    assert refold([call, call], PriceBook()).account().money.complete


@pytest.mark.parametrize("api", APIS, ids=str)
def test_a_clock_that_goes_backwards(api: Api, desk: Desk, client_of: Any) -> None:
    with capture() as seen:
        for _ in range(2):
            shapes.create(api, client_of(api))
        first, second = seen.calls
        money = seen.account.money
    for broken in (
        [replace(first, duration_ns=-(10**9)), second],
        [first, replace(second, sent_at_ns=first.sent_at_ns - 10**12)],
        [first, replace(second, first_chunk_ns=-5, duration_ns=-9)],
        [replace(first, sent_at_ns=-(10**9)), second],
    ):
        account = refold(broken, PriceBook()).account()
        assert account.money.total_usd == money.total_usd
        parts = sum(account.money.taxes.values(), account.money.unexplained_usd)
        assert account.money.work_usd + parts == account.money.total_usd
        assert all(usd >= 0 for usd in account.money.taxes.values())
        assert account.wall_s is None or account.wall_s >= 0


def test_a_call_whose_request_was_never_seen(desk: Desk, claude: Any) -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    said = [{"role": "user", "content": [{"type": "text", "text": "Go on. " * 2000, **mark}]}]
    with capture() as seen:
        for _ in range(3):
            claude.messages.create(model="claude-opus-4-8", max_tokens=9, messages=said)
            said = [*said, {"role": "assistant", "content": "Yes."}, said[0]]
        calls = seen.calls
    whole, lost = (refold(found, PriceBook()).account() for found in (calls, calls[1:]))
    assert whole.money.unexplained_usd == 0
    assert set(lost.money.unexplained_reasons) == {"unknown_predecessor"}
    parts = sum(lost.money.taxes.values(), lost.money.unexplained_usd)
    assert lost.money.work_usd + parts == lost.money.total_usd > Decimal(0)
    assert all(found.miss.cause == "unknown_predecessor" for found in lost.cache.misses)
