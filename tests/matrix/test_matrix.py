"""The fault matrix: every cause, three APIs, early, in the middle and late, alone and two at once."""

from itertools import combinations, product

import pytest

from tests.matrix.cells import Cell, judge
from tests.matrix.faults import CHANGES, FAULTS, LOST
from tests.matrix.talk import APIS

PLACES = {"early": 2, "middle": 14, "late": 28}
CALLS = 30
"""Of a whole session, which ``python -m tests.matrix`` has; here it ends soon behind the fault."""

ALONE = [
    Cell(api, (fault,), place, number)
    for api in APIS
    for fault in FAULTS
    for place, number in PLACES.items()
    if api in fault.apis
]
TOGETHER = [*combinations(CHANGES, 2), *product(LOST, CHANGES)]
PAIRS = [
    Cell(api, pair, place, number)
    for api in APIS
    for pair in TOGETHER
    for place, number in PLACES.items()
    if all(api in fault.apis for fault in pair)
]
SOME = [*ALONE, *(cell for index, cell in enumerate(PAIRS) if index % 4 == 0)]


@pytest.mark.parametrize("cell", SOME, ids=str)
def test_a_fault_is_named_placed_and_priced(cell: Cell) -> None:
    assert judge(cell, min(cell.number + 3, CALLS)).problems == []
