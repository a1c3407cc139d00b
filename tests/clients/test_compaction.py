"""Compaction as the SDKs send it: a host's summary is found where it is put to use, a provider's is read."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from openai.resources.responses import Responses

import touchdown
from tests.clients.apis import CHAT, MESSAGES, RESPONSES, Api
from tests.clients.conftest import Desk
from tests.recordings.exchanges import read_exchanges
from tests.recordings.playing import player
from tests.shared_data import shared_data
from touchdown.clients.anthropic.reader import MESSAGES as READER
from touchdown.context.answers import SHORTEST_CHARS, Answers
from touchdown.context.blocks import Block
from touchdown.testing import Reply, capture

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SUMMARY = " ".join(
    f"Step {number} was done and its result was {number * 7}." for number in range(40)
)
HISTORY = ["Find the bug. " * 60, "I look at the code. " * 60, "Go on. " * 60]


def said(api: Api, texts: list[str]) -> dict[str, Any]:
    roles = ("user", "assistant")
    messages = [{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)]
    return {"input" if api is RESPONSES else "messages": messages}


def summarise(api: Api, client: Any, put_to_use: str, *, stream: bool = False) -> None:
    asked = {name: v for name, v in api.ask.items() if name not in ("messages", "input", "tools")}
    create = api.of(client).create
    with touchdown.task("compacts"):
        create(**asked, **said(api, HISTORY))
        answer = create(**asked, **said(api, [*HISTORY, "ok", "Sum up."]), stream=stream)
        if stream:
            for _ in answer:
                pass
        create(**asked, **said(api, [put_to_use]))


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("api", [MESSAGES, CHAT, RESPONSES], ids=str)
@pytest.mark.parametrize(
    "put_to_use",
    [
        SUMMARY,
        f"This is what happened so far:\n<summary>\n{SUMMARY}\n</summary>\nGo on.",
        f"So far: {SUMMARY[len(SUMMARY) // 3 :]}",
    ],
    ids=["as it is", "wrapped", "its last two thirds"],
)
def test_a_summary_is_found_where_it_replaced_the_history(
    api: Api, stream: bool, put_to_use: str, desk: Desk, client_of: Callable[[Api], Any]
) -> None:
    desk.script(Reply("I see."), Reply(SUMMARY, chunk_chars=9), Reply("Good."))
    with capture() as seen:
        summarise(api, client_of(api), put_to_use, stream=stream)
        first, summariser, last = seen.calls
        money = seen.account.money

    assert {s.answer_of for s in (*first.context.new, *summariser.context.new)} == {""}
    assert [s.answer_of for s in last.context.new][-1] == summariser.id
    assert money.taxes["compaction"] > 0
    assert SUMMARY[:40] not in repr(seen.records)


def test_a_text_that_only_resembles_it_is_not_taken_for_it(
    desk: Desk, client_of: Callable[[Api], Any]
) -> None:
    desk.script(Reply("I see."), Reply(SUMMARY), Reply("Good."))
    with capture() as seen:
        summarise(MESSAGES, client_of(MESSAGES), SUMMARY.upper())
        assert seen.calls[-1].context.new[-1].answer_of == ""
        assert seen.account.money.taxes["compaction"] == 0


def test_answers_are_few_long_enough_and_the_latest_wins() -> None:
    answers = Answers()
    long = "a summary of some length, " * 20
    for number in range(9):
        answers.note(f"call {number}", (long, str(number)))
    answers.note("short", ("x" * (SHORTEST_CHARS - 1),))
    block = Block("user", [{"type": "text", "text": f"before {long}8 after"}])

    assert answers.find([Block("tools", long), block]) == {1: "call 8"}
    assert Answers().find([block]) == {}


def test_what_stands_before_a_providers_summary_is_not_read_by_the_model() -> None:
    summary = {"type": "compaction", "content": "Earlier: all went well."}
    failed = {"type": "compaction", "content": None}
    messages = [
        {"role": "user", "content": "long ago"},
        {"role": "assistant", "content": [summary, {"type": "text", "text": "Hello"}]},
        {"role": "user", "content": "now"},
    ]
    view = READER.read_request({"system": "Be brief.", "messages": messages})
    messages[1]["content"] = [failed]
    without = READER.read_request({"system": "Be brief.", "messages": messages})

    assert [block.kind for block in view.blocks] == ["system", "summary", "assistant", "user"]
    assert [block.kind for block in without.blocks] == ["system", "user", "summary", "user"]


@pytest.fixture(scope="module")
def recorded() -> Iterator[Callable[[str], Any]]:
    with player() as sdks:

        def play(name: str) -> Any:
            with capture() as seen:
                sdks.play(read_exchanges(shared_data("recordings") / name), "plain")
                return seen.calls, seen.account

        yield play


def test_a_real_compaction_on_the_server(recorded: Callable[[str], Any]) -> None:
    name = "test_anthropic-test_anthropic_compaction_usage_with_cache.json"
    (call,), account = recorded(name)
    (step,) = call.usage.steps
    money = account.money

    # Sonnet 4.6: 3 in, 15 out, 3.75 written. 55,096 written, 100 in, 131 out; then 229 in, 5 out.
    made = 55_096 * 375 + 100 * 300 + 131 * 1500
    assert (step.kind, step.usage.cache_write) == ("compaction", {"5m": 55_096})
    assert int(money.total_usd * 10**8) == made + 229 * 300 + 5 * 1500
    # By their characters 21 of the 229 tokens are the system prompt's, which was there before.
    assert int(money.taxes["compaction"] * 10**8) == made + 208 * 300
    assert call.output.summary_chars > 400
    # 55,196 tokens were read into the summary, 229 are left: kept out of this call, by the read price.
    assert int(money.memo["compaction_saved_usd"] * 10**8) == (55_196 - 229) * 30
    assert money.complete


def test_a_real_answer_to_what_was_compacted(recorded: Callable[[str], Any]) -> None:
    (call,), account = recorded("test_anthropic-test_anthropic_compaction_round_trip.json")

    assert [segment.kind for segment in call.context.new][:2] == ["system", "summary"]
    assert account.money.taxes["compaction"] == 0, "its first reading was not seen"


@pytest.mark.skipif(not hasattr(Responses, "compact"), reason="this SDK cannot ask for it")
def test_a_real_compacted_response(recorded: Callable[[str], Any]) -> None:
    name = "test_openai_responses-test_openai_responses_compact_messages_direct.json"
    calls, account = recorded(name)
    compacting = [call for call in calls if call.finish_reasons == ("compaction",)]

    assert len(compacting) == 1
    assert compacting[0].output.is_summary
    own = account.money.taxes["compaction"]
    assert own > 0
    assert account.money.work_usd + sum(account.money.taxes.values()) == account.money.total_usd
