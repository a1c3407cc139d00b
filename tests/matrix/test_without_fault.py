"""Sessions in which nothing goes wrong: nothing may be claimed."""

import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

import pytest

import touchdown
from tests.clients.conftest import make_client
from tests.matrix.talk import APIS, CHAT, MESSAGES, Api, Talk, prose
from touchdown.accounting.account import TaskAccount
from touchdown.testing import Provider, Reply, Request, capture

Scene = Callable[[Api, Any, Talk], None]


def say(api: Api, client: Any, talk: Talk, chars: int = 1400) -> None:
    talk.said.append([prose(100 + len(talk.said), chars)])
    api.function(client)(**api.body(talk))
    talk.said.append(["Done."])


def single_shot(api: Api, client: Any, talk: Talk) -> None:
    talk.caching = False
    say(api, client, talk)


def unrelated_questions(api: Api, client: Any, talk: Talk) -> None:
    for number in range(5):
        own = Talk(api.model, api.other_model, system=prose(40 + number, 4800), tools=[])
        own.caching = False
        body = {
            name: value
            for name, value in api.body(_asked(own, number)).items()
            if name not in ("tools", "tool_choice")
        }
        api.function(client)(**body)


def _asked(talk: Talk, number: int) -> Talk:
    talk.said.append([prose(400 + number, 800)])
    return talk


def long_session(api: Api, client: Any, talk: Talk) -> None:
    for _ in range(30):
        say(api, client, talk)


def small_session(api: Api, client: Any, talk: Talk) -> None:
    talk.system, talk.tools = "Be brief.", ["reads a file", "runs the tests"]
    for _ in range(4):
        say(api, client, talk, 40)


def streamed_session(api: Api, client: Any, talk: Talk) -> None:
    for _ in range(6):
        talk.said.append([prose(100 + len(talk.said), 1400)])
        asked = {"stream_options": {"include_usage": True}} if api is CHAT else {}
        for _event in api.function(client)(**api.body(talk), stream=True, **asked):
            pass
        talk.said.append(["Done."])


def pauses_shorter_than_a_life(api: Api, client: Any, talk: Talk) -> None:
    for _ in range(6):
        say(api, client, talk)


def parallel_questions(api: Api, client: Any, talk: Talk) -> None:
    def ask(number: int) -> None:
        own = Talk(api.model, api.other_model, system=prose(60 + number, 4800))
        own.tools = [prose(70 + number, 700), prose(80 + number, 700)]
        api.function(client)(**api.body(_asked(own, number)))

    threads = [
        threading.Thread(target=copy_context().run, args=(ask, number)) for number in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def a_sub_agent_with_its_own_context(api: Api, client: Any, talk: Talk) -> None:
    @touchdown.agent("reader")
    def read() -> None:
        own = Talk(api.model, api.other_model, system=prose(90, 4800), tools=list(talk.tools))
        for _ in range(3):
            say(api, client, own)

    say(api, client, talk)
    read()
    say(api, client, talk)


def a_second_conversation_on_another_model(api: Api, client: Any, talk: Talk) -> None:
    @touchdown.agent("cheap")
    def cheap() -> None:
        own = Talk(api.other_model, api.model, system=prose(91, 4800), tools=list(talk.tools))
        for _ in range(3):
            say(api, client, own)

    for _ in range(2):
        say(api, client, talk)
    cheap()
    say(api, client, talk)


def a_tool_that_is_used(api: Api, client: Any, talk: Talk) -> None:
    @touchdown.tool
    def look(name: str) -> str:
        return prose(300, 600)

    for number in range(4):
        say(api, client, talk)
        look(f"file {number}")


SCENES: tuple[Scene, ...] = (
    single_shot,
    unrelated_questions,
    long_session,
    small_session,
    streamed_session,
    pauses_shorter_than_a_life,
    parallel_questions,
    a_sub_agent_with_its_own_context,
    a_second_conversation_on_another_model,
    a_tool_that_is_used,
)


SUMMARY = "Summary of the work: " + prose(7000, 800)


def run(
    api: Api, scene: Scene, decide: Callable[[Request], Reply] = lambda _: Reply("Done.")
) -> TaskAccount:
    with Provider(decide) as provider:
        url = provider.url if api.vendor == "anthropic" else provider.openai_url
        client = make_client(api.vendor, url)
        with capture() as seen, touchdown.task("without fault"):
            scene(api, client, Talk(api.model, api.other_model))
            account = seen.account
        client.close()
    return account


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
@pytest.mark.parametrize("api", APIS, ids=str)
def test_nothing_is_claimed(api: Api, scene: Scene) -> None:
    account = run(api, scene)
    money = account.money
    assert {tax: usd for tax, usd in money.taxes.items() if usd} == {}
    assert (money.unexplained_usd, dict(money.unexplained_reasons)) == (0, {})
    assert account.cache.missed == 0
    assert money.work_usd == money.total_usd > 0
    assert money.complete
    assert account.findings == ()


CHEAPER = {
    "messages": ("claude-opus-5", "claude-haiku-5-5"),
    "chat.completions": ("gpt-4.1", "gpt-4.1-nano"),
    "responses": ("gpt-5.6-sol", "gpt-5.4-nano"),
}


@pytest.mark.parametrize("api", APIS, ids=str)
def test_a_switch_to_a_model_that_pays_is_no_tax(api: Api) -> None:
    dear, cheap = CHEAPER[api.name]

    def switch(api: Api, client: Any, talk: Talk) -> None:
        talk.model = dear
        for _ in range(4):
            say(api, client, talk)
        talk.model = cheap
        for _ in range(4):
            say(api, client, talk)

    account = run(api, switch)
    assert {tax: usd for tax, usd in account.money.taxes.items() if usd} == {}
    assert account.money.unexplained_usd == 0
    assert [miss.miss.cause for miss in account.cache.misses] == ["model_changed"]


@pytest.mark.parametrize("api", APIS, ids=str)
def test_a_compaction_that_pays_costs_what_it_cost_and_says_what_it_saved(api: Api) -> None:
    def compact(api: Api, client: Any, talk: Talk) -> None:
        for _ in range(15):
            say(api, client, talk)
        talk.said.append(["Summarise what was done so far."])
        api.function(client)(**api.body(talk))
        talk.said[:] = [[SUMMARY], ["Done."]]
        for _ in range(15):
            say(api, client, talk)

    account = run(api, compact, lambda _: Reply(SUMMARY if len(_.raw) > 20_000 else "Done."))
    money = account.money
    assert {tax for tax, usd in money.taxes.items() if usd} == {"compaction"}
    assert money.unexplained_usd == 0
    net = money.memo["compaction_net_usd"]
    assert net is not None
    assert net > 0
    (finding,) = account.findings
    assert (finding.tax, finding.saves_usd) == ("compaction", 0)


def test_messages_are_cached_in_these_sessions() -> None:
    assert run(MESSAGES, long_session).cache.read > 100_000
