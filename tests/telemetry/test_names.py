"""The names: each documented, none made up under ``gen_ai``, and every fact of a record has one."""

import ast
import re
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from msgspec.structs import fields, replace

from tests.telemetry.conftest import Seen
from tests.telemetry.samples import (
    AGENT,
    AGENT_START,
    CALL,
    CALL_START,
    TASK,
    TASK_START,
    TOOL,
    TOOL_START,
    VERDICT,
)
from touchdown.records import (
    CallClock,
    ContextShape,
    EngineTiming,
    Mark,
    Output,
    ProviderVerdict,
    Record,
    Segment,
    Start,
    Usage,
)
from touchdown.telemetry import (
    attributes,
    content_names,
    metric_names,
    miss_names,
    outcome,
    time_names,
)

DOCS = Path(attributes.__file__).parents[2] / "docs" / "telemetry.md"
ROW = re.compile(r"^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \| (.+) \|$", re.MULTILINE)

Rows = dict[str, tuple[str, str, str]]


@pytest.fixture(scope="module")
def documented() -> Rows:
    """Name to type, level and meaning."""
    found = ROW.findall(DOCS.read_text("utf-8"))
    assert len({name for name, *_ in found}) == len(found), "a name is documented twice"
    return {name: (kind, level, meaning) for name, kind, level, meaning in found}


def names_and_lines() -> dict[str, str]:
    """Every name, and the line under it."""
    modules = (attributes, miss_names, time_names, metric_names, outcome, content_names)
    return {name: line for module in modules for name, line in _names_of(module).items()}


def _names_of(module: ModuleType) -> dict[str, str]:
    body = ast.parse(Path(str(module.__file__)).read_text("utf-8")).body
    found = {}
    for statement, following in zip(body, [*body[1:], None], strict=True):
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        if statement.target.id in ("SCOPE", "SCHEMA_URL", "NESTED_INFERENCE_KEY"):
            continue
        line = following.value if isinstance(following, ast.Expr) else None
        text = line.value if isinstance(line, ast.Constant) else ""
        found[getattr(module, statement.target.id)] = str(text)
    return found


def test_every_name_is_documented_with_its_line_and_nothing_else_is(documented: Rows) -> None:
    told = names_and_lines()
    assert set(documented) == set(told)
    lines = {name: line.replace("``", "`") for name, line in told.items() if line}
    assert {name: documented[name][2] for name in lines} == lines


def test_every_name_of_ours_has_a_line() -> None:
    ours = {name for name, line in names_and_lines().items() if name.startswith("touchdown")}
    assert {name for name in ours if not names_and_lines()[name]} == set()


def test_no_name_is_also_the_beginning_of_another() -> None:
    told = set(names_and_lines()) - {metric_names.COST}  # a metric, in a name space of its own
    beginnings = {name[:dot] for name in told for dot in range(len(name)) if name[dot] == "."}
    assert told & beginnings == set()


EVERYTHING: list[tuple[Start, Record]] = [
    (CALL_START, CALL),
    (TOOL_START, TOOL),
    (AGENT_START, AGENT),
    (TASK_START, TASK),
]
OTHER_VALUES: dict[str, Any] = {
    "usage": Usage(uncached=1),
    "context": ContextShape(digest="other"),
    "output": Output(text_chars=1),
    "attempts": (),
    "provider_verdict": ProviderVerdict("tools_changed", 7, 9, "answer_0"),
    "finish_reasons": ("length",),
    "request": {"seed": 4},
    "tags": {"other": "tag"},
    "reported_usd": Decimal(7),
    "status": "closed_early",
    "failure": "rule",
    "outcome": "useless",
    "source": "integration",
    "begun": Mark(1, 2, 3),
    "ended": Mark(1, 2, 4),
    "clock": CallClock(received_ns=4),
    "engine": EngineTiming("other"),
    "cpu_s": 0.5,
    "children_cpu_s": 0.25,
    "first_chunk_ns": 9,
    "http_status": 201,
    "port": 8_443,
    "score": 0.1,
    "output_chars": 9,
    "result_chars": 9,
}
ELSEWHERE = {"trace_id", "span_id", "started_at_ns", "sent_at_ns"}
"""What the span itself says: where it is, and when it began."""
NOT_TOLD = {
    ("TaskRecord", "implicit"): "has no span",
    ("TaskRecord", "revision"): "a span ends once, with the form that closed the task",
    ("ToolCall", "error_type"): "told when the call went wrong",
    ("ModelCall", "error_type"): "told when the call went wrong",
    ("AgentRun", "error_type"): "told when the run went wrong",
}


@pytest.mark.parametrize(
    ("start", "record", "field"),
    [
        pytest.param(start, record, field.name, id=f"{type(record).__name__}.{field.name}")
        for start, record in EVERYTHING
        for field in fields(record)
        if field.name not in ELSEWHERE and (type(record).__name__, field.name) not in NOT_TOLD
    ],
)
def test_every_fact_of_a_record_changes_its_span(
    seen: Seen, start: Start, record: Record, field: str
) -> None:
    for told in (record, replace(record, **{field: _other(field, getattr(record, field))})):
        opened = seen.sink.open(start)
        assert opened is not None
        opened.close(told, None)
    assert _differ(seen)


@pytest.mark.parametrize(
    ("start", "record"),
    [pytest.param(*told, id=type(told[1]).__name__) for told in EVERYTHING],
)
def test_the_same_record_makes_the_same_span(seen: Seen, start: Start, record: Record) -> None:
    for _ in range(2):
        opened = seen.sink.open(start)
        assert opened is not None
        opened.close(record, None)
    assert not _differ(seen)


@pytest.mark.parametrize("field", [field.name for field in fields(Segment)])
def test_every_fact_of_a_new_segment_changes_the_span(seen: Seen, field: str) -> None:
    segment = CALL.context.new[1]
    value = {"kind": "user", "chars": 1, "failed": False}.get(field, "other")
    changed = replace(CALL.context, new=(CALL.context.new[0], replace(segment, **{field: value})))
    for context in (CALL.context, changed):
        opened = seen.sink.open(CALL_START)
        assert opened is not None
        opened.close(replace(CALL, context=context), VERDICT)
    assert _differ(seen)


def test_no_content_is_in_any_name_but_those_that_must_be_asked_for(documented: Rows) -> None:
    content = ("messages", "instructions", "arguments", "result", "definitions")
    asked_for = {value for name, value in vars(content_names).items() if name.isupper()}
    carrying = {name for name in documented if name.endswith(content)} - {outcome.EVENT}
    assert carrying <= asked_for
    assert all(
        documented[name][1] in ("when asked", "when cut", "when dropped") for name in asked_for
    )


def _differ(seen: Seen) -> bool:
    """Whether two spans tell different things; their numbers count them, and always differ."""
    first, second = seen.spans()
    for span in (first, second):
        span["attributes"].pop(attributes.SPAN_NUMBER, None)
    return bool(first != second)


def _other(field: str, value: Any) -> Any:
    if field in OTHER_VALUES:
        return OTHER_VALUES[field]
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    assert value is None or isinstance(value, str), field
    return "other"
