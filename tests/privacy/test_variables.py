"""What crash reporters see: the variables of every frame of a traceback, as text."""

import gc
import re
import traceback
from collections.abc import Iterator
from typing import Any

import openai
import pytest

import touchdown
from tests.privacy.mark import canary, finds
from touchdown.testing import Provider, Reply, capture

MODULE = re.compile(r"touchdown\.(?!testing\b)")
KEY = "sk-" + canary("key", times=1).replace(" ", "-")
QUESTION: list[Any] = [{"role": "user", "content": canary("question")}]


class More(openai.OpenAI):
    """A client that sends more than it was asked to: a budget is asked a second time, and refuses."""

    def _prepare_options(self, options: Any) -> Any:
        options = super()._prepare_options(options)
        options.json_data = {**options.json_data, "messages": QUESTION * 40}
        return options


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider(lambda _request: Reply(canary("answer"), chunk_chars=5)) as running:
        yield running


def of_ours(error: BaseException) -> Iterator[tuple[str, str]]:
    """Each variable in a frame of ours, with its text."""
    for frame, _line in traceback.walk_tb(error.__traceback__):
        if frame.f_globals.get("__name__", "").startswith("touchdown."):
            for name, value in list(frame.f_locals.items()):
                yield f"{frame.f_code.co_name}: {name}", repr(value)


def test_no_key_stands_in_the_variables_of_a_refused_call(provider: Provider) -> None:
    with capture():
        client = More(base_url=provider.openai_url, api_key=KEY, max_retries=0)
        with (
            touchdown.task("held", budget_tokens=1_500),
            pytest.raises(touchdown.BudgetExceeded) as refused,
        ):
            client.chat.completions.create(model="gpt-5.4", messages=QUESTION, max_tokens=2)
        client.close()
    found = dict(of_ours(refused.value))
    assert "_ask_again: sent" in found
    assert [name for name, text in found.items() if KEY in text] == []
    assert finds(found["_ask_again: sent"]) == []


def test_nothing_that_we_hold_says_what_it_holds(provider: Provider) -> None:
    client = openai.OpenAI(base_url=provider.openai_url, api_key=KEY, max_retries=0)
    with capture(capture_content=True) as seen, touchdown.task("held", budget_tokens=10_000):
        client.chat.completions.create(model="gpt-5.4", messages=QUESTION, max_tokens=9)
        assert seen.calls
        ask: dict[str, Any] = {"model": "gpt-5.4", "messages": QUESTION, "max_tokens": 9}
        with client.chat.completions.create(**ask, stream=True) as stream:
            next(stream)
            mine = [one for one in gc.get_objects() if MODULE.match(str(type(one).__module__))]
            told = {type(one).__name__: finds(repr(one)) for one in mine}
    client.close()
    assert {"Sent", "ChatStream", "RequestView", "TaskState"} <= told.keys()
    assert {name: text for name, text in told.items() if text} == {}
