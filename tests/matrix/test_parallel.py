"""Calls that are sent together, each paying for the same new context."""

import threading
from contextvars import copy_context
from typing import Any

import pytest

import touchdown
from tests.clients.conftest import make_client
from tests.matrix.talk import APIS, MESSAGES, RESPONSES, Api, Talk, prose
from touchdown.testing import Provider, Reply, capture

BRIEF = prose(5000, 6000)
TOGETHER = 3


def fork_body(api: Api, talk: Talk, own: str) -> dict[str, Any]:
    """The talk so far, a brief that all share, its end marked, and what is one's own."""
    talk.said.append([BRIEF, own])
    body = api.body(talk)
    talk.said.pop()
    if api is MESSAGES:
        body["messages"][-1]["content"][0]["cache_control"] = {"type": "ephemeral"}
    if api is RESPONSES:
        marker = {"mode": "explicit"}
        part = {"type": "input_text", "text": BRIEF, "prompt_cache_breakpoint": marker}
        body["input"][-2]["content"] = [part]
    return body


@pytest.mark.parametrize("turns", [1, 13, 27], ids=["early", "middle", "late"])
@pytest.mark.parametrize("api", APIS, ids=str)
def test_all_but_the_first_pay_again(api: Api, turns: int) -> None:
    together = threading.Barrier(TOGETHER)
    delay_s = 0.0
    with Provider(lambda _: Reply("Done.", first_chunk_delay_s=delay_s)) as provider:
        url = provider.url if api.vendor == "anthropic" else provider.openai_url
        client = make_client(api.vendor, url)
        talk = Talk(api.model, api.other_model)

        @touchdown.agent("helper")
        def help_out(number: int) -> None:
            together.wait()
            api.function(client)(**fork_body(api, talk, prose(5100 + number, 400)))

        with capture() as seen, touchdown.task("fan out"):
            for number in range(turns):
                talk.said.append([prose(100 + number, 1400)])
                api.function(client)(**api.body(talk))
                talk.said.append(["Done."])
            delay_s = 1.5
            threads = [
                threading.Thread(target=copy_context().run, args=(help_out, number))
                for number in range(TOGETHER)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            verdicts = {verdict.call_id: verdict for verdict in seen.verdicts}
            account = seen.account
            calls = sorted(seen.calls, key=lambda call: (call.sent_at_ns, call.id))
        client.close()
    brief_tokens = next(
        segment.tokens
        for segment in api.prompt(provider.requests[-1]).segments
        if BRIEF in segment.text
    )
    found = {miss.call_id: miss.miss for miss in account.cache.misses}
    assert list(found) == [call.id for call in calls[-TOGETHER + 1 :]]
    for miss in found.values():
        assert (miss.cause, miss.tax) == ("concurrent_write", "subagent_fanout")
        assert abs(miss.tokens - brief_tokens) <= 128
    assert len(verdicts) == turns + TOGETHER
    money = account.money
    assert money.work_usd + sum(money.taxes.values()) + money.unexplained_usd == money.total_usd
