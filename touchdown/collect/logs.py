"""Logs of engines that tell of a request in a line: followed as they grow, read as spans of requests."""

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import IO

from touchdown.collect.intake import Reader
from touchdown.engines.tokenspeed import STATS, Logged, read_log_line
from touchdown.telemetry.span import SpanView

MOST_BYTES = 4 << 20
"""Of one log in one look; the rest comes with the next."""
MOST_OF_A_LINE = 1 << 16


class Log:
    """One log. What stands in it at the beginning was written before anybody listened, and is passed over."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._file: IO[bytes] | None = None
        self._rest = b""
        self._open(at_end=True)

    def lines(self) -> Iterator[str]:
        """The whole lines that are new. A log that was cut or replaced is read from its beginning."""
        if self._file is None or self._is_another():
            yield from self._read()
            self._open(at_end=False)
        yield from self._read()

    def _open(self, at_end: bool) -> None:
        self.close()
        try:
            self._file = open(self.path, "rb")  # noqa: SIM115 - closed by close()
            self._file.seek(0, os.SEEK_END if at_end else os.SEEK_SET)
        except OSError:  # it may come yet
            self.close()

    def _is_another(self) -> bool:
        if self._file is None:
            return True
        try:
            there, ours = os.stat(self.path), os.fstat(self._file.fileno())
        except OSError:
            return False  # between two names: what is held is read on
        return (there.st_ino, there.st_dev) != (ours.st_ino, ours.st_dev) or (
            there.st_size < self._file.tell()
        )

    def _read(self) -> Iterator[str]:
        if self._file is None:
            return
        *whole, rest = (self._rest + self._file.read(MOST_BYTES)).split(b"\n")
        self._rest = rest if len(rest) <= MOST_OF_A_LINE else b""
        for line in whole:
            if len(line) <= MOST_OF_A_LINE:
                yield line.decode("utf-8", "replace")

    def close(self) -> None:
        """Let go of it."""
        if self._file is not None:
            self._file.close()
        self._file, self._rest = None, b""


class WithLogs:
    """A reader of exports that looks into logs, too, whenever time has passed."""

    def __init__(self, reader: Reader, paths: Iterable[str]) -> None:
        self._reader = reader
        self._logs = [Log(path) for path in paths]
        self.requests = 0
        """Told of in the logs so far."""

    def take(self, spans: Iterable[SpanView], now_s: float) -> None:
        """The spans of one request."""
        self._reader.take(spans, now_s)

    def tick(self, now_s: float) -> None:
        """Time has passed."""
        told = [
            span_of(one) for log in self._logs for one in map(read_log_line, log.lines()) if one
        ]
        self.requests += len(told)
        if told:
            self._reader.take(told, now_s)
        self._reader.tick(now_s)

    def close(self) -> None:
        """Let go of the logs."""
        for log in self._logs:
            log.close()


def span_of(logged: Logged) -> SpanView:
    """The request as a span in a trace of its own."""
    return SpanView(
        name=STATS,
        trace_id=f"log {logged.request_id}",
        span_id=logged.request_id,
        parent_id="",
        began_ns=round((logged.began_s or 0) * 1e9),
        ended_ns=round((logged.ended_s or 0) * 1e9),
        attributes={**_plain(logged.said), "rid": logged.request_id},
    )


def _plain(said: Mapping[str, object]) -> dict[str, str | bool | int | float]:
    told = {
        name: value for name, value in said.items() if isinstance(value, str | bool | int | float)
    }
    prompt = told.get("prompt_tokens")
    return told if prompt is None else {**told, "input_tokens": prompt}
