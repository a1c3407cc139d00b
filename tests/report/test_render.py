"""The same receipt on a terminal, in a notebook, and where neither is."""

import io
import re
from html.parser import HTMLParser

import pytest
from rich.console import Console

from tests.report.accounts import LONG, named
from touchdown.report import Receipt, show

COLOUR = re.compile(r"\x1b\[[\d;]*3[0-7][\d;]*m")


class Terminal(io.StringIO):
    """A text stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Text(HTMLParser):
    """Collects the text and the tags of an HTML fragment."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.tags: set[str] = set()
        self.feed(html)

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)


@pytest.fixture(autouse=True)
def _a_plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "COLUMNS", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def test_a_terminal_gets_colour_and_the_same_text() -> None:
    out = Terminal()
    show(Receipt(LONG), out)
    shown = out.getvalue()
    assert COLOUR.search(shown)
    uncoloured = re.sub(r"\x1b\[[\d;]*m", "", shown)
    assert [line.rstrip() for line in uncoloured.splitlines()] == str(Receipt(LONG)).splitlines()


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    out = Terminal()
    show(Receipt(LONG), out)
    assert not COLOUR.search(out.getvalue())


def test_a_file_gets_plain_text() -> None:
    out = io.StringIO()
    show(Receipt(LONG), out)
    assert out.getvalue() == f"{Receipt(LONG)}\n"
    assert "\x1b" not in out.getvalue()


@pytest.mark.parametrize("width", [20, 60, 72, 200])
def test_it_fits_the_console(width: int) -> None:
    out = io.StringIO()
    Console(file=out, width=width).print(Receipt(LONG))
    assert max(map(len, out.getvalue().splitlines())) <= min(width, 80)


def test_markup_in_a_name_stays_text() -> None:
    out = io.StringIO()
    Console(file=out, width=80).print(Receipt(named("[bold red]x[/bold red]")))
    assert "[bold red]x[/bold red]" in out.getvalue()


def test_a_console_with_few_characters_can_print_it(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    monkeypatch.setattr("sys.stdout", narrow)
    text = str(Receipt(named("日本語")))
    text.encode("cp1252")
    assert "#" in text
    assert all(len(line) <= 80 for line in text.splitlines())


def test_no_standard_output_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", None)
    assert "fix issue 4121" in str(Receipt(LONG))


def test_html_is_escaped_and_stands_alone() -> None:
    name = '<script>alert("x")</script><img src=x onerror=y>'
    html = Receipt(named(name))._repr_html_()
    page = Text(html)
    assert page.tags == {"pre", "span"}
    assert '<script>alert("x")' in page.text
    assert not re.search(r"https?:|url\(|<link|class=", html)


def test_html_says_what_the_plain_text_says() -> None:
    text = Text(Receipt(LONG)._repr_html_()).text
    assert [line.rstrip() for line in text.splitlines()] == str(Receipt(LONG)).splitlines()
