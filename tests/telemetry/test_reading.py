"""Reading spans: files that are not what they should be, spans of others, and what cannot be told."""

import gzip
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, use_span

from tests.telemetry.conftest import Seen
from tests.telemetry.rebuilding import PRICES, export, write_json, write_protobuf
from tests.telemetry.samples import CALL, CALL_START, TASK, TASK_START, TOOL, VERDICT
from touchdown.accounting.grouping import by_root_task
from touchdown.accounting.ledger import refold
from touchdown.records import Gap, ModelCall, Segment, TaskRecord, Told
from touchdown.telemetry.otlp import read_spans
from touchdown.telemetry.otlp_file import OtlpError
from touchdown.telemetry.reading import read_otlp, read_records
from touchdown.telemetry.span import SpanView, view_of_sdk_span


def finished(seen: Seen) -> list[SpanView]:
    return [view_of_sdk_span(span) for span in seen.memory.get_finished_spans()]


def gaps(told: Sequence[Told]) -> list[str]:
    return [one.reason for one in told if isinstance(one, Gap)]


@pytest.fixture
def spans() -> Sequence[ReadableSpan]:
    return export([TASK_START, CALL, TOOL, TASK]).spans


def test_every_source_gives_the_same_span(spans: Sequence[ReadableSpan], tmp_path: Path) -> None:
    views = [view_of_sdk_span(span) for span in spans]
    for write in (write_protobuf, write_json):
        read = list(read_spans(write(tmp_path / "spans", spans)))
        plain = [
            replace(view, attributes={n: _plain(v) for n, v in view.attributes.items()})
            for view in views
        ]
        assert read == plain
    assert views[0].scope == "touchdown"


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def test_numbers_may_be_written_otherwise(spans: Sequence[ReadableSpan]) -> None:
    call = next(span for span in map(view_of_sdk_span, spans) if span.name == "chat gpt-5")
    told = {
        name: str(v) if isinstance(v, int) and not isinstance(v, bool) else v
        for name, v in call.attributes.items()
    }
    record = next(iter(read_records([replace(call, attributes=told)])))
    assert isinstance(record, ModelCall)
    assert record.usage == CALL.usage
    assert record.reported_usd == Decimal("0.0021")


def test_a_half_written_end_is_passed_over(spans: Sequence[ReadableSpan], tmp_path: Path) -> None:
    path = write_json(tmp_path / "spans", spans)
    path.write_bytes(path.read_bytes()[:-40])
    assert len(list(read_spans(path))) == len(spans) - 1

    path.write_bytes(gzip.compress(write_json(path, spans).read_bytes())[:-20])
    assert len(list(read_spans(path))) < len(spans)


