"""What users name things cannot drive the terminal nor break the columns."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from touchdown.report.text import cells, clean, cut, pad, wrap

ANY_TEXT = st.text(st.characters(), max_size=200)


@pytest.mark.parametrize(
    ("raw", "safe"),
    [
        ("plain name", "plain name"),
        ("\x1b[31mred\x1b[0m", "\ufffd[31mred\ufffd[0m"),
        ("\x1b]8;;http://x\x07link", "\ufffd]8;;http://x\ufffdlink"),
        ("two\nlines\tand\r\nmore", "two lines and more"),
        ("a\u202eb\u2066c\u200dd", "abcd"),
        ("half \ud800 pair", "half \ufffd pair"),
        ("z" + "\u0301" * 40, "z" + "\u0301" * 2),
        ("日本語", "日本語"),
        ("\x9b2J", "\ufffd2J"),
    ],
)
def test_control_characters_are_neutralised(raw: str, safe: str) -> None:
    assert clean(raw) == safe


@given(ANY_TEXT)
def test_clean_text_is_one_printable_encodable_line(raw: str) -> None:
    text = clean(raw)
    text.encode("utf-8")
    assert len(text.splitlines()) <= 1
    assert not {unicodedata.category(c) for c in text} & {"Cc", "Cf", "Cs", "Zl", "Zp"}


@given(ANY_TEXT, st.integers(1, 40))
def test_cut_and_padded_text_has_its_width(raw: str, width: int) -> None:
    text = clean(raw)
    assert cells(cut(text, width)) <= width
    assert cells(pad(text, width)) == width
    assert cells(pad(text, width, right=True)) == width


@given(ANY_TEXT, st.integers(2, 40), st.integers(1, 5))
def test_wrapped_lines_fit(raw: str, width: int, most: int) -> None:
    lines = wrap(clean(raw), width, most)
    assert len(lines) <= most
    assert all(cells(line) <= width for line in lines)


@given(ANY_TEXT, st.integers(2, 40))
def test_wrapping_loses_nothing_with_room_enough(raw: str, width: int) -> None:
    text = clean(raw)
    assert "".join(wrap(text, width, 1000)).replace(" ", "") == text.replace(" ", "")


def test_wide_characters_are_not_split() -> None:
    assert cut("日本語の名前", 6) == "日本…"
    assert pad("日本語の名前", 6) == "日本… "
