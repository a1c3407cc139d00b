"""What a budget reads of a request: of one that continues another only what is new, and the same."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from touchdown.clients.anthropic.reader import MESSAGES
from touchdown.clients.openai.chat import ChatReader
from touchdown.live import sizing
from touchdown.live.bounds import terms_of
from touchdown.live.sizing import RatesBefore, read_after
from touchdown.prices.book import PriceBook
from touchdown.prices.cost import EXACT
from touchdown.prices.rates import Rates, Unpriced
from touchdown.runtime.admission import Asked
from touchdown.runtime.budget import pico
from touchdown.runtime.reading import CallReader

CHAT = ChatReader()
MARK = {"type": "ephemeral"}

texts = st.text(max_size=8)
parts = st.one_of(
    st.builds(lambda text: {"type": "text", "text": text}, texts),
    st.builds(lambda text: {"type": "text", "text": text, "cache_control": MARK}, texts),
    st.builds(lambda text: {"type": "compaction", "content": text}, texts),
    st.builds(lambda n: {"type": "tool_use", "id": n, "name": "look", "input": {}}, texts),
    st.builds(lambda n: {"type": "tool_result", "tool_use_id": n, "content": "no"}, texts),
)
messages = st.builds(
    lambda role, content: {"role": role, "content": content},
    st.sampled_from(["user", "assistant", "system"]),
    st.one_of(texts, st.lists(parts, max_size=3)),
)


def asked(reader: CallReader, said: list[Any], **more: object) -> Asked:
    body = {"model": "claude-sonnet-5", "max_tokens": 9, "messages": said, **more}
    return Asked(reader, "anthropic", "anthropic", "claude-sonnet-5", "", None, body)


@pytest.mark.parametrize("reader", [MESSAGES, CHAT], ids=["anthropic", "openai"])
@given(said=st.lists(messages, max_size=6), later=st.lists(messages, max_size=6))
def test_a_request_behind_another_is_read_as_if_it_were_the_first(
    reader: CallReader, said: list[Any], later: list[Any]
) -> None:
    before = read_after(None, asked(reader, said))
    for now in (said + later, later, said):
        view = read_after(before, asked(reader, list(now))).view
        whole = reader.read_request(asked(reader, now).body)
        assert [(b.kind, b.role, b.content, b.cache_life) for b in view.blocks] == [
            (b.kind, b.role, b.content, b.cache_life) for b in whole.blocks
        ]
        assert (view.request, view.caching) == (whole.request, whole.caching)


def test_other_parameters_are_read_anew() -> None:
    said = [{"role": "user", "content": "hi"}]
    before = read_after(None, asked(MESSAGES, said))
    view = read_after(before, asked(MESSAGES, said, temperature=0.5)).view
    assert view.request["temperature"] == 0.5


def test_only_what_is_new_is_read() -> None:
    said = [{"role": "user", "content": "hi"}]
    before = read_after(None, asked(MESSAGES, said))
    after = read_after(before, asked(MESSAGES, [*said, {"role": "assistant", "content": "yes"}]))
    assert after.view.blocks[0] is before.view.blocks[0]
    assert after.view.blocks[1].content == "yes"


def test_the_copy_of_the_request_says_all_of_it() -> None:
    """The messages of the call before stand in it as they were copied then; the host's own may change."""
    said: list[Any] = [{"role": "user", "content": "hi"}]
    before = read_after(None, asked(MESSAGES, said))
    said.append({"role": "assistant", "content": "yes"})
    now = asked(MESSAGES, [dict(message) for message in said])
    after = read_after(before, now)
    sent: Any = now.copies["messages"]
    assert sent == said == after.said
    assert sent[0] is before.said[0]
    said[1]["content"] = "no"
    assert sent[1]["content"] == after.view.blocks[1].content == "yes"


def test_a_change_in_place_is_seen() -> None:
    said: list[Any] = [{"role": "user", "content": "hi"}]
    before = read_after(None, asked(MESSAGES, said))
    said[0]["content"] = "something else"
    said.append({"role": "assistant", "content": "yes"})
    after = read_after(before, asked(MESSAGES, said))
    assert [block.content for block in after.view.blocks] == ["something else", "yes"]


@pytest.mark.parametrize(("place", "read_anew"), [(0, True), (1, False), (2, True)])
def test_where_it_is_compared_as_it_is_sent_the_ends_are_enough(
    place: int, read_anew: bool
) -> None:
    def again(**more: object) -> Asked:
        now = asked(MESSAGES, [dict(message) for message in said], **more)
        now.compared_as_sent = True
        return now

    said: list[Any] = [{"role": "user", "content": text} for text in ("a", "b", "c")]
    before = read_after(None, again())
    said[place]["content"] = "something else"
    said.append({"role": "assistant", "content": "yes"})
    now = again()
    view = read_after(before, now).view
    assert (view.blocks[place].content == "something else") is read_anew
    assert len(view.blocks) == len(now.copies["messages"]) == 4  # type: ignore[arg-type]
    assert now.copies["messages"][1] is before.said[1] or read_anew  # type: ignore[index]
    del said[2:]
    assert [block.content for block in read_after(before, again()).view.blocks] == [
        message["content"] for message in said
    ]
    assert read_after(before, again(temperature=0.5)).view.request["temperature"] == 0.5