def test_a_bad_line_is_named_and_the_rest_is_read(
    spans: Sequence[ReadableSpan], tmp_path: Path
) -> None:
    path = write_json(tmp_path / "spans", spans)
    first, *rest = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + b'{"resourceSpans": [}\n' + b"".join(rest))
    with pytest.raises(OtlpError, match=r"spans:2: not OTLP JSON"):
        list(read_spans(path))
    said: list[str] = []
    assert len(list(read_spans(path, said.append))) == len(spans)
    assert len(said) == 1
    path.write_bytes(b"{broken}\n" + first + b"".join(rest))
    assert len(list(read_spans(path, said.append))) == len(spans)
    assert len(said) == 2


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", 0),
        (b"{}", 0),
        (b"[1, 2]", 0),
        (b"\x0anot protobuf", 1),
        (b"hello", 1),
        (b"{broken", 1),
        (b"\x1f\x8bx", 0),  # a beginning of one
        (b"\x1f\x8bnot gzip", 1),
    ],
)
def test_a_file_of_another_kind_gives_no_spans(content: bytes, lines: int, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    said: list[str] = []
    assert list(read_spans(path, said.append)) == []
    assert len(said) == lines


@pytest.mark.parametrize("ends_first", [False, True])
def test_a_call_on_anothers_span_is_read_as_it_was(seen: Seen, ends_first: bool) -> None:
    task = seen.sink.open(TASK_START)
    theirs = seen.provider.get_tracer("theirs").start_span(
        "anthropic.messages.create",
        kind=SpanKind.CLIENT,
        attributes={
            "gen_ai.request.model": "claude-as-they-say",
            "gen_ai.usage.output_tokens": 1,
            "gen_ai.request.frequency_penalty": 0.5,
        },
    )
    with use_span(theirs, end_on_exit=ends_first):
        opened = seen.sink.open(replace(CALL_START, adopt=True))
    assert opened is not None
    assert task is not None
    call = replace(CALL, trace_id=opened.trace_id, span_id=opened.span_id)
    opened.close(call, VERDICT)
    if not ends_first:
        theirs.end()
    task.close(TASK, None)
    told = list(read_records(finished(seen)))
    assert [one for one in told if isinstance(one, ModelCall)] == [call]
    assert gaps(told) == []


def test_a_span_of_anothers_that_says_nothing_of_models_is_no_record(seen: Seen) -> None:
    seen.provider.get_tracer("theirs").start_span("GET /", attributes={"http.route": "/"}).end()
    assert list(read_records(finished(seen))) == []


def test_a_context_longer_than_a_span_tells_is_left_out() -> None:
    new = tuple(Segment("user", 1, f"d{index}") for index in range(4_097))
    call = replace(CALL, context=replace(CALL.context, predecessor=None, shared=0, new=new))
    told = list(read_records(map(view_of_sdk_span, export([TASK_START, call, TASK]).spans)))
    read = next(one for one in told if isinstance(one, ModelCall))
    assert read.context.new == ()
    assert read.context.opaque is not None
    assert read.usage == CALL.usage
    assert gaps(told) == ["context longer than a span tells: model call 4 of agent-1"]


def test_tags_beyond_the_limit_are_cut_and_said() -> None:
    task = replace(TASK, tags={f"tag-{index:02}": "x" for index in range(49)})
    told = list(read_records(map(view_of_sdk_span, export([task]).spans)))
    assert gaps(told) == ["attributes cut: task fix issue"]


def test_two_processes_that_count_for_themselves_are_seen() -> None:
    calls = [replace(CALL, id=name) for name in ("call-1", "call-2")]
    one, other = ([view_of_sdk_span(span) for span in export([c, TASK]).spans] for c in calls)
    told = list(read_records([*one, *other]))
    assert gaps(told) == ["spans numbered twice: model calls"]


def test_calls_before_others_are_named_by_their_agent() -> None:
    calls = [
        replace(CALL, id=f"call-{at}", context=replace(CALL.context, sequence=at))
        for at in range(30)
    ]
    spans = [view_of_sdk_span(span) for span in export([*calls, TASK]).spans]
    told = list(read_records([*spans[:2], *spans[3:]]))
    assert gaps(told) == ["span missing: model call 3 of agent-1"]
    many = gaps(list(read_records(spans[28:])))
    assert many[:2] == [
        "span missing: model call 1 of agent-1",
        "span missing: model call 2 of agent-1",
    ]
    assert many[20:] == ["spans missing: more model calls"]


def test_a_lost_task_is_told_of_by_what_was_in_it() -> None:
    inner = replace(TASK, id="task-2", name="inside", parent_id="task-1")
    call = replace(CALL, task_id="task-2")
    spans = [view_of_sdk_span(span) for span in export([call, inner, TASK]).spans]
    told = list(read_records([spans[0], spans[2]]))
    (stand_in,) = [one for one in told if isinstance(one, TaskRecord) and one.id == "task-2"]
    assert (stand_in.name, stand_in.parent_id) == ("inside", "task-1")
    assert stand_in.duration_ns is None
    assert list(by_root_task(told)) == ["task-1"]
    account = refold(told, PRICES).account()
    assert account.model_calls == 1
    missing = [r for r in account.money.incomplete_reasons if r.startswith("span missing")]
    assert missing == ["span missing: inner task 1 of the task", "span missing: the task inside"]


def test_several_tasks_of_one_file_are_told_apart(tmp_path: Path) -> None:
    other = replace(TASK, id="task-9", name="another")
    spans = export([CALL, TASK, replace(CALL, id="call-9", task_id="task-9"), other]).spans
    groups = by_root_task(read_otlp(write_protobuf(tmp_path / "spans", spans)))
    assert {root: len(told) for root, told in groups.items()} == {"task-1": 3, "task-9": 3}
    for told in groups.values():
        assert refold(told, PRICES).account().model_calls == 1
