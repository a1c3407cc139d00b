"""However a process ends and whatever the backend does: as without us, soon, and nothing lost in silence."""

import signal
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.exits.cells import ALL, KILLED, NO_END, QUICK, Cell, Outcome, run
from tests.exits.program import CALLS, WAYS

EXIT_S = 2.0
SLACK_S = 8.0
"""For a machine that is busy with other things; a hung backend unguarded takes 30 s and more."""

SENT = CALLS + 1
"""Spans of the calls inside the task, and its own."""

LOST_SPANS = frozenset({"hung", "refusing", "error_500", "error_503"})


Runs = dict[Cell, "Future[Outcome]"]


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest) -> Iterator[Runs]:
    """All cells that are going to be looked at, run two at a time."""
    ours = [item for item in request.session.items if "cell" in getattr(item, "fixturenames", ())]
    with ThreadPoolExecutor(2) as pool:
        cells = [item.callspec.params["cell"] for item in ours]  # type: ignore[attr-defined]
        yield {cell: pool.submit(run, cell) for cell in cells}


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param(
            cell,
            id=f"{cell.way}-{cell.state}",
            marks=() if cell in QUICK else pytest.mark.stage_exits,
        )
        for cell in ALL
    ],
)
def test_a_process_ends_as_it_would_and_says_what_was_lost(cell: Cell, runs: Runs) -> None:
    outcome = runs[cell].result()
    # A Python that crashes at this end (3.13.0 does, in a stream) does so without us too.
    assert outcome.code == cell.code or outcome.code == run(cell, touchdown=False).code
    assert outcome.seconds < EXIT_S + SLACK_S
    assert (outcome.twice, outcome.spans_twice) == (0, 0)
    if cell.way in KILLED:
        assert outcome.calls <= cell.calls
        return
    if cell.way == "daemon_thread":
        assert outcome.calls >= cell.calls
    else:
        assert outcome.calls == cell.calls
    assert outcome.closed_tasks == 1
    if cell.way not in NO_END and cell.state in LOST_SPANS:
        (line,) = [said for said in outcome.said if said.startswith("touchdown: lost")]
        assert line.startswith("touchdown: lost at the end: ")
        assert " spans (" in line
        assert "the last metrics (" in line
    else:
        assert outcome.said == ()
    if cell.way not in NO_END and cell.state not in LOST_SPANS:
        assert outcome.spans >= SENT


@pytest.mark.stage_exits
@pytest.mark.parametrize("way", WAYS)
def test_the_exit_codes_are_those_without_touchdown(way: str) -> None:
    cell = Cell("live", way)
    assert run(cell, touchdown=False).code in (cell.code, -signal.SIGSEGV)
