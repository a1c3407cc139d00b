"""The short way through a stream's chunks: it tells what looking at each of them whole tells."""

from typing import Any

import pytest
from anthropic.types import RawContentBlockDeltaEvent, RawMessageDeltaEvent
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionChunk

from touchdown.clients import pieces
from touchdown.clients.anthropic.stream import MessageStreamReader
from touchdown.clients.fields import KEEP_TEXT_CHARS
from touchdown.clients.openai.chat import ChatStream

words = st.sampled_from(["", "a", "word ", "and more of them "])
extras = st.fixed_dictionaries({}, optional={"reasoning_content": words})
calls = st.builds(
    lambda text: [{"index": 0, "id": "c", "function": {"name": "f", "arguments": text}}], words
)
deltas = st.builds(
    lambda content, extra, tools: {"content": content, "tool_calls": tools, **extra},
    st.none() | words,
    extras,
    st.none() | calls,
)
choices = st.builds(
    lambda delta, index, why: {"index": index, "delta": delta, "finish_reason": why},
    deltas,
    st.integers(0, 1),
    st.none() | st.just("stop"),
)
usages = st.none() | st.just({"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3})
chunks = st.builds(
    lambda chosen, usage: ChatCompletionChunk.construct(
        id="x", model="m", choices=chosen, usage=usage
    ),
    st.lists(choices, max_size=2),
    usages,
)
pieces_of_anthropic = st.builds(
    lambda kind, name, text: RawContentBlockDeltaEvent.construct(
        type="content_block_delta", index=0, delta={"type": kind, name: text}
    ),
    st.sampled_from(["text_delta", "thinking_delta", "input_json_delta", "compaction_delta"]),
    st.sampled_from(["text", "thinking", "partial_json", "content"]),
    words,
)
ends = st.builds(
    lambda why: RawMessageDeltaEvent.construct(
        type="message_delta", delta={"stop_reason": why}, usage={"output_tokens": 2}
    ),
    st.sampled_from(["end_turn", "max_tokens"]),
)
others = st.sampled_from([None, 1, "text", object(), {"type": "message_stop"}, {"choices": []}])


def told(stream: Any, events: list[Any], look: Any) -> tuple[Any, list[bool]]:
    had = []
    for event in events:
        look(event)
        had.append(stream.has_content())
    answer = stream.answer()
    return (answer.output, answer.usage, answer.finish_reasons, "".join(answer.text)), had


@given(st.lists(chunks | others, max_size=30))
def test_chat(events: list[Any]) -> None:
    whole, quick = ChatStream(), ChatStream()
    assert told(whole, events, whole.chunk) == told(quick, events, quick.looking())


@given(st.lists(pieces_of_anthropic | ends | others, max_size=30))
def test_messages(events: list[Any]) -> None:
    whole, quick = MessageStreamReader(), MessageStreamReader()
    assert told(whole, events, whole.chunk) == told(quick, events, quick.looking())


@pytest.mark.parametrize("count", [1, pieces.MOST_PIECES, 3 * pieces.MOST_PIECES, 30_000])
def test_many_pieces_are_counted_and_only_a_short_text_is_kept(count: int) -> None:
    stream = MessageStreamReader()
    look = stream.looking()
    event = RawContentBlockDeltaEvent.construct(
        type="content_block_delta", index=0, delta={"type": "text_delta", "text": "word"}
    )
    for _ in range(count):
        look(event)
    answer = stream.answer()
    assert answer.output.text_chars == 4 * count
    assert len("".join(answer.text)) == (4 * count if 4 * count <= KEEP_TEXT_CHARS else 0)
    assert len(stream.pieces.new) <= pieces.MOST_PIECES


def test_chunks_that_are_looked_at_whole_are_not_kept_either() -> None:
    """A server that adds a field of its own to each piece."""
    stream = ChatStream()
    look = stream.looking()
    delta = {"content": "word", "of_the_server": 1}
    choice = {"index": 0, "delta": delta, "finish_reason": None}
    event = ChatCompletionChunk.construct(id="x", model="m", choices=[choice], usage=None)
    for _ in range(30_000):
        look(event)
    assert stream.answer().output.text_chars == 4 * 30_000
    assert len(stream.pieces.new) <= pieces.MOST_PIECES
    assert stream.answer().text == ()


def test_content_that_is_no_text_is_passed_over() -> None:
    stream = ChatStream()
    look = stream.looking()
    for content in ("word", [{"type": "text", "text": "a part"}], "word"):
        choice = {"index": 0, "delta": {"content": content}, "finish_reason": None}
        look(ChatCompletionChunk.construct(id="x", model="m", choices=[choice], usage=None))
    stream.pieces.count()
    assert stream.answer().output.text_chars == 8