def test_rates_change_at_the_edge_of_a_long_prompt() -> None:
    rates = RatesBefore(PriceBook())
    sonnet = Asked(MESSAGES, "google", "google", "gemini-2.5-pro", "", None, {})
    found = [rates.of(sonnet, size, None) for size in (150_000, 199_999, 200_001, 150_000)]
    uncached = [one.uncached for one in found if isinstance(one, Rates)]
    assert uncached[0] == uncached[1] == uncached[3] < uncached[2]


class Counted:
    """A book that says how often it was asked, and something else each time."""

    version = "counted"

    def __init__(self) -> None:
        self.asked = 0

    def rates_for(self, call: object) -> Unpriced:
        self.asked += 1
        return Unpriced(str(self.asked))


def test_rates_are_known_again_until_the_minute_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prices of a time of day change on the minute."""
    book: Any = Counted()
    rates, sonnet = RatesBefore(book), asked(MESSAGES, [])
    second = 1_000_000_000
    found = []
    for at_s in (600, 659, 660, 661):
        monkeypatch.setattr(sizing, "now_ns", lambda at_s=at_s: at_s * second)
        found.append(rates.of(sonnet, 10, None))
    assert found[0] is found[1]
    assert found[1] is not found[2] is found[3]


def test_a_tool_that_is_changed_in_place_is_read_anew() -> None:
    tools: list[Any] = [{"name": "look", "description": "short"}]
    said = [{"role": "user", "content": "hi"}]
    before = read_after(None, asked(MESSAGES, said, tools=tools))
    again = asked(MESSAGES, said, tools=tools)
    assert read_after(before, again) is before
    assert again.copies["tools"] is before.copies["tools"] is not tools
    tools[0]["description"] = "much longer"
    now = asked(MESSAGES, said, tools=tools)
    after = read_after(before, now)
    assert after.view.blocks[0].content == now.copies["tools"][0] == tools[0]  # type: ignore[index]
    assert before.copies["tools"] == [{"name": "look", "description": "short"}]


def test_a_parameter_that_is_changed_in_place_is_read_anew() -> None:
    config = {"effort": "low"}
    said = [{"role": "user", "content": "hi"}]
    before = read_after(None, asked(MESSAGES, said, output_config=config))
    config["effort"] = "high"
    after = read_after(before, asked(MESSAGES, said, output_config=config))
    assert after.view.request["reasoning_effort"] == "high"


class Odd:
    """Compared with anything it raises, as some arrays do."""

    def __eq__(self, other: object) -> bool:
        raise ValueError("which of them?")

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize("place", ["messages", "metadata"])
def test_what_cannot_be_compared_is_read_whole(place: str) -> None:
    def again() -> Asked:
        said = [{"role": "user", "content": "hi"}]
        odd = {"role": "user", "content": "ho", "more": Odd()}
        more = {"metadata": Odd()} if place == "metadata" else {}
        return asked(MESSAGES, [*said, odd] if place == "messages" else said, **more)

    before = read_after(None, again())
    after = read_after(before, again())
    assert after is not before
    assert after.view.blocks == before.view.blocks


rates = st.decimals(min_value=0, max_value=1, places=15) | st.decimals(
    min_value=0, max_value=100, places=3
)
tokens = st.integers(min_value=0, max_value=2_000_000)


@given(uncached=rates, written=rates, output=rates, size=tokens, limit=tokens)
def test_whole_numbers_give_the_price_that_decimals_give(
    uncached: Decimal, written: Decimal, output: Decimal, size: int, limit: int
) -> None:
    body = {"messages": [], "max_tokens": limit, "model": "m"}
    book = Rates(uncached, output, cache_write={"30m": written})
    terms = terms_of(CHAT.read_request(body), "chat", book)
    dearest = max(uncached, written)
    exact = EXACT.add(EXACT.multiply(dearest, size), EXACT.multiply(output, limit))
    assert terms.input_rate == dearest
    assert terms.pico_usd(size) == pico(exact)


def test_terms_are_made_anew_where_the_rates_are_others() -> None:
    said = [{"role": "user", "content": "hi"}]
    before = read_after(None, asked(MESSAGES, said))
    before.terms = terms_of(before.view, "chat", Rates(Decimal(1), Decimal(2)))
    more = [*said, {"role": "assistant", "content": "yes"}]
    assert read_after(before, asked(MESSAGES, more)).terms is before.terms
    assert read_after(before, asked(MESSAGES, more, max_tokens=10)).terms is None
