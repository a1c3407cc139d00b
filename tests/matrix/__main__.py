"""Prints the fault matrix: ``python -m tests.matrix``."""

import sys

from tests.matrix.cells import judge, table
from tests.matrix.test_matrix import ALONE, CALLS, PAIRS

found = []
for done, cell in enumerate([*ALONE, *PAIRS], 1):
    found.append(judge(cell, CALLS))
    print(f"\r{done} of {len(ALONE) + len(PAIRS)}", end="", file=sys.stderr)
print(table(found))
wrong = sum(bool(one.problems) for one in found)
print(f"\n{len(found)} sessions of {CALLS} calls, {len(found) - wrong} right, {wrong} wrong")
sys.exit(wrong > 0)
