"""``cache_diagnostics=True``: providers are asked for their own verdicts, which stand beside ours."""

import inspect
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import anthropic
import pytest

import touchdown
from tests.clients import shapes
from tests.clients.apis import CHAT
from tests.clients.conftest import Desk, make_client
from tests.clients.test_platforms import PLATFORMS, Platform
from touchdown.accounting.account import CauseAgreement
from touchdown.accounting.agreement import MEANINGS, UNDECIDED
from touchdown.accounting.ledger import refold
from touchdown.live.journal import read_journal
from touchdown.prices import PriceBook
from touchdown.records import ProviderVerdict
from touchdown.telemetry import attributes as names
from touchdown.telemetry import miss_names
from touchdown.telemetry.model_call import read_call
from touchdown.testing import Reply, capture

pytestmark = pytest.mark.skipif(
    "diagnostics" not in anthropic.types.Message.model_fields,
    reason="this SDK drops the field of the answer",
)

LONG = "All of the tests must pass before the change goes in. " * 400
TOOL = {"name": "run", "description": "Runs. " * 200, "input_schema": {"type": "object"}}
MARK = {"cache_control": {"type": "ephemeral"}}
CLAUDE: dict[str, Any] = {
    "model": "claude-opus-4-8",
    "max_tokens": 99,
    "tools": [TOOL],
    "system": [{"type": "text", "text": LONG, **MARK}],
    "messages": [{"role": "user", "content": [{"type": "text", "text": LONG, **MARK}]}],
}
SAID = {"role": "assistant", "content": "Looking."}
MORE = {"role": "user", "content": [{"type": "text", "text": "And now? " * 300, **MARK}]}
GROWN = {"messages": [*CLAUDE["messages"], SAID, MORE]}
GPT: dict[str, Any] = {
    "model": "gpt-6-sol",
    "tools": [{"type": "function", "name": "run", "parameters": {}, "strict": False}],
    "input": [{"role": "user", "content": LONG}, {"role": "user", "content": "One. " * 900}],
}
LATER = {"input": [*GPT["input"], SAID, {"role": "user", "content": "And now? " * 300}]}

CHANGES: list[tuple[str, dict[str, Any], str, str | None]] = [
    ("claude", GROWN, "no_divergence", None),
    ("claude", {**GROWN, "model": "claude-opus-5"}, "model_changed", "model_changed"),
    ("claude", {**GROWN, "tools": [{**TOOL, "name": "ran"}]}, "tools_changed", "tools_changed"),
    (
        "claude",
        {**GROWN, "system": [{"type": "text", "text": "S" + LONG, **MARK}]},
        "system_changed",
        "system_changed",
    ),
    (
        "claude",
        {"messages": [{"role": "user", "content": "Anew."}, SAID, MORE]},
        "messages_changed",
        "history_edited",
    ),
    ("claude", {**GROWN, "tool_choice": {"type": "any"}}, "unavailable", None),
    ("gpt", LATER, "cache_hit", None),
    ("gpt", {**LATER, "model": "gpt-5.6-sol"}, "model_changed", "model_changed"),
    (
        "gpt",
        {**LATER, "prompt_cache_key": "k"},
        "prompt_cache_key_changed",
        "parameters_changed",
    ),
    ("gpt", {**LATER, "tools": []}, "tools_changed", "tools_changed"),
    (
        "gpt",
        {**LATER, "text": {"format": {"type": "json_object"}}},
        "text_format_changed",
        "parameters_changed",
    ),
    (
        "gpt",
        {**LATER, "reasoning": {"effort": "high"}},
        "reasoning_effort_changed",
        "parameters_changed",
    ),
    ("gpt", {**LATER, "text": {"verbosity": "low"}}, "verbosity_changed", "parameters_changed"),
    ("gpt", {**LATER, "service_tier": "flex"}, "service_tier_changed", "parameters_changed"),
    (
        "gpt",
        {"input": [{"role": "user", "content": "Anew."}, *LATER["input"][1:]]},
        "input_changed",
        "history_edited",
    ),
]


