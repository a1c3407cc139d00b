"""Every Python block of README.md and docs/ runs, in a fresh process, without a key and without a network."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.snippets import Snippet, read_snippets

REPOSITORY = Path(__file__).parents[2]
PAGES = [
    path
    for path in (REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md")))
    if path.exists()
]
SNIPPETS = [snippet for page in PAGES for snippet in read_snippets(page)]
FOREIGN = ("TOUCHDOWN_", "OTEL_", "OPENAI_", "ANTHROPIC_")


@pytest.mark.parametrize("snippet", SNIPPETS, ids=str)
def test_snippet_runs(snippet: Snippet, tmp_path: Path) -> None:
    compile(snippet.code, str(snippet), "exec")
    if snippet.not_run:
        return
    script = tmp_path / "snippet.py"
    script.write_text(snippet.code, encoding="utf-8")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env=clean | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{snippet}\n{done.stdout}\n{done.stderr}"


def test_blocks_are_found_with_their_lines_and_reasons(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A\n\n```python\nx = 1\n```\n\n```sh\nls\n```\n\n"
        "<!-- not run: needs an agent -->\n```python\nagent()\n```\n\n```python\n>>> 1\n1\n\n```\n"
    )
    first, second = read_snippets(page)
    assert (first.line, first.code, first.not_run) == (4, "x = 1\n", None)
    assert (second.line, second.code, second.not_run) == (13, "agent()\n", "needs an agent")
