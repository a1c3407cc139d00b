"""The agent's tools: real ones, on real files and processes."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import touchdown
from touchdown.cli.coding_agent.repository import run_suite

Tool = Callable[..., str]


def schema(name: str, description: str, *fields: str) -> dict[str, Any]:
    """One tool definition in Anthropic's form."""
    properties = {field: {"type": "string"} for field in fields}
    return {
        "name": name,
        "description": description,
        "input_schema": {"type": "object", "properties": properties, "required": list(fields)},
    }


SCHEMAS = [
    schema("list_files", "List the files of the repository."),
    schema("read_file", "Read one file; the path is relative to the repository's root.", "path"),
    schema("run_tests", "Run the test suite and hand back its whole output."),
    schema("edit_file", "Replace one piece of text in a file.", "path", "old", "new"),
]
REVIEW = schema("ask_review", "Let the reviewer look at a change.", "diff")


def make_tools(root: Path, review: Callable[[str], str]) -> dict[str, Tool]:
    """The tools by name, bound to one repository."""

    @touchdown.tool(read_only=True)
    def list_files() -> str:
        files = (path for path in root.rglob("*.py") if path.is_file())
        return "\n".join(sorted(str(path.relative_to(root)) for path in files))

    @touchdown.tool(read_only=True)
    def read_file(path: str) -> str:
        if not (root / path).is_file():
            raise FileNotFoundError(f"there is no file {path}")
        return (root / path).read_text(encoding="utf-8")

    @touchdown.tool
    def run_tests() -> str:
        ran = run_suite(root)
        output = f"exit code {ran.returncode}\n{ran.stderr}{ran.stdout}"
        # Paths as the model knows them; where the repository lies must not change the bill.
        return output.replace(f"{root.resolve()}{os.sep}", "")

    @touchdown.tool
    def edit_file(path: str, old: str, new: str) -> str:
        text = (root / path).read_text(encoding="utf-8")
        if text.count(old) != 1:
            raise ValueError(f"{path} holds that text {text.count(old)} times, not once")
        (root / path).write_text(text.replace(old, new), encoding="utf-8")
        return f"changed {path}"

    @touchdown.tool
    def ask_review(diff: str) -> str:
        return review(diff)

    made = (list_files, read_file, run_tests, edit_file, ask_review)
    return {tool.__name__: tool for tool in made}
