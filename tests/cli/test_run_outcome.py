"""What a run came to, from the files that its processes left behind."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from touchdown.cli.running.outcome import how_it_ended, settle_run
from touchdown.live.journal import Journal
from touchdown.live.run_folder import Run, RunFolder
from touchdown.records import TaskRecord, ToolCall

RUN = Run("task-1", "agent", 1, b"key".hex())


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    made = RunFolder(tmp_path)
    made.write(RUN, ["openai"])
    return made


def test_a_torn_journal_costs_its_rest_and_this_is_said(folder: RunFolder) -> None:
    for number in (1, 2):
        journal = Journal(folder.new_journal())
        journal.write(ToolCall(f"tool-{number}", "task-1", "task-1", "search", 2, "decorator", 3))
        journal.close()
    torn = folder.journals()[0]
    torn.write_bytes(torn.read_bytes() + b'{"kind":"Tool{"kind":"ToolCall"}\n')
    outcome = settle_run(folder, RUN, ["agent"], 0)
    assert outcome.account.tool_calls == 2
    assert outcome.saw_something
    assert [f"{torn.name}:3" in remark for remark in outcome.remarks] == [False, True]


def test_the_outcome_that_the_program_gave_is_kept(folder: RunFolder) -> None:
    given = replace(RUN.task, outcome="useful", outcome_reason="tests pass")
    journal = Journal(folder.new_journal())
    journal.write(given)
    journal.write(TaskRecord("task-2", "inner", 2, 5, parent_id="task-1"))
    journal.close()
    outcome = settle_run(folder, RUN, ["agent"], -9)
    task = outcome.account.task
    assert (task.outcome, task.outcome_reason, task.error_type) == (
        "useful",
        "tests pass",
        "SIGKILL",
    )
    assert not outcome.account.open
    assert [one.task.name for one in outcome.inside] == ["inner"]


def test_equal_failures_are_told_once(folder: RunFolder) -> None:
    line = "failed\t/opt/python\tno module\n"
    (folder.path / "notes").write_text(f"entered\t/opt/python\t\n{line * 3}")
    outcome = settle_run(folder, RUN, ["agent"], 0)
    assert outcome.remarks == ("/opt/python: no module, in 3 processes",)
    assert not outcome.saw_something


def test_a_run_that_is_over_is_not_joined(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOUCHDOWN_RUN", str(folder.path))
    assert RunFolder.current() == folder
    assert folder.read() == RUN
    (folder.path / "run.json").unlink()
    assert (RunFolder.current(), folder.read()) == (None, None)


@pytest.mark.parametrize(
    ("code", "words"), [(3, "exit code 3"), (-15, "SIGTERM"), (-99, "signal 99")]
)
def test_an_end_in_words(code: int, words: str) -> None:
    assert how_it_ended(code) == words
