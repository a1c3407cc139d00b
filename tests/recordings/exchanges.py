"""Recorded exchanges as they lie on disk: nothing of touchdown reads them here."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from tests.shared_data import REPOSITORY

OWN = Path(__file__).parent / "own"
"""Small ones, one per API and shape, made with ``touchdown.testing`` (``make_own.py``)."""

REAL = Path(os.environ.get("TOUCHDOWN_TEST_DATA") or REPOSITORY / "../shared/data") / "recordings"
"""What the real APIs answered; not part of the repository."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One request and what came back."""

    host: str
    method: str
    path: str
    query: dict[str, str]
    body: Any
    """The JSON value, or the text of anything else."""
    status: int
    answer: Any
    """The JSON value, or the text of an event stream."""
    raw: dict[str, Any] = field(repr=False, default_factory=dict)

    @property
    def streamed(self) -> bool:
        """Whether the answer is an event stream."""
        return isinstance(self.answer, str)

    @property
    def vendor(self) -> str:
        """Whose SDK asks this."""
        return "anthropic" if "anthropic" in self.host else "openai"

    @property
    def events(self) -> list[Any]:
        """The data of each event of a stream."""
        lines = self.answer.splitlines() if self.streamed else []
        data = [line[5:].strip() for line in lines if line.startswith("data:")]
        return [json.loads(text) for text in data if text != "[DONE]"]


def read_exchanges(path: Path) -> list[Recorded]:
    """The exchanges of one file."""
    return [_recorded(raw) for raw in json.loads(path.read_bytes())["exchanges"]]


def _recorded(raw: dict[str, Any]) -> Recorded:
    request, response = raw["request"], raw["response"]
    path, _, query = request["path"].partition("?")
    return Recorded(
        host=request["host"],
        method=request["method"],
        path=path,
        query=dict(parse_qsl(query)),
        body=request["body"],
        status=response["status"],
        answer=response["body"],
        raw=raw,
    )


def recorded_files() -> list[Path]:
    """Our own recordings, and the real ones where they are at hand."""
    return sorted(OWN.glob("*.json")) + sorted(REAL.glob("*.json"))


def label(path: Path) -> str:
    """A file's name without what all of them repeat."""
    return path.stem.replace("test_", "")
