"""The JSON of a report: its fields, its nulls, its exact money, and its published schema."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.report.accounts import LONG, MONEY, NOTHING, SUMMARY, UNPRICED, named
from touchdown.report import Receipt
from touchdown.report.build import build_report
from touchdown.report.model import Report
from touchdown.report.model_parts import decimal_text
from touchdown.report.schema import schema_text

GOLDEN = Path(__file__).with_name("report.golden.json")
SCHEMA = Path(__file__).parents[2] / "docs" / "report.schema.json"

TASK_FIELDS = (
    "id parent_id name tags outcome started_at wall_s model_calls tool_calls agents usage money time "
    "cache context models agent_runs tools findings policies not_observable"
)


def test_the_envelope_is_this() -> None:
    report = build_report([LONG, UNPRICED, NOTHING], SUMMARY)
    assert json.loads(report.model_dump_json()) == json.loads(GOLDEN.read_text())


def test_reading_a_report_back_loses_nothing() -> None:
    report = build_report([LONG, UNPRICED, NOTHING], SUMMARY)
    again = Report.model_validate_json(report.model_dump_json())
    assert again == report
    assert again.tasks[0].money.total_usd == MONEY.total_usd


def test_the_published_schema_is_fresh() -> None:
    told = "run: python -m touchdown.report.schema > docs/report.schema.json"
    assert SCHEMA.read_text() == schema_text(), told


def test_the_schema_requires_every_field_and_writes_money_as_text() -> None:
    schema = json.loads(schema_text())
    parts = schema["$defs"]
    assert parts["TaskReport"]["required"] == TASK_FIELDS.split()
    assert schema["properties"]["schema"]["const"] == "touchdown.report/1"
    assert parts["MoneyReport"]["properties"]["total_usd"]["type"] == "string"


def test_the_bill_adds_up_in_exact_decimals() -> None:
    money = _json(LONG)["tasks"][0]["money"]
    parts = [money["work_usd"], money["unexplained_usd"], *money["taxes"].values()]
    assert sum(map(Decimal, parts)) == Decimal(money["total_usd"])


def test_what_is_unexplained_is_told_by_reason() -> None:
    money = _json(LONG)["tasks"][0]["money"]
    assert money["unexplained_reasons"].keys() == {"expired_or_evicted"}
    told = map(Decimal, money["unexplained_reasons"].values())
    assert sum(told) == Decimal(money["unexplained_usd"])


def test_unknown_is_null() -> None:
    task = _json(UNPRICED)["tasks"][0]
    assert task["usage"]["cache_write"] is None
    assert task["usage"]["cache_read"] is None
    assert task["models"][0]["total_usd"] is None
    assert task["money"]["complete"] is False
    assert task["money"]["incomplete_reasons"] == {"no price for this host": 5}
    assert task["time"] == {
        "total_s": 12.44,
        "work_s": None,
        "taxes": {},
        "unexplained_s": None,
        "memo": {},
        "basis": {},
        "within_work": {},
        "unexplained": {},
        "off_path_s": {},
        "without_s": {},
        "load": None,
    }


def test_seconds_add_up_as_decimals() -> None:
    time = _json(LONG)["tasks"][0]["time"]
    parts = [time["work_s"], *time["taxes"].values(), time["unexplained_s"]]
    assert sum(Decimal(str(part)) for part in parts) == Decimal(str(time["total_s"]))
    assert sum(Decimal(str(s)) for s in time["within_work"].values()) == Decimal(
        str(time["work_s"])
    )
    assert time["memo"] == {"cpu_waits_on_gpu": 181.25, "gpu_waits_on_cpu": None}


def test_one_task_brings_its_own_summary() -> None:
    useful = _json(LONG)["summary"]
    assert useful["cost_per_useful_task_usd"] == useful["low_usd"] == useful["high_usd"]
    assert useful["known_share"] == "1"
    useless = _json(replace(LONG, task=replace(LONG.task, outcome="useless")))["summary"]
    assert useless["spent_on_useless_usd"] == "7.1834295"
    assert useless["cost_per_useful_task_usd"] is None
    unknown = _json(replace(LONG, task=replace(LONG.task, outcome="unknown")))["summary"]
    assert (unknown["low_usd"], unknown["high_usd"]) == ("7.1834295", None)
    assert unknown["known_share"] == "0"


@given(st.text(st.characters(), max_size=50))
def test_any_name_can_be_written_and_read(name: str) -> None:
    report = Receipt(named(name)).report()
    assert Report.model_validate_json(report.model_dump_json()) == report


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_money_is_exact_and_has_one_spelling(amount: Decimal) -> None:
    text = decimal_text(amount)
    assert Decimal(text) == amount
    assert "E" not in text.upper()
    assert text == decimal_text(Decimal(text + ("0" if "." in text else ".0")))


def _json(account: Any) -> Any:
    return json.loads(Receipt(account).report().model_dump_json())
