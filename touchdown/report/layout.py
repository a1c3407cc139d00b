"""Lines of styled text: what the receipt is made of before it becomes plain text, rich or HTML."""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from touchdown.report.text import cells, cut, pad, wrap

WIDTH = 80
INDENT = "  "
GAP = "  "

NARROWEST_NAME = 14

Style = Literal["plain", "strong", "faint", "work", "tax", "unexplained", "good", "bad"]


class Span(Struct, frozen=True):
    """A piece of a line in one style. The text is clean: no control characters."""

    text: str
    style: Style = "plain"


Line = tuple[Span, ...]
EMPTY: Line = ()


def line(text: str, style: Style = "plain") -> Line:
    """A line in one style."""
    return (Span(text, style),)


def section(title: str, body: Sequence[Line]) -> list[Line]:
    """An empty line, the title and its body; nothing when the body is empty."""
    return [EMPTY, line(title, "strong"), *body] if body else []


def two_ends(left: Span, right: Span, width: int) -> Line:
    """One line with text at both ends; the left one gives way."""
    room = max(0, width - cells(right.text) - len(GAP))
    return (Span(pad(left.text, room) + GAP, left.style), right)


def paragraph(
    text: str, width: int, style: Style = "plain", most: int = 4, indent: str = INDENT
) -> list[Line]:
    """Wrapped text, at most ``most`` lines, every line indented."""
    return [line(indent + part, style) for part in wrap(text, width - len(indent), most)]


def labelled(
    label: str, text: str, width: int, style: Style = "plain", most: int = 3
) -> list[Line]:
    """A faint label and wrapped text that hangs behind it."""
    hang = " " * (len(INDENT) + cells(label) + 1)
    first, *rest = wrap(text, width - len(hang), most) or [""]
    return [
        (Span(f"{INDENT}{label} ", "faint"), Span(first, style)),
        *(line(hang + part, style) for part in rest),
    ]


def table(head: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[Line]:
    """An empty line, the title among the column heads, then a row each; nothing without rows.

    ``head`` is the title and the heads. Names are cut to fit, figures are right-aligned.
    """
    if not rows:
        return []
    widths = [max(map(cells, column)) for column in zip(head, *rows, strict=True)]
    figures = sum(widths[1:]) + len(GAP) * len(widths[1:])
    widths[0] = min(widths[0], max(NARROWEST_NAME, width - len(INDENT) - figures))
    title = Span(pad(head[0], len(INDENT) + widths[0]), "strong")
    return [
        EMPTY,
        (title, Span(_figures(head, widths), "faint")),
        *(line(INDENT + pad(row[0], widths[0]) + _figures(row, widths)) for row in rows),
    ]


def _figures(row: Sequence[str], widths: Sequence[int]) -> str:
    padded = (pad(text, size, right=True) for text, size in zip(row[1:], widths[1:], strict=True))
    return "".join(GAP + text for text in padded)


def crop(content: Line, width: int) -> Line:
    """The line in at most ``width`` cells: the last guard, for figures wider than any table foresees."""
    kept: list[Span] = []
    for span in content:
        kept.append(Span(cut(span.text, width), span.style))
        width -= cells(kept[-1].text)
    return tuple(span for span in kept if span.text)
