"""The exit matrix: ``python -m tests.exits``. Units: seconds from a program's own end to its process's."""

from concurrent.futures import ThreadPoolExecutor

from tests.exits.cells import ALL, STATES, Cell, Outcome, run
from tests.exits.program import WAYS

ROW = "{:<16}" + "{:>16}" * len(STATES) + "{:>10}"


def main() -> None:
    """Run every cell, and every way once without touchdown; print seconds, and calls kept of calls made."""
    with ThreadPoolExecutor(2) as pool:
        bare = dict(
            zip(
                WAYS,
                pool.map(lambda way: run(Cell("live", way), touchdown=False), WAYS),
                strict=True,
            )
        )
        seen = dict(zip(ALL, pool.map(run, ALL), strict=True))
    print("seconds from the program's end to the process's; calls in the journal of calls made\n")
    print(ROW.format("", *STATES, "without"))
    for way in WAYS:
        cells = [Cell(state, way) for state in STATES]
        print(ROW.format(way, *(_shown(cell, seen[cell]) for cell in cells), _seconds(bare[way])))
    print("\nsaid at the end:")
    for line in sorted({line for outcome in seen.values() for line in outcome.said}):
        print(" ", line)


def _shown(cell: Cell, outcome: Outcome) -> str:
    return f"{_seconds(outcome)}  {outcome.calls}/{cell.calls}"


def _seconds(outcome: Outcome) -> str:
    return f"{outcome.seconds:.2f} s"


if __name__ == "__main__":
    main()
