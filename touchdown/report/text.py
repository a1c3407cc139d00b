"""Text from users made safe to print, measured in terminal cells, cut and wrapped."""

import unicodedata
from collections.abc import Iterator

ELLIPSIS = "…"
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

MOST_MARKS = 2


def clean(text: str) -> str:
    """The text on one line, without control characters, terminal escapes or direction overrides.

    A control character becomes ``REPLACEMENT`` (what it escaped stays readable), white space one space.
    """
    if text.isascii() and text.isprintable():
        return text
    return " ".join("".join(_safe_characters(text)).split())


def _safe_characters(text: str) -> Iterator[str]:
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if character.isspace():
            yield " "
        elif category in ("Cc", "Cs", "Co", "Cn"):
            yield REPLACEMENT
        # Format characters reorder or hide text, selectors change a width, stacked marks leave the line.
        elif category != "Cf" and not "\ufe00" <= character <= "\ufe0f" and marks <= MOST_MARKS:
            yield character


def cells(text: str) -> int:
    """How many terminal cells a cleaned text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def cut(text: str, width: int) -> str:
    """The text in at most ``width`` cells, an ellipsis where something was left out."""
    if cells(text) <= width:
        return text
    return _head(text, width - 1).rstrip() + ELLIPSIS if width > 0 else ""


def pad(text: str, width: int, right: bool = False) -> str:
    """The text in exactly ``width`` cells, cut or filled with spaces; ``right`` aligns it there."""
    text = cut(text, width)
    fill = " " * (width - cells(text))
    return fill + text if right else text + fill


def wrap(text: str, width: int, most: int) -> list[str]:
    """The words of the text on lines of at most ``width`` cells, ``most`` lines; the rest is cut."""
    lines: list[str] = []
    words = text.split()
    while words:
        if len(lines) == most - 1:
            return [*lines, cut(" ".join(words), width)]
        line = words.pop(0)
        while words and cells(line) + 1 + cells(words[0]) <= width:
            line += " " + words.pop(0)
        if cells(line) > width:
            words.insert(0, line[len(_head(line, width)) :])
            line = _head(line, width)
        lines.append(line)
    return lines


def _head(text: str, width: int) -> str:
    taken = 0
    for i, character in enumerate(text):
        taken += cells(character)
        if taken > width:
            return text[:i]
    return text
