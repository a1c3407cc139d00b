"""Every part broken on purpose, in every shape of a call: what the user gets is what they get without us."""

from collections.abc import Iterator

import pytest

from tests.breakage.cells import Cell, desk, judge, table
from tests.breakage.faults import Kind
from tests.breakage.shapes import SHAPES, Desk
from tests.breakage.stages import STAGES, Stage

FEW = (
    "chat.completions: stream",
    "chat.completions: refused",
    "responses: async stream",
    "messages: create",
    "tool",
    "tool left by Ctrl-C",
    "task that fails",
)
"""Shapes of the quick run; ``-m stage_breakage`` has them all."""

ALL = [(stage, kind) for stage in STAGES for kind in stage.kinds]


@pytest.fixture(scope="module")
def at() -> Iterator[Desk]:
    with desk() as made:
        yield made


def check(cells: list[Cell]) -> None:
    assert not any(cell.problems for cell in cells), table(cells)
    assert any(cell.met for cell in cells), f"{cells[0]}: never met"


@pytest.mark.parametrize(
    ("stage", "kind"), [(stage, kind) for stage, kind in ALL if kind == "raises"], ids=str
)
def test_a_part_that_raises_changes_nothing_for_the_user(
    stage: Stage, kind: Kind, at: Desk
) -> None:
    check(judge(stage, kind, [shape for shape in SHAPES if shape.name in FEW], at))


@pytest.mark.stage_breakage
@pytest.mark.parametrize(("stage", "kind"), ALL, ids=str)
def test_every_fault_in_every_shape(stage: Stage, kind: Kind, at: Desk) -> None:
    check(judge(stage, kind, SHAPES, at))