NEWEST = {"anthropic": "claude-opus-4-8", "openai": "gpt-6-sol"}


def first_of(family: str) -> dict[str, Any]:
    return CLAUDE if family == "claude" else GPT


def vendor_of(family: str) -> str:
    return "anthropic" if family == "claude" else "openai"


def resource_of(client: Any, family: str) -> Any:
    return client.messages if family == "claude" else client.responses


def whole(resource: Any, asked: dict[str, Any]) -> str:
    return str(resource.create(**asked).id)


def streamed(resource: Any, asked: dict[str, Any]) -> str:
    for event in resource.create(**asked, stream=True):
        answer = getattr(event, "message", None) or getattr(event, "response", None)
        if answer is not None:
            found = str(answer.id)
    return found


def by_helper(resource: Any, asked: dict[str, Any]) -> str:
    with resource.stream(**asked) as stream:
        final = (
            "get_final_message" if hasattr(stream, "get_final_message") else "get_final_response"
        )
        return str(getattr(stream, final)().id)


def raw(resource: Any, asked: dict[str, Any]) -> str:
    answer = resource.with_raw_response.create(**asked)
    return str(answer.http_response.json()["id"])


def held(resource: Any, asked: dict[str, Any]) -> str:
    with resource.with_streaming_response.create(**asked) as answer:
        return str(answer.json()["id"])


WAYS = [whole, streamed, by_helper, raw, held]


@pytest.mark.parametrize("run", [whole, streamed], ids=lambda run: run.__name__)
@pytest.mark.parametrize(
    ("family", "change", "reason", "cause"), CHANGES, ids=[f"{c[0]} {c[2]}" for c in CHANGES]
)
def test_each_change(
    family: str,
    change: dict[str, Any],
    reason: str,
    cause: str | None,
    run: Callable[..., str],
    desk: Desk,
) -> None:
    desk.begin()
    client = make_client(vendor_of(family), desk.url(vendor_of(family)))
    resource = resource_of(client, family)
    with capture(cache_diagnostics=True) as seen, touchdown.task("t"):
        first = run(resource, first_of(family))
        desk.provider.clock.advance(5)
        run(resource, {**first_of(family), **change})
        calls, account = seen.calls, seen.account
    client.close()

    assert calls[0].provider_verdict == (
        ProviderVerdict("first_call") if family == "claude" else None
    )
    told = calls[1].provider_verdict
    assert told is not None
    assert (told.reason, told.compared_with) == (reason, first)
    divided = reason not in (*UNDECIDED, "no_divergence", "cache_hit")
    assert bool(told.missed_tokens) == divided
    agreement = account.cache.agreement
    assert agreement is not None
    if cause is None:
        assert agreement.causes == {}
        assert agreement.unchanged == (reason in ("no_divergence", "cache_hit"))
        assert ("unavailable" in agreement.undecided) == (reason == "unavailable")
    else:
        assert agreement.causes[cause] == CauseAgreement(agree=1)
        assert set(agreement.causes) == {cause}


@pytest.mark.parametrize("run", WAYS, ids=lambda run: run.__name__)
@pytest.mark.parametrize("family", ["claude", "gpt"])
def test_every_shape_of_a_call_is_followed(
    family: str, run: Callable[..., str], desk: Desk
) -> None:
    start = desk.begin()
    client = make_client(vendor_of(family), desk.url(vendor_of(family)))
    with capture(cache_diagnostics=True) as seen, touchdown.task("t"):
        ids = [run(resource_of(client, family), first_of(family)) for _ in range(3)]
        calls = seen.calls
    client.close()
    asked = [_asked(request.body, family) for request in desk.provider.requests[start:]]
    assert asked == [None, ids[0], ids[1]]
    compared = [call.provider_verdict and call.provider_verdict.compared_with for call in calls]
    assert compared == ["" if family == "claude" else None, ids[0], ids[1]]


