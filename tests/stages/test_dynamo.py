"""NVIDIA Dynamo's real frontend and router: what it says of each request, and what its routing lost.

``DYNAMO_URL`` is the frontend, with two mock workers behind it; ``DYNAMO_TRACE`` the file in which it writes
a row of its own for each request, and for each tool that it is told of at ``DYNAMO_TOOL_EVENTS``.
"""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

import touchdown
from tests.stages.checks import SETTLE_S, counted_by
from tests.stages.talk import MODEL, ask, ask_as_claude, begin, go_on
from touchdown.engines.fetching import fetch_text
from touchdown.engines.host import EngineHost
from touchdown.engines.hosts import HOSTS
from touchdown.records import ModelCall
from touchdown.testing import Capture, capture

pytestmark = pytest.mark.stage_dynamo

TURNS, WORKERS = 4, 2
PRICE = {"model": MODEL, "input": "1", "cache_read": "0.1", "output": "2"}
SAVED_USD = Decimal("0.9") / 1_000_000
"""What reading a token from the cache saves at this price."""


@pytest.fixture
def host() -> Iterator[EngineHost]:
    wait_for_both_workers()
    named = touchdown.engine(os.environ["DYNAMO_URL"])
    named.look()
    assert (named.engine, named.problem) == ("dynamo", "")
    yield named
    HOSTS.forget(named)


@pytest.fixture
def client() -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{os.environ['DYNAMO_URL']}/v1", api_key="none") as client:
        yield client


def wait_for_both_workers() -> None:
    deadline = time.monotonic() + SETTLE_S
    while time.monotonic() < deadline:
        instances = json.loads(fetch_text(os.environ["DYNAMO_URL"], "/health"))["instances"]
        if sum(instance["endpoint"] == "generate" for instance in instances) == WORKERS:
            return
        time.sleep(0.2)
    pytest.fail("there are not two workers")


Row = dict[str, Any]


def rows_of(calls: list[ModelCall]) -> dict[str, Row]:
    """Dynamo's own row of each call, by the id that touchdown sent with it."""
    return rows_by({call.id for call in calls}, "request", "x_request_id")


def rows_by(wanted: set[str], part: str, key: str) -> dict[str, Row]:
    deadline = time.monotonic() + SETTLE_S
    while True:
        text = Path(os.environ["DYNAMO_TRACE"]).read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1].splitlines()
        told = [row.get("event", row) for row in map(json.loads, whole)]
        found = {row[part][key]: row for row in told if part in row}
        if wanted <= found.keys() or time.monotonic() > deadline:
            return {name: found[name] for name in wanted}
        time.sleep(0.2)


def check_against_the_engine(host: EngineHost, seen: Capture) -> None:
    calls = seen.calls
    rows = rows_of(calls)
    for call in calls:
        assert call.engine is not None
        row = rows[call.id]
        request = row["request"]
        assert row["agent_context"]["session_id"] == call.agent_id
        # Where nothing was cached, its answers in Anthropic's form leave the figure out.
        cached = call.engine.cached_tokens if call.api != "messages" else call.usage.cache_read or 0
        told = (call.engine.prompt_tokens, cached, call.usage.output)
        assert told == tuple(request[f"{name}_tokens"] for name in ("input", "cached", "output"))
        assert (call.engine.basis["prompt_tokens"], call.engine.block_tokens) == ("measured", 16)
        assert (call.engine.total_ns or 0) < call.duration_ns
    read = sum(call.usage.cache_read or 0 for call in calls)
    assert counted_by(host, "requests", len(calls)) == len(calls)
    assert counted_by(host, "cached_tokens", read) == read
    assert host.counted.figures["prompt_tokens"] == sum(c.usage.input_tokens or 0 for c in calls)


def test_a_conversation_in_five_turns(host: EngineHost, client: openai.OpenAI) -> None:
    messages = begin("alone")
    with capture(stream_usage=True) as seen, touchdown.task("mend the option"):
        for turn in range(5):
            go_on(messages, ask(client, messages, stream=turn % 2 == 1), turn)
    check_against_the_engine(host, seen)
    first, *others = seen.calls
    rows = rows_of(seen.calls)
    assert first.usage.cache_read == 0
    for call in seen.calls:
        assert call.engine is not None
        worker = rows[call.id]["request"]["worker"]["prefill_worker_id"]
        assert call.engine.worker == str(worker)
        # Its row is written a moment after its answer: their totals are not the same.
        wait, prefill = (
            rows[call.id]["request"][f"prefill_{name}_ms"] for name in ("wait_time", "time")
        )
        assert call.engine.frontend_ns == round(wait * 1e6)
        assert call.engine.prefill_ns in (round(prefill * 1e6), None)
    assert all(call.usage.cache_read for call in others)
    assert all(verdict.cache_state == "warm" for verdict in seen.verdicts[1:])


