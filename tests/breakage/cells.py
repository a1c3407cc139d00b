"""One cell: what the user gets with a part broken, against what they get without us."""

import gc
import re
import threading
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import touchdown
from tests.breakage.faults import Fault, Kind
from tests.breakage.shapes import Desk, Shape, reply
from tests.breakage.stages import Stage, broken
from tests.clients.apis import plain
from touchdown.runtime import core
from touchdown.runtime.guard import forget_warnings
from touchdown.runtime.place import current_place
from touchdown.telemetry import quiet
from touchdown.testing import Provider, capture

OURS = re.compile(r"/touchdown/|/wrapt/")


@dataclass(frozen=True)
class Outcome:
    """What reached the user: an answer, or an exception with its causes and the end of its traceback."""

    answer: str = ""
    error: tuple[str, ...] = ()
    frames: tuple[str, ...] = ()

    @property
    def told(self) -> str:
        """It in a few words."""
        if not self.error:
            return f"{self.answer[:60]!r}"
        return f"{self.error[0][:60]!r} from {' '.join(self.frames[-3:])}"


def outcome_of(shape: Shape, desk: Desk) -> Outcome:
    """Do it and look."""
    try:
        return Outcome(_alike(plain(shape.run(desk))))
    except BaseException as error:
        return Outcome(error=tuple(_chain(error)), frames=tuple(_frames(error)))


def _chain(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield f"{type(error).__module__}.{type(error).__qualname__}: {_alike(str(error))}"
        error = error.__cause__


def _frames(error: BaseException) -> Iterator[str]:
    """The functions of the traceback, ours left out."""
    for frame in traceback.extract_tb(error.__traceback__):
        if not OURS.search(frame.filename):
            yield f"{Path(frame.filename).name}:{frame.name}:{frame.lineno}"


def _alike(text: str) -> str:
    return re.sub(r"0x[0-9a-f]+|\d{4,}", "n", text)


@dataclass
class Cell:
    """One stage, one fault, one shape."""

    stage: Stage
    kind: Kind
    shape: Shape
    met: int = 0
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.stage} {self.kind}, {self.shape}"


@contextmanager
def desk() -> Iterator[Desk]:
    """A provider and clients, before anything is patched and after."""
    with Provider(reply) as provider:
        made = Desk(provider)
        try:
            yield made
        finally:
            made.close()


def judge(stage: Stage, kind: Kind, shapes: Iterable[Shape], at: Desk) -> list[Cell]:
    """Do every shape with the stage broken, and without us, and compare."""
    return [_judge(Cell(stage, kind, shape), at) for shape in shapes]


def _judge(cell: Cell, at: Desk) -> Cell:
    wanted, fault = outcome_of(cell.shape, at), Fault(cell.kind)
    with (
        TemporaryDirectory() as folder,
        broken(cell.stage, fault, Path(folder)) as options,
        capture(**options),
    ):
        end = cell.stage.late(fault) if cell.stage.late is not None else None
        found = outcome_of(cell.shape, at)
        gc.collect(0)  # what was dropped ends its call
        if end is not None:
            fault.wait_until_met()
            end()
        fault.end()
        _deliver()
    cell.met = fault.met
    if found != wanted:
        cell.problems.append(f"without us {wanted.told}, with us {found.told}")
    if current_place() is not None:
        cell.problems.append("something is still current")
    forget_warnings()
    quiet.forget()
    return cell


def _deliver() -> None:
    """In a thread of its own: what the host's code raises to end a program ends that."""

    def deliver() -> None:
        with suppress(BaseException):
            touchdown.flush(5)

    runtime = core.active()
    for _ in range(50):
        thread = threading.Thread(target=deliver, daemon=True)
        thread.start()
        thread.join(30)
        if runtime is None or not runtime.delivery._items:
            return


def table(cells: Sequence[Cell]) -> str:
    """One line for each stage and fault, and one for each cell that is wrong."""
    lines = [f"{'stage':<30} {'fault':<11} {'calls':>5} {'met in':>7}  user's call"]
    told: Counter[tuple[str, Kind]] = Counter()
    for cell in cells:
        told[str(cell.stage), cell.kind] += 1
    for (stage, kind), calls in told.items():
        ours = [c for c in cells if (str(c.stage), c.kind) == (stage, kind)]
        wrong = [cell for cell in ours if cell.problems]
        met = sum(cell.met > 0 for cell in ours)
        verdict = f"CHANGED in {len(wrong)}" if wrong else "unchanged"
        lines.append(f"{stage:<30} {kind:<11} {calls:>5} {met:>7}  {verdict}")
        lines += [f"    {cell.shape}: {'; '.join(cell.problems)}" for cell in wrong]
    return "\n".join(lines)
