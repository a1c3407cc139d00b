"""What processes of multiprocessing, started anew, show of content: what their parent does, or nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.exits.cells import REPOSITORY, clean_environment
from touchdown.live.handed import content_told, keep_options, options_at
from touchdown.runtime.content import ContentOptions
from touchdown.testing import Provider, Reply

VARIABLE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"

PROGRAM = """
import multiprocessing
import openai
import touchdown

def hide(text):
    return text.replace("canary", "[hidden]")

def call():
    asked = [{"role": "user", "content": "the canary sings"}]
    openai.OpenAI().chat.completions.create(model="gpt-5.4", messages=asked)
    touchdown.flush()

if __name__ == "__main__":
    touchdown.instrument(%s)
    with touchdown.task("goal"):
        child = multiprocessing.get_context("spawn").Process(target=call)
        child.start()
        child.join()
"""


@pytest.mark.parametrize(
    ("options", "by_variable", "shown"),
    [
        ("capture_content=True", "", "the canary sings"),
        ("capture_content=True, content_limit=110, redact=hide", "", "the [hidden] sings"),
        ("redact=hide", "SPAN_ONLY", "the [hidden] sings"),
        ("redact=lambda text: hide(text)", "SPAN_ONLY", ""),
        ("capture_content=False", "SPAN_ONLY", ""),
        ("", "", ""),
    ],
)
def test_a_child_shows_what_its_parent_would(
    options: str, by_variable: str, shown: str, tmp_path: Path
) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM % options)
    with Provider(lambda _request: Reply("ok")) as provider:
        done = subprocess.run(
            [sys.executable, str(program)],
            env={
                **clean_environment(),
                **provider.env(),
                "PYTHONPATH": str(REPOSITORY),
                "OTEL_TRACES_EXPORTER": "console",
                VARIABLE: by_variable,
            },
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
        )
    assert '"name": "chat gpt-5.4"' in done.stdout
    assert ("gen_ai.input.messages" in done.stdout) == bool(shown)
    assert shown in done.stdout
    assert "canary" in shown or "canary" not in done.stdout
    assert ("redact cannot be pickled" in done.stderr) == ("lambda" in options)


class Vanishing:
    """Redacts, and cannot be read again."""

    def __call__(self, text: str) -> str:
        return text

    def __reduce__(self) -> tuple[object, ...]:
        return int, ("no number",)


def test_where_redact_cannot_be_taken_over_no_content_is_shown(tmp_path: Path) -> None:
    told = content_told(ContentOptions("SPAN_ONLY", Vanishing()))
    keep_options(tmp_path, "some", {"journal": Path("here"), **told})
    found = options_at(tmp_path, "some")
    assert (found["capture_content"], found["redact"], found["journal"]) == (False, None, "here")


def test_what_was_handed_is_the_same_there(tmp_path: Path) -> None:
    keep_options(tmp_path, "some", content_told(ContentOptions("EVENT_ONLY", os.fspath, 7)))
    found = options_at(tmp_path, "some")
    assert found == {"capture_content": "EVENT_ONLY", "redact": os.fspath, "content_limit": 7}


def test_of_a_parent_that_is_gone_no_content_is_known_to_be_wanted(tmp_path: Path) -> None:
    assert options_at(tmp_path, "none") == {"capture_content": False}
