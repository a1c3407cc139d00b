"""Middleware of the anthropic SDK: what it sends again is billed by what was sent, call by call."""

from contextlib import nullcontext
from typing import Any

import anthropic
import pytest

import touchdown
from tests.clients.apis import BETA, REPLY, plain
from tests.clients.conftest import Desk, make_client
from touchdown.testing import Fault, Reply, capture

pytestmark = [
    pytest.mark.skipif(
        not hasattr(anthropic, "BetaRefusalFallbackMiddleware"), reason="this SDK has no middleware"
    ),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

REFUSAL = Reply("", stop_reason="refusal", response_id="answer_0", output_tokens=3)
OTHER = "claude-sonnet-4-6"


def passes_on(request: Any, call_next: Any) -> Any:
    return call_next(request)


def sends_again(request: Any, call_next: Any) -> Any:
    """Its own retry, without the SDK's."""
    response = call_next(request)
    return call_next(request) if response.http_response.status_code == 429 else response


def catches_and_sends_again(request: Any, call_next: Any) -> Any:
    try:
        return call_next(request)
    except anthropic.APIConnectionError:
        return call_next(request)


def falls_back() -> Any:
    return anthropic.BetaRefusalFallbackMiddleware([{"model": OTHER}])


@pytest.fixture(params=[False, True], ids=["", "traced by the host"])
def tracing(request: pytest.FixtureRequest) -> dict[str, Any]:
    from opentelemetry.sdk.trace import TracerProvider

    own = {"traces": {"enabled": True}, "tracer_provider": TracerProvider()}
    return {"open_telemetry": own} if request.param else {}


ASK = {name: value for name, value in BETA.ask.items() if name != "tools"}


def ask(client: Any, streamed: bool) -> Any:
    answer = client.beta.messages.create(**ASK, **(BETA.streamed if streamed else {}))
    return list(answer) if streamed else answer


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("middleware", "fault"),
    [
        (passes_on, None),
        (passes_on, Fault(429)),
        (sends_again, Fault(429)),
        (passes_on, Fault(cut=True)),
        (catches_and_sends_again, Fault(cut=True)),
    ],
)
def test_a_retry_is_an_attempt_of_one_call(
    middleware: Any, fault: Fault | None, streamed: bool, tracing: dict[str, Any], desk: Desk
) -> None:
    client = make_client(
        "anthropic", desk.url("anthropic"), middleware=[middleware], max_retries=1, **tracing
    )

    def run() -> Any:
        desk.begin()
        desk.script(*([fault] if fault else []), REPLY)
        return ask(client, streamed)

    without = plain(run())
    with capture() as seen:
        assert plain(run()) == without
        (call,) = seen.calls
    expected = [] if fault is None else [None if fault.cut else fault.status]
    assert [attempt.status for attempt in call.attempts] == expected
    assert (call.status, call.http_status, call.usage.completeness) == ("ok", 200, "full")
    client.close()


@pytest.mark.parametrize("streamed", [False, True])
def test_another_model_after_a_refusal_is_another_call(
    streamed: bool, tracing: dict[str, Any], desk: Desk
) -> None:
    client = make_client("anthropic", desk.url("anthropic"), middleware=[falls_back()], **tracing)

    def run() -> Any:
        desk.begin()
        desk.script(REFUSAL, REPLY)
        return ask(client, streamed)

    without = plain(run())
    with capture() as seen:
        assert plain(run()) == without
        refused, served = seen.calls
        assert seen.account.usage.output == refused.usage.output + served.usage.output
    check_fallback(refused, served)
    client.close()


@pytest.mark.parametrize("streamed", [False, True])
async def test_another_model_after_a_refusal_async(streamed: bool, desk: Desk) -> None:
    client = make_client(
        "anthropic", desk.url("anthropic"), asynchronous=True, middleware=[falls_back()]
    )
    desk.script(REFUSAL, REPLY)
    with capture() as seen:
        answer = await client.beta.messages.create(**ASK, **(BETA.streamed if streamed else {}))
        if streamed:
            assert [event async for event in answer]
        check_fallback(*seen.calls)
    await client.close()


def check_fallback(refused: Any, served: Any) -> None:
    assert (refused.model, served.model) == (ASK["model"], OTHER)
    assert (refused.finish_reasons, served.finish_reasons) == (("refusal",), ("tool_use",))
    assert (refused.usage.completeness, served.usage.completeness) == ("full", "full")
    assert (refused.response_id, served.response_id) == ("answer_0", "answer_1")


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("fault", [Fault(529), Fault(cut=True)], ids=["529", "cut"])
def test_another_model_that_fails_too(fault: Fault, streamed: bool, desk: Desk) -> None:
    client = make_client("anthropic", desk.url("anthropic"), middleware=[falls_back()])

    def run() -> Any:
        desk.begin()
        desk.script(REFUSAL, fault)
        try:
            return ask(client, streamed)
        except anthropic.APIError as error:
            return type(error).__name__, str(error).partition("req_")[0]

    without = plain(run())
    with capture() as seen:
        assert plain(run()) == without
        refused, failed = seen.calls
    assert refused.usage.completeness == "full"
    assert (failed.model, failed.status) == (OTHER, "error")
    assert failed.http_status == (None if fault.cut else 529)
    client.close()


def test_an_answer_that_middleware_kept_costs_nothing(desk: Desk) -> None:
    kept: list[Any] = []

    def keeps(request: Any, call_next: Any) -> Any:
        if not kept:
            kept.append(call_next(request).parse())
        return kept[0]

    client = make_client("anthropic", desk.url("anthropic"), middleware=[keeps])
    with capture() as seen:
        first = ask(client, streamed=False)
        assert ask(client, streamed=False) is first
        sent, unsent = seen.calls
        alone = seen.account.usage.output
    assert alone == sent.usage.output
    assert (unsent.status, unsent.usage.problems) == ("not_started", ("nothing was sent",))
    client.close()


@pytest.mark.parametrize("streamed", [False, True])
def test_a_budget_stops_what_a_middleware_sends_again(desk: Desk, streamed: bool) -> None:
    desk.script(REFUSAL)
    with make_client("anthropic", desk.url("anthropic"), middleware=[falls_back()]) as client:
        before = len(desk.provider.requests)
        # Within a stream this middleware logs what stops it and hands the refusal on.
        stopped = nullcontext() if streamed else pytest.raises(touchdown.BudgetExceeded)
        with capture() as seen, touchdown.task("one call", max_calls=1) as task, stopped:
            ask(client, streamed)
        assert len(desk.provider.requests) - before == 1
        assert [call.model for call in seen.calls] == [ASK["model"]]
        assert task.totals.refused_calls == 1
