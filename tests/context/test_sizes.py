"""Sizes: about how many tokens some content is. ``tests/tokenizers`` holds them to real tokenizers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from touchdown.context.blocks import Block
from touchdown.context.sizes import MEDIA_TOKENS, SAMPLE_BYTES, estimate_tokens
from touchdown.context.tracker import make_segment

CODE = "def total(items):\n    return sum(item.price for item in items)\n"

json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("a", 1), ("hello world", 2), (CODE, 15), ("日本語" * 10, 30), ("\udcff", 2)],
)
def test_of_text(text: str, tokens: int) -> None:
    assert abs(estimate_tokens(text) - tokens) <= tokens * 0.6


@given(json_like)
def test_nothing_json_like_is_refused(content: object) -> None:
    assert estimate_tokens(content) >= 0


def test_a_long_text_is_as_much_as_its_parts() -> None:
    times = SAMPLE_BYTES // len(CODE) * 5

    assert estimate_tokens(CODE * times) == pytest.approx(estimate_tokens(CODE) * times, rel=0.1)


def test_of_a_block_what_a_model_is_shown() -> None:
    plain = estimate_tokens(CODE)
    shown = {"type": "tool_result", "tool_use_id": "toolu_01A09q90qw90lq917835", "content": CODE}
    sealed = {"type": "thinking", "thinking": CODE, "signature": "EqoBCkgIARABGAIiQ" * 40}

    assert estimate_tokens(shown) == estimate_tokens(sealed) == plain
    assert estimate_tokens({"type": "redacted_thinking", "data": "EqoBCkgI" * 40}) > 50


def test_media_are_a_fixed_size() -> None:
    image = {"type": "image", "source": {"type": "base64", "data": "A" * 40_000}}

    assert estimate_tokens([image, image]) == pytest.approx(2 * MEDIA_TOKENS, rel=0.02)


def test_a_segment_is_sized_when_it_is_made() -> None:
    schema = {"name": "look", "description": "Look at a file.", "input_schema": {"type": "object"}}
    tool = make_segment(Block("tools", schema), b"")
    said = make_segment(Block("user", schema), b"")

    assert said.tokens > 4
    assert tool.tokens > said.tokens  # a tool definition is shown with its whole structure