def test_the_same_through_the_anthropic_sdk(host: EngineHost) -> None:
    messages = begin("claude")
    with (
        anthropic.Anthropic(base_url=os.environ["DYNAMO_URL"], api_key="none") as client,
        capture() as seen,
        touchdown.task("mend the option"),
    ):
        for turn in range(5):
            go_on(messages, ask_as_claude(client, messages, stream=turn % 2 == 1), turn)
    check_against_the_engine(host, seen)
    assert all(call.usage.cache_read for call in seen.calls[1:])
    told = seen.calls[0].engine
    assert told is not None
    assert told.worker == ""  # this API has no place for it
    assert told.not_observable["prefill_ns"] == "the answer has no nvext.timing"


def test_what_routing_lost_is_what_the_router_counts_per_task(
    host: EngineHost, client: openai.OpenAI
) -> None:
    """Six sessions at once on two workers: some are sent to the other one after their first turn."""
    with capture(prices=[PRICE]) as seen:
        together([lambda name=name: session(client, name) for name in "abcdef"])
        accounts = {account.task.name: account for account in seen.accounts}
    check_against_the_engine(host, seen)
    verdicts = {verdict.call_id: verdict for verdict in seen.verdicts}
    lost = dict.fromkeys("abcdef", 0)
    moved, used = set(), set()
    for call in seen.calls:
        (name,) = (name for name, account in accounts.items() if account.task.id == call.task_id)
        for miss in verdicts[call.id].misses:
            assert (miss.cause, miss.tax, miss.basis) == ("rerouted", "rerouting", "derived")
            assert miss.tokens % 16 == 0
            lost[name] += miss.tokens
    for name, account in accounts.items():
        workers = [c.engine.worker for c in seen.calls if c.engine and c.task_id == account.task.id]
        used.update(workers)
        if len(set(workers)) > 1:
            moved.add(name)
        assert account.money.taxes["rerouting"] == lost[name] * SAVED_USD
    assert len(used) == WORKERS
    best = host.counted.figures["best_eligible_tokens"]
    assert sum(lost.values()) == best - host.counted.figures["selected_tokens"]
    assert {name for name, tokens in lost.items() if tokens} == moved


def session(client: openai.OpenAI, name: str) -> None:
    messages = begin(name)
    with touchdown.task(name):
        for turn in range(TURNS):
            go_on(messages, ask(client, messages, stream=False), turn)


def together(steps: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=step, daemon=True) for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)


@touchdown.tool
def run_tests(call_id: str) -> str:
    time.sleep(0.02)
    if call_id == "bad":
        raise RuntimeError("the tests do not run")
    return "2 passed"


def test_tools_stand_in_its_trace_beside_the_calls_of_their_agent(
    client: openai.OpenAI,
) -> None:
    wait_for_both_workers()
    host = touchdown.engine(
        os.environ["DYNAMO_URL"], "dynamo", tool_events=os.environ["DYNAMO_TOOL_EVENTS"]
    )
    messages = begin("with tools")

    @touchdown.agent("tester")
    def test() -> None:
        ask(client, messages, stream=False)
        run_tests("good")

    with capture() as seen, touchdown.task("mend the option"):
        run_tests("early")  # nobody knows yet whom this agent will call
        ask(client, messages, stream=False)
        test()
        with pytest.raises(RuntimeError):
            run_tests("bad")
    tools = {tool.id: tool for tool in seen.tools}
    early, *told = sorted(tools.values(), key=lambda tool: tool.started_at_ns)
    rows = rows_by({tool.id for tool in told}, "tool", "tool_call_id")
    HOSTS.forget(host)
    assert host.events_problem == ""
    assert early.id not in rows
    for tool, parent, event, status in zip(
        told, (seen.calls[0].task_id, None), ("tool_end", "tool_error"), ("succeeded", "error"),
        strict=True,
    ):  # fmt: skip
        row = rows[tool.id]
        assert (row["event_source"], row["event_type"]) == ("harness", event)
        session = row["agent_context"]
        assert session["session_id"] == tool.agent_id
        assert session.get("parent_session_id") == parent
        assert (row["tool"]["tool_class"], row["tool"]["status"]) == ("run_tests", status)
        assert tool.duration_ns is not None
        assert row["tool"]["duration_ms"] == tool.duration_ns / 1e6 >= 20
    assert "error_type" not in rows[told[0].id]["tool"]
    assert rows[told[1].id]["tool"]["error_type"] == "RuntimeError"
