"""Everything that leaves touchdown, by where it goes."""

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from opentelemetry.sdk.trace import ReadableSpan

import touchdown
from tests.privacy.mark import finds
from tests.telemetry.receiver import Receiver
from touchdown.live.run_folder import Run, RunFolder
from touchdown.runtime.identity import now_ns

OURS = ("touchdown", "opentelemetry")


class Heard(logging.Handler):
    """Keeps what loggers say, tracebacks and all that hangs on a record included."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if not record.name.startswith(OURS):
            return
        self.said.append(f"{self.format(record)}\n{record.args!r}")
        if record.exc_info and record.exc_info[2] is not None:
            # Crash reporters send the variables of every frame.
            tb = record.exc_info[2]
            while tb is not None:
                self.said.append(repr(tb.tb_frame.f_locals))
                tb = tb.tb_next  # type: ignore[assignment]


@contextmanager
def listening() -> Iterator[tuple[Heard, list[warnings.WarningMessage]]]:
    """Every log line at debug level, and every warning."""
    heard, root = Heard(), logging.getLogger()
    levels = {name: logging.getLogger(name).level for name in OURS}
    root.addHandler(heard)
    for name in OURS:
        logging.getLogger(name).setLevel(logging.DEBUG)
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            yield heard, warned
    finally:
        root.removeHandler(heard)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


@dataclass
class Left:
    """What left, by name."""

    parts: dict[str, str | bytes] = field(default_factory=dict)

    def add(self, name: str, part: str | bytes) -> None:
        """One thing that left; it must not be empty, or the search would prove nothing."""
        assert part, f"nothing left by {name}"
        self.parts[name] = part

    def spans(self, spans: list[ReadableSpan]) -> None:
        """Spans as an exporter is handed them."""
        self.add("spans", "\n".join(span.to_json() for span in spans))

    def files(self, folder: Path) -> None:
        """All files below a folder."""
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.stat().st_size:
                self.parts[f"file {path.name}"] = path.read_bytes()

    def received(self, backend: Receiver) -> None:
        """The bytes that a backend was sent."""
        self.add("OTLP traces", b"".join(each.SerializeToString() for each in backend.traces))
        self.add("OTLP metrics", b"".join(each.SerializeToString() for each in backend.metrics))

    def looks(self, task: touchdown.Task) -> None:
        """Receipt and report of a task, and the summary."""
        receipt = task.receipt()
        self.add("receipt", str(receipt))
        self.add("HTML", receipt._repr_html_())  # type: ignore[attr-defined]
        self.add("report", receipt.report().model_dump_json(by_alias=True))
        summary = touchdown.summary()
        self.add("summary", str(summary))
        self.add("totals", repr(task.totals))

    def said(self, heard: Heard, warned: list[warnings.WarningMessage]) -> None:
        """Log lines and warnings."""
        self.parts["log"] = "\n".join(heard.said)
        self.parts["warnings"] = "\n".join(f"{each.message!r} {each.source!r}" for each in warned)

    def leaks(self) -> dict[str, list[str]]:
        """Where the mark was found."""
        return {name: found for name, part in self.parts.items() if (found := finds(part))}


def begin_run(folder: Path, journal: Path) -> RunFolder:
    """A run of the command, whose first process this one is."""
    run_folder = RunFolder(folder)
    run = Run("task-run-1", "run", now_ns(), "ab" * 16, journal=str(journal))
    run_folder.write(run, ["openai"])
    return run_folder


def words(value: object) -> str:
    """Some JSON as text."""
    return json.dumps(value, default=str)
