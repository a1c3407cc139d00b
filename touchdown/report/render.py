"""Lines as plain text, for a rich console, and as HTML."""

import html
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol, TextIO

from touchdown.report.layout import WIDTH, Line, Span, Style

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.text import Text

NARROWEST = 60

ASCII_FALLBACK = str.maketrans(
    {"─": "-", "│": "|", "├": "|", "└": "`", "…": ".", "·": "-"} | dict.fromkeys("█▉▊▋▌▍▎▏", "#")
)

RICH_STYLES: dict[Style, str] = {
    "plain": "",
    "strong": "bold",
    "faint": "dim",
    "work": "green",
    "tax": "yellow",
    "unexplained": "magenta",
    "good": "green",
    "bad": "red",
}

# Readable on the light and on the dark theme of a notebook.
CSS: dict[Style, str] = {
    "plain": "",
    "strong": "font-weight:600",
    "faint": "opacity:.65",
    "work": "color:#2e8b57",
    "tax": "color:#c47f17",
    "unexplained": "color:#9a5fb5",
    "good": "color:#2e8b57",
    "bad": "color:#c0392b",
}

PRE = (
    "font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;"
    "font-size:13px;line-height:1.3;white-space:pre;margin:0;overflow-x:auto"
)

Lines = Callable[[int], Sequence[Line]]
"""Lays the content out for a width in cells."""


class View(Protocol):
    """Something to look at: a receipt or a summary."""

    def __str__(self) -> str: ...

    def __rich__(self) -> "Statement": ...


class Statement:
    """Lines as a rich renderable: as wide as the console, up to 80 cells."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "Iterable[Text]":
        """Styled lines; the console decides on colour (none off a terminal or under ``NO_COLOR``)."""
        from rich.text import Text

        width = max(NARROWEST, min(WIDTH, options.max_width))
        ascii_only = options.ascii_only
        for content in self._lines(width):
            text = Text(no_wrap=True, overflow="crop", end="\n")
            for span in content:
                shown = span.text.translate(ASCII_FALLBACK) if ascii_only else span.text
                text.append(shown, RICH_STYLES[span.style])
            yield text


def plain(lines: Iterable[Line]) -> str:
    """The lines as text without colour, in characters that standard output can take."""
    text = "\n".join("".join(span.text for span in content).rstrip() for content in lines)
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        # print(receipt) must not raise on a console that knows fewer characters.
        text = text.translate(ASCII_FALLBACK).encode("ascii", "replace").decode("ascii")
    return text


def as_html(lines: Iterable[Line]) -> str:
    """The lines as one self-contained HTML element; every text is escaped."""
    body = "\n".join("".join(map(_html_span, content)) for content in lines)
    return f'<pre style="{PRE}">{body}</pre>'


def _html_span(span: Span) -> str:
    text = html.escape(span.text)
    css = CSS[span.style]
    return f'<span style="{css}">{text}</span>' if css else text


def show(view: View, file: TextIO | None = None) -> None:
    """Print a receipt or summary: in colour on a terminal that wants it, as plain text elsewhere."""
    out = file or sys.stdout
    if not out.isatty():
        out.write(f"{view}\n")
        return
    from rich.console import Console

    Console(file=out, highlight=False).print(view)
