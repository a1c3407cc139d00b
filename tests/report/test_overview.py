"""The summary: cost per useful task first, then its bounds, where it went, and by name."""

import re
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.report.accounts import LONG, SUMMARY, named
from touchdown.accounting.account import NameTotals, Summary
from touchdown.report import SummaryView
from touchdown.report.text import cells

HEADLINE = """\
cost per useful task                                              at least $2.10
12 tasks: 8 useful, 1 useless, 3 unknown · at least $22.10 in all
  bounds: $1.84 if every unknown outcome was useful, $2.76 if none was
  outcome known for 84% of the cost
  spent on useless tasks: $2.10

where it went
"""


def test_the_headline_is_cost_per_useful_task() -> None:
    assert str(SummaryView(SUMMARY, [LONG])).startswith(HEADLINE)


def test_tasks_that_are_no_longer_held_complete_the_total() -> None:
    text = str(SummaryView(SUMMARY, [LONG]))
    assert re.search(r"tasks no longer held +\$14\.920", text)
    assert re.search(r"total, at least +\$22\.103", text)


def test_a_child_task_is_counted_in_its_parent() -> None:
    child = replace(LONG, task=replace(LONG.task, id="t9", parent_id="t1"))
    assert str(SummaryView(SUMMARY, [LONG, child])) == str(SummaryView(SUMMARY, [LONG]))


def test_names_stand_in_a_table() -> None:
    assert str(SummaryView(SUMMARY)).endswith(
        "by name           tasks  useful    cost  per useful task\n"
        "  fix issue 4121      9       6  $18.20            $3.03\n"
        "  triage              3       0   $3.90                -"
    )


def test_before_anything_was_useful() -> None:
    text = str(SummaryView(Summary()))
    assert text.splitlines()[0].endswith("no useful task yet")
    assert "0 tasks" in text
    unknown = Summary(tasks=1, unknown=1, total_usd=Decimal(1), low_usd=Decimal(1))
    assert "bounds: $1.00 if every unknown outcome was useful, unknown if none" in str(
        SummaryView(unknown)
    )


@given(st.text(st.characters(), max_size=200))
def test_no_name_breaks_the_columns(name: str) -> None:
    summary = replace(SUMMARY, by_name={name: NameTotals(1, 1, Decimal(1), Decimal(1))})
    text = str(SummaryView(summary, [named(name)]))
    assert all(cells(line) <= 80 for line in text.splitlines())
    assert "\x1b" not in text


def test_it_has_the_same_four_faces_as_a_receipt() -> None:
    view = SummaryView(SUMMARY, [LONG])
    assert view._repr_html_().startswith("<pre")
    assert repr(view) == "<SummaryView of 12 tasks>"
    assert view.report().summary.tasks == 12
    assert view.__rich__() is not None
