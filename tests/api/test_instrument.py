"""``instrument()`` and its undoing: what is patched, what is given back, what ends in between."""

import asyncio
import gc
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
import wrapt

import touchdown
from touchdown.live.journal import read_journal
from touchdown.records import ModelCall, TaskRecord
from touchdown.runtime import core
from touchdown.testing import Provider, Reply, capture

CHAT: dict[str, Any] = {"model": "gpt-5.4", "messages": [{"role": "user", "content": "x"}]}
MESSAGE: dict[str, Any] = {**CHAT, "model": "claude-sonnet-5", "max_tokens": 9}
HOOKED = sorted(
    2  # SDKs
    * [
        ("BaseClient", "_build_request"),
        ("Stream", "__init__"),
        ("AsyncStream", "__init__"),
        *(
            (client, name)
            for client in ("SyncAPIClient", "AsyncAPIClient")
            for name in ("request", "_process_response", "_sleep_for_retry")
        ),
    ]
    + [
        (client, "_attempt_request")  # where the SDK has middleware that may send again
        for module in (openai, anthropic)
        for client in ("SyncAPIClient", "AsyncAPIClient")
        if hasattr(getattr(module._base_client, client), "_attempt_request")
    ]
)


def snapshot() -> dict[tuple[str, str], object]:
    """Every attribute of every module of both SDKs and of every class in them."""
    found: dict[tuple[str, str], object] = {}
    for module_name, module in list(sys.modules.items()):
        if module_name.partition(".")[0] not in ("openai", "anthropic"):
            continue
        for name, value in vars(module).items():
            found[module_name, name] = value
            # isinstance() would make lazy objects load what they stand for
            if issubclass(type(value), type) and value.__module__ == module_name:
                found |= {
                    (f"{module_name}.{value.__qualname__}", own): of
                    for own, of in vars(value).items()
                    if own not in ("__dict__", "__weakref__", "__abstractmethods__", "_abc_impl")
                }
    return found


def changed(before: dict[tuple[str, str], object]) -> set[tuple[str, str]]:
    """What differs in modules and classes that were there before; the SDKs load more as they go."""
    owners, now = {owner for owner, _ in before}, snapshot()
    places = {place for place in before.keys() | now.keys() if place[0] in owners}
    return {place for place in places if before.get(place) is not now.get(place)}


def ask(client: Any, **more: Any) -> Any:
    if isinstance(client, openai.OpenAI):
        return client.chat.completions.create(**CHAT, **more)
    return client.messages.create(**MESSAGE, **more)


@pytest.fixture
def clients(provider: Provider) -> Iterator[list[Any]]:
    with (
        openai.OpenAI(base_url=provider.openai_url, api_key="k") as gpt,
        anthropic.Anthropic(base_url=provider.url, api_key="k") as claude,
    ):
        yield [gpt, claude]


def test_only_the_hooks_are_patched_and_all_of_them_are_given_back(clients: list[Any]) -> None:
    for client in clients:
        ask(client)  # what the SDKs load or make on first use is theirs
    before = snapshot()
    for _ in range(2):
        handle = touchdown.instrument()
        assert {name: armed.state for name, armed in handle.patched.items()} == {
            "openai": "patched",
            "anthropic": "patched",
        }
        patched = changed(before)
        assert sorted((where.rpartition(".")[2], name) for where, name in patched) == HOOKED
        for client in clients:
            ask(client)
        assert changed(before) == patched
        handle.uninstrument()
        assert changed(before) == set()
        assert {armed.state for armed in handle.patched.values()} == {"taken back"}


def test_twice_is_once_and_other_options_are_one_warning(
    caplog: pytest.LogCaptureFixture, clients: list[Any]
) -> None:
    first = touchdown.instrument(clients=["openai"])
    patched = snapshot()
    assert touchdown.instrument(clients=("openai",)) is first
    assert caplog.messages == []
    assert touchdown.instrument(stream_usage=True) is first
    assert touchdown.instrument(clients=["anthropic"]) is first
    assert caplog.messages == [
        "touchdown: already instrumented; the new options change nothing",
    ]
    assert changed(patched) == set()
    assert list(first.patched) == ["openai"]
    for client in clients:
        ask(client)
    assert touchdown.summary().summary.tasks == 1
    first.uninstrument()
    again = touchdown.instrument()
    first.uninstrument()
    assert (first.active, again.active) == (False, True)


@pytest.mark.parametrize("named", ["opanai", ["openai", "opanai"]])
def test_an_unknown_client_is_named_with_the_known_ones(named: Any) -> None:
    with pytest.raises(ValueError, match=r"'opanai' in clients=; known: openai, anthropic$"):
        touchdown.instrument(clients=named)
    assert core.active() is None