def _asked(body: Any, family: str) -> str | None:
    if family == "claude":
        return body["diagnostics"]["previous_message_id"]
    return body.get("prompt_cache_options", {}).get("comparison_response_id")


async def test_async_and_beta(desk: Desk) -> None:
    start = desk.begin()
    claude = make_client("anthropic", desk.url("anthropic"), asynchronous=True)
    gpt = make_client("openai", desk.url("openai"), asynchronous=True)
    async with claude, gpt:
        with capture(cache_diagnostics=True) as seen, touchdown.task("t"):
            for asked in (CLAUDE, {**CLAUDE, **GROWN}):
                await claude.beta.messages.create(**asked)
            async with claude.messages.stream(**{**CLAUDE, **GROWN}) as stream:
                await stream.get_final_message()
            for asked in (GPT, LATER | {"model": "gpt-6-sol", "tools": GPT["tools"]}):
                async for _ in await gpt.responses.create(**asked, stream=True):
                    pass
            told = [call.provider_verdict for call in seen.calls]
    assert [verdict and verdict.reason for verdict in told] == [
        "first_call",
        "no_divergence",
        "no_divergence",
        None,
        "cache_hit",
    ]
    assert len(desk.provider.requests) - start == 5


@pytest.mark.parametrize("family", ["claude", "gpt"])
def test_the_other_bytes_of_a_request_stay_the_same(family: str, desk: Desk) -> None:
    client = make_client(vendor_of(family), desk.url(vendor_of(family)))
    bodies = {}
    for option in (None, False, True):
        start = desk.begin()
        options = {} if option is None else {"cache_diagnostics": option}
        with capture(**options), touchdown.task("t"):
            for _ in range(2):
                whole(resource_of(client, family), first_of(family))
        bodies[option] = [request.raw for request in desk.provider.requests[start:]]
    start = desk.begin()
    whole(resource_of(client, family), first_of(family))
    plain = desk.provider.requests[start].raw
    client.close()
    assert bodies[None] == bodies[False] == [plain, plain]
    field = rb'"(diagnostics|prompt_cache_options)":\{[^{}]*\},?'
    for asking in bodies[True][family == "gpt" :]:
        rest, found = re.subn(field, b"", asking)
        assert (rest.replace(b",}", b"}"), found) == (plain, 1)
    assert (bodies[True][0] == plain) == (family == "gpt")


def asking(create: Any, asked: dict[str, Any], more: dict[str, Any]) -> None:
    """Give ``more`` as an argument, or in ``extra_body`` where the SDK is older than the field."""
    known = set(more) <= set(inspect.signature(create).parameters)
    create(**asked, **(more if known else {"extra_body": more}))


def test_what_the_user_asks_is_left_alone(desk: Desk, claude: Any, gpt: Any) -> None:
    start = desk.begin()
    mine = {"diagnostics": {"previous_message_id": "mine"}}
    with capture(cache_diagnostics=True) as seen, touchdown.task("t"):
        claude.messages.create(**CLAUDE)
        asking(claude.messages.create, CLAUDE, mine)
        claude.messages.create(**CLAUDE, extra_body=mine)
        asking(claude.messages.create, CLAUDE, {"diagnostics": None})
        gpt.responses.create(**GPT)
        given = {"ttl": "12h", "mode": "explicit"}
        asking(gpt.responses.create, GPT, {"prompt_cache_options": given})
        gpt.responses.create(**GPT, extra_body={"prompt_cache_options": given})
        own = {**given, "comparison_response_id": "mine"}
        asking(gpt.responses.create, GPT, {"prompt_cache_options": own})
        calls = seen.calls
    bodies = [request.body for request in desk.provider.requests[start:]]
    assert [body.get("diagnostics") for body in bodies[1:4]] == [*[mine["diagnostics"]] * 2, None]
    assert given == {"ttl": "12h", "mode": "explicit"}
    for before, body in zip(calls[4:6], bodies[5:7], strict=True):
        asked = {**given, "comparison_response_id": before.response_id}
        assert body["prompt_cache_options"] == asked
    assert bodies[7]["prompt_cache_options"] == own
    told = [call.provider_verdict for call in calls]
    assert told[1] == told[2] == ProviderVerdict("previous_message_not_found", compared_with="mine")
    assert told[3] is None
    assert told[7] == ProviderVerdict("comparison_response_not_found", compared_with="mine")


