"""The Python code blocks of a Markdown page."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^\n]+?) -->\n+)?^```python\n(?P<code>.*?)^```", re.M | re.S
)


@dataclass(frozen=True)
class Snippet:
    """One code block. ``not_run`` is the page's own reason why it cannot run by itself."""

    page: str
    line: int
    code: str
    not_run: str | None

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def read_snippets(page: Path) -> Iterator[Snippet]:
    """Every block marked ``python``; those with ``>>>`` are left to pytest's doctest."""
    text = page.read_text(encoding="utf-8")
    for match in _BLOCK.finditer(text):
        code = match["code"]
        if ">>> " not in code:
            line = text.count("\n", 0, match.start("code")) + 1
            yield Snippet(page.name, line, code, match["reason"])
