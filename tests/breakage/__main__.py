"""Prints the breakage matrix: ``python -m tests.breakage``."""

import logging
import sys
import threading

from tests.breakage.cells import Cell, desk, judge, table
from tests.breakage.shapes import SHAPES
from tests.breakage.stages import STAGES

logger = logging.getLogger("touchdown")
logger.addHandler(logging.NullHandler())
logger.propagate = False
logging.getLogger("opentelemetry").setLevel(logging.CRITICAL + 1)
threading.excepthook = lambda _args: None  # what is raised on purpose in the host's own threads
found: list[Cell] = []
with desk() as at:
    for number, stage in enumerate(STAGES, 1):
        for kind in stage.kinds:
            found += judge(stage, kind, SHAPES, at)
        print(f"\r{number} of {len(STAGES)} stages", end="", file=sys.stderr)
print(f"\n{table(found)}")
wrong = sum(bool(cell.problems) for cell in found)
unmet = {
    (str(cell.stage), cell.kind): sum(
        c.met for c in found if c.stage is cell.stage and c.kind == cell.kind
    )
    for cell in found
}
never = [f"{stage} {kind}" for (stage, kind), met in unmet.items() if not met]
print(f"\n{len(found):,} cells, {len(found) - wrong:,} unchanged, {wrong:,} changed")
if never:
    print(f"never met: {', '.join(never)}")
sys.exit(bool(wrong or never))
