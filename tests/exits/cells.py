"""The matrix as data: states of the backend, ways of ending, and what one run of both left behind."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.exits.program import CALLS, WAYS
from tests.telemetry.receiver import Receiver, receiving
from touchdown.live.journal import read_journal
from touchdown.records import ModelCall, TaskRecord
from touchdown.testing import Provider, Reply, Request

REPOSITORY = Path(__file__).parents[2]

STATES = ("live", "hung", "refusing", "slow", "error_500", "error_503")
"""What the backend does: answers, never answers, has no open port, takes a second, fails."""

SIGNALS = {
    "sigterm": signal.SIGTERM,
    "flush_sigterm": signal.SIGTERM,
    "sigterm_handled": signal.SIGTERM,
    "sigint": signal.SIGINT,
}

CODES = {
    "sys_exit": 3,
    "exception": 1,
    "sigterm": -signal.SIGTERM,
    "flush_sigterm": -signal.SIGTERM,
    "sigterm_handled": 5,
    "sigint": -signal.SIGINT,
    "os_exit": 4,
    "flush_os_exit": 4,
}
"""Exit codes other than 0, as Python gives them."""

KILLED = frozenset({"sigterm", "os_exit"})
"""Ways that leave no moment for anybody: what ended just before may be lost."""

NO_END = KILLED | {"flush_sigterm", "flush_os_exit"}
"""Ways on which nothing is said at the end."""

MORE_CALLS = {"in_stream": 1, "cancelled": 1, "host_handlers": 2, "daemon_thread": 1}
"""Calls beside the three of every program; a daemon thread may bring more."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One backend state and one way of ending."""

    state: str
    way: str

    @property
    def code(self) -> int:
        """The exit code that the program has without touchdown."""
        return CODES.get(self.way, 0)

    @property
    def calls(self) -> int:
        """How many model calls the program made, at least."""
        return CALLS + MORE_CALLS.get(self.way, 0)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was seen of one run. Units: seconds from the program's own end to the process's."""

    code: int
    seconds: float
    said: tuple[str, ...]
    """Our own lines on stderr."""
    calls: int = 0
    """Model calls in the journal."""
    twice: int = 0
    """Model calls that stand there more than once."""
    closed_tasks: int = 0
    spans: int = 0
    spans_twice: int = 0


ALL = tuple(Cell(state, way) for state in STATES for way in WAYS)

QUICK = (
    *(Cell("live", way) for way in ("in_stream", "sigterm", "flush_os_exit")),
    *(Cell("hung", way) for way in ("normal", "sigterm_handled", "daemon_thread")),
    Cell("refusing", "host_handlers"),
    Cell("slow", "normal"),
    Cell("error_503", "exception"),
    Cell("error_500", "sigint"),
)
"""What every test run can afford: each state, and the ways that differ most."""


def run(cell: Cell, *, touchdown: bool = True) -> Outcome:
    """Run the program in a process of its own, and look at what it left."""
    with TemporaryDirectory() as folder, backend(cell.state) as (endpoint, receiver):
        journal = Path(folder) / "journal.jsonl"
        with Provider(_answer) as provider:
            code, seconds, stderr = _run(
                cell.way,
                {
                    **provider.env(),
                    "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
                    "TOUCHDOWN_JOURNAL": str(journal),
                    "TOUCHDOWN_DISABLED": "" if touchdown else "1",
                },
            )
        said = tuple(line for line in stderr.splitlines() if line.startswith("touchdown"))
        spans = Counter(span.span_id for span in receiver.spans()) if receiver else Counter()
        records = list(read_journal(journal)) if journal.exists() else []
        calls = Counter(record.id for record in records if isinstance(record, ModelCall))
        tasks = [r for r in records if isinstance(r, TaskRecord) and not r.implicit]
        return Outcome(
            code,
            seconds,
            said,
            len(calls),
            _repeated(calls),
            sum(task.duration_ns is not None for task in tasks),
            len(spans),
            _repeated(spans),
        )


def _repeated(counts: Counter[str]) -> int:
    return sum(count > 1 for count in counts.values())


def _answer(request: Request) -> Reply:
    if request.model == "slow":
        return Reply("too late", first_chunk_delay_s=5)
    return Reply("word " * 40)


def clean_environment() -> dict[str, str]:
    """This process's environment without what sets up touchdown or OpenTelemetry."""
    ours = ("OTEL_", "TOUCHDOWN_")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**clean, "PYTHONPATH": str(REPOSITORY)}


def _run(way: str, environment: dict[str, str]) -> tuple[int, float, str]:
    program = subprocess.Popen(
        [sys.executable, "-m", "tests.exits.program", way],
        cwd=REPOSITORY,
        env={**clean_environment(), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with program:
        assert program.stdout is not None
        assert program.stderr is not None
        try:
            line = program.stdout.readline()
            began = time.monotonic()
            assert line == "ending\n", program.stderr.read()
            if way in SIGNALS:
                program.send_signal(SIGNALS[way])
            _, stderr = program.communicate(timeout=60)
        except BaseException:
            program.kill()
            raise
        return program.returncode, time.monotonic() - began, stderr


@contextmanager
def backend(state: str) -> Iterator[tuple[str, Receiver | None]]:
    """The address of a backend in this state, and what came there where it takes anything."""
    if state == "refusing":
        with socket.socket() as port:  # bound, and nobody listens
            port.bind(("127.0.0.1", 0))
            yield f"http://127.0.0.1:{port.getsockname()[1]}", None
        return
    with _receiver(state) as receiver:
        yield receiver.endpoint, receiver


def _receiver(state: str) -> AbstractContextManager[Receiver]:
    if state.startswith("error_"):
        return receiving(status=int(state.removeprefix("error_")))
    return receiving(hangs=state == "hung", delay_s=1.0 if state == "slow" else 0)
