"""Answers, metrics and spans that real engines gave to one five-turn conversation, beside the repository."""

import json
from collections.abc import Iterator
from typing import Any

from tests.shared_data import shared_data
from touchdown.clients.openai.chat import ChatReader
from touchdown.engines.engine import EngineSpan, Told
from touchdown.engines.exposition import Exposition, read_exposition
from touchdown.engines.registry import engine_of
from touchdown.records import AnswerView, EngineTiming

Json = dict[str, Any]


def text_of(engine: str, name: str) -> str:
    return shared_data("..", "captures", engine, name).read_text(encoding="utf-8")


def page_of(engine: str, name: str) -> Exposition:
    return read_exposition(text_of(engine, name))


def answers(engine: str, name: str) -> Iterator[AnswerView]:
    """As the client's reader sees them; of a stream the first and last chunks were kept."""
    reader = ChatReader()
    for row in json.loads(text_of(engine, name)):
        if row["stream"]:
            stream = reader.new_stream()
            for chunk in [*row["first_chunks"], *row["last_chunks"]]:
                stream.chunk(chunk)
            yield stream.answer()
        else:
            yield reader.read_answer(row["response"])


def timings(kind: str, engine: str, name: str = "responses.json") -> list[EngineTiming]:
    reader = engine_of(kind)
    assert reader is not None
    return [reader.read(Told(a.engine_parts, a.usage)) for a in answers(engine, name)]


def spans(engine: str) -> list[Json]:
    return [json.loads(line) for line in text_of(engine, "otlp-spans.jsonl").splitlines()]


def span_of(row: Json, rows: list[Json] | None = None) -> EngineSpan:
    """A span with what is below it, where that is given."""
    lasted_s = (int(row["end_ns"]) - int(row["start_ns"])) / 1e9
    steps = seconds_below(row, rows or [])
    return EngineSpan(row["name"], row["scope"], row["attributes"], lasted_s, steps)


def seconds_below(root: Json, rows: list[Json]) -> dict[str, float]:
    """By name: how long the spans below this one took, all together."""
    found: dict[str, float] = {}
    above = {root["span_id"]}
    for _ in range(3):
        for row in rows:
            if row["parent_span_id"] in above and row["span_id"] not in above:
                above.add(row["span_id"])
                took = int(row["end_ns"]) - int(row["start_ns"])
                found[row["name"]] = found.get(row["name"], 0.0) + took / 1e9
    return found