def test_disabled_it_does_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = snapshot()
    monkeypatch.setenv("TOUCHDOWN_DISABLED", "1")
    handle = touchdown.instrument(journal=tmp_path / "journal.jsonl")

    @touchdown.tool
    def search(text: str) -> str:
        return text

    with touchdown.task("off") as task:
        assert search("x") == "x"
        task.useful()
    assert (handle.active, handle.patched, changed(before)) == (False, {}, set())
    assert (task.totals.tool_calls, touchdown.flush()) == (0, True)
    assert task.totals.not_observable == {"*": "touchdown is not instrumented"}
    assert touchdown.summary().summary.tasks == 0
    assert list(tmp_path.iterdir()) == []


def test_a_patch_on_top_of_ours_is_left_alone(clients: list[Any]) -> None:
    base = openai._base_client.SyncAPIClient
    theirs: list[object] = []

    def look(wrapped: Callable[..., Any], _client: object, args: Any, kwargs: Any) -> Any:
        theirs.append(args)
        return wrapped(*args, **kwargs)

    original = vars(base)["request"]
    touchdown.instrument()
    on_top = wrapt.FunctionWrapper(vars(base)["request"], look)
    base.request = on_top  # type: ignore[method-assign]
    try:
        touchdown.uninstrument()
        assert vars(base)["request"] is on_top
        touchdown.instrument()
        ask(clients[0])
        assert touchdown.summary().summary.tasks == 1
        assert [account.model_calls for account in core.active().accountant.accounts()] == [1]
        assert len(theirs) == 1
        touchdown.uninstrument()
        assert vars(base)["request"] is on_top
    finally:
        base.request = original  # type: ignore[method-assign]


def test_nothing_pending_is_lost_and_what_ends_later_ends_well(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, clients: list[Any]
) -> None:
    path = tmp_path / "journal.jsonl"
    gpt, claude = clients
    handle = touchdown.instrument(journal=path)
    with touchdown.task("cut") as task:
        ask(gpt)
        half = iter(ask(claude, stream=True))
        next(half)
        dropped = ask(gpt, stream=True)
        ended = ask(claude, stream=True)
        handle.uninstrument()
        assert task.totals.model_calls == 1
        list(half)
        list(ended)
        del dropped
        gc.collect()
        ask(gpt)
        task.useful()
    assert not handle.active
    assert (task.totals.model_calls, task.totals.task.outcome) == (4, "useful")
    assert task.totals.open is False
    assert task.totals.money.complete is False
    kept = list(read_journal(path))
    assert [type(record) for record in kept] == [TaskRecord, ModelCall]
    assert caplog.messages == []


async def test_an_async_call_in_flight_ends_well(caplog: pytest.LogCaptureFixture) -> None:
    with Provider([Reply("late", first_chunk_delay_s=0.2)]) as provider:
        touchdown.instrument()
        client = openai.AsyncOpenAI(base_url=provider.openai_url, api_key="k")
        with touchdown.task("async") as task:
            pending = asyncio.ensure_future(client.chat.completions.create(**CHAT))
            while not provider.requests:
                await asyncio.sleep(0.01)
            touchdown.uninstrument()
            answer = await pending
        await client.close()
    assert answer.choices[0].message.content == "late"
    assert (task.totals.model_calls, caplog.messages) == (1, [])


def test_a_task_opened_before_instrument_is_counted_from_then_on(clients: list[Any]) -> None:
    gpt, _ = clients
    with touchdown.task("early") as task:
        ask(gpt)
        touchdown.instrument()
        ask(gpt)
        assert task.totals.model_calls == 1
        assert touchdown.summary().summary.tasks == 1
    assert task.totals.task.name == "early"
    assert list(touchdown.summary().summary.by_name) == ["early"]


def test_a_capture_is_not_disturbed_by_instrument_inside_it(clients: list[Any]) -> None:
    before = snapshot()
    gpt, _ = clients
    with capture() as seen:
        handle = touchdown.instrument(clients=["openai"])
        ask(gpt)
        assert len(seen.calls) == 1
        with capture() as inner:
            ask(gpt)
        assert (len(inner.calls), len(seen.calls)) == (1, 1)
        touchdown.uninstrument()
        ask(gpt)
        assert len(seen.calls) == 2
        handle = touchdown.instrument(clients=["openai"])
    ask(gpt)
    touchdown.flush()
    assert handle.runtime is not None
    assert [account.model_calls for account in handle.runtime.accountant.accounts()] == [1]
    touchdown.uninstrument()
    assert changed(before) == set()