def test_older_and_other_models_are_not_asked(desk: Desk, claude: Any, gpt: Any) -> None:
    start = desk.begin()
    with capture(cache_diagnostics=True), touchdown.task("t"):
        for _ in range(2):
            gpt.responses.create(**{**GPT, "model": "gpt-5.5"})
            gpt.responses.create(**{**GPT, "model": "gpt-4o"})
            gpt.chat.completions.create(model="gpt-6-sol", messages=CHAT.ask["messages"])
            claude.messages.create(**{**CLAUDE, "model": "glm-6"})
    assert unasked(desk, start) == 8


@pytest.mark.parametrize("platform", PLATFORMS, ids=str)
def test_platforms_are_not_asked(platform: Platform, desk: Desk) -> None:
    start = desk.begin()
    api = platform.apis[-1]
    newest = replace(api, ask={**api.ask, "model": NEWEST[api.vendor]})
    with (
        capture(cache_diagnostics=True),
        touchdown.task("t"),
        platform.make(desk.provider.url) as client,
    ):
        for _ in range(2):
            shapes.create(newest, client)
    assert unasked(desk, start) == 2


def unasked(desk: Desk, start: int) -> int:
    """How many requests there were, none of which asks for a verdict."""
    bodies = [request.body for request in desk.provider.requests[start:]]
    assert not any({"diagnostics", "prompt_cache_options"} & set(body) for body in bodies)
    return len(bodies)


def test_agents_and_routes_are_told_apart(desk: Desk, claude: Any) -> None:
    start = desk.begin()
    other = make_client("anthropic", desk.url("anthropic"), api_key="another")

    @touchdown.agent("helper")
    def helper() -> str:
        return whole(claude.messages, CLAUDE)

    with capture(cache_diagnostics=True), touchdown.task("t"):
        first = whole(claude.messages, CLAUDE)
        helper()
        whole(other.messages, CLAUDE)
        whole(claude.with_options(timeout=9).messages, CLAUDE)
    with capture(cache_diagnostics=True), touchdown.task("u"):
        whole(claude.messages, CLAUDE)
    other.close()
    asked = [_asked(request.body, "claude") for request in desk.provider.requests[start:]]
    assert asked == [None, None, None, first, None]


def test_a_pending_verdict_decides_nothing(desk: Desk, claude: Any) -> None:
    pending = {"cache_miss_reason": None}
    known = {"cache_miss_reason": {"type": "a_new_reason", "cache_missed_input_tokens": 5}}
    with capture(cache_diagnostics=True) as seen, touchdown.task("t"):
        for told in (None, pending, known):
            whole_answer = {
                "id": f"msg_{told and 1}",
                "type": "message",
                "role": "assistant",
                "model": "claude-opus-4-8",
                "content": [],
                "stop_reason": "end_turn",
                "usage": {"input_tokens": 5, "output_tokens": 1},
            }
            desk.script(
                Reply(body=whole_answer if told is None else {**whole_answer, "diagnostics": told})
            )
            claude.messages.create(**CLAUDE)
        told = [call.provider_verdict for call in seen.calls]
        agreement = seen.account.cache.agreement
    assert [verdict and verdict.reason for verdict in told] == [
        "not_told",
        "pending",
        "a_new_reason",
    ]
    assert told[2].missed_tokens == 5
    assert agreement.undecided == {"not_told": 1, "pending": 1, "unknown_reason": 1}
    assert agreement.causes == {}


def test_a_verdict_late_in_a_stream(desk: Desk, claude: Any) -> None:
    reason = {"cache_miss_reason": {"type": "tools_changed", "cache_missed_input_tokens": 3}}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-4-8"}
    message |= {"content": [], "usage": {"input_tokens": 5, "output_tokens": 1}}
    message["diagnostics"] = {"cache_miss_reason": None}
    events = [
        {"type": "message_start", "message": message},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": 2},
            "diagnostics": reason,
        },
        {"type": "message_stop"},
    ]
    body = "".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in events)
    desk.script(Reply(body=body))
    with capture(cache_diagnostics=True) as seen:
        list(claude.messages.create(**CLAUDE, stream=True))
        (call,) = seen.calls
    assert call.provider_verdict == ProviderVerdict("tools_changed", 3)


def test_both_verdicts_in_journal_spans_and_report(desk: Desk, claude: Any, tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    with capture(cache_diagnostics=True, journal=journal) as seen, touchdown.task("t") as task:
        whole(claude.messages, CLAUDE)
        desk.provider.clock.advance(5)
        whole(claude.messages, {**CLAUDE, **GROWN, "tools": [{**TOOL, "name": "ran"}]})
    account = seen.account
    folded = refold(read_journal(journal), PriceBook()).account()
    assert folded.cache == account.cache
    rebuilt = [read_call(span.attributes or {}, 0, 0) for span in seen.spans[:2]]
    assert [call.provider_verdict for call in rebuilt] == [c.provider_verdict for c in seen.calls]
    told = seen.spans[1].attributes or {}
    assert told[names.PROVIDER_REASON] == "tools_changed"
    assert told[miss_names.CAUSES] == ("tools_changed",)

    report = task.receipt().report()
    agreed = {"agree": 1, "differ": 0, "provider_only": 0, "ours_only": 0}
    for found in (report.tasks[0].cache.agreement, report.summary.agreement):
        assert found is not None
        assert found.model_dump() == {
            "asked": 2,
            "unchanged": 0,
            "causes": {"tools_changed": agreed},
            "undecided": {"first_call": 1},
        }
    printed = " ".join(str(task.receipt()).split())
    assert "the provider's own verdicts: asked at 2 calls; same cause: tools_changed 1" in printed
    assert account.policies["provider_verdicts"]


def test_nothing_is_said_of_verdicts_where_none_was_asked(desk: Desk, claude: Any) -> None:
    with capture() as seen, touchdown.task("t") as task:
        whole(claude.messages, CLAUDE)
    assert seen.account.cache.agreement is None
    assert task.receipt().report().tasks[0].cache.agreement is None
    assert "verdict" not in str(task.receipt())


def test_every_reason_of_a_provider_has_a_dated_row() -> None:
    assert all(row.source.startswith("https://") and row.date >= "2026-11" for row in MEANINGS)
    known = {(row.vendor, row.reason) for row in MEANINGS}
    response = pytest.importorskip("openai.types.responses.response")
    if not hasattr(response, "PromptCacheDiagnosticsCacheMiss"):
        pytest.skip("this SDK does not know the field")
    miss = response.PromptCacheDiagnosticsCacheMiss
    openai_types = get_args(miss.model_fields["reason"].annotation)
    assert {reason for vendor, reason in known if vendor == "openai"} == set(openai_types)
    anthropic_reasons = pytest.importorskip("anthropic.types.cache_miss_reason")
    claude_types = {
        get_args(kind.model_fields["type"].annotation)[0]
        for kind in get_args(get_args(anthropic_reasons.CacheMissReason)[0])
    }
    assert {r for v, r in known if v == "anthropic"} == claude_types - UNDECIDED
