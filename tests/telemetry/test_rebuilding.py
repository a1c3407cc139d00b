"""Exported and read back it is the same ledger; with anything lost it says so and names what."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from opentelemetry.sdk.trace import ReadableSpan

from tests.accounting.sessions import sessions
from tests.telemetry.rebuilding import PRICES, WRITERS, export
from touchdown.accounting.account import TaskAccount
from touchdown.accounting.ledger import Ledger, refold
from touchdown.live.journal import Journal, read_journal
from touchdown.records import Record
from touchdown.telemetry.reading import read_otlp, read_record, read_records
from touchdown.telemetry.span import view_of_sdk_span

relaxed = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
Written = Callable[[Path, Sequence[ReadableSpan]], Path]


def journalled(records: Sequence[Record], folder: str) -> Ledger:
    path = Path(folder) / "journal.jsonl"
    journal = Journal(path)
    for record in records:
        journal.write(record)
    journal.close()
    return refold(read_journal(path), PRICES)


def rebuilt(spans: Sequence[ReadableSpan]) -> TaskAccount:
    return refold(read_records(map(view_of_sdk_span, spans)), PRICES).account()


@relaxed
@given(sessions(), st.sampled_from(WRITERS))
def test_live_journalled_and_exported_it_is_one_ledger(
    records: list[Record], write: Written
) -> None:
    session = export(records)
    with tempfile.TemporaryDirectory() as folder:
        told = read_otlp(write(Path(folder) / "spans", session.spans))
        by_spans = refold(told, PRICES).account()
        by_journal = journalled(session.records, folder).account()

    assert by_spans == by_journal == session.live.account()


@relaxed
@given(sessions(), st.data())
def test_with_a_span_lost_it_says_so_and_names_it(
    records: list[Record], data: st.DataObject
) -> None:
    session = export(records)
    spans = session.spans
    lost = data.draw(st.sampled_from(spans))
    account = rebuilt([span for span in data.draw(st.permutations(spans)) if span is not lost])

    assert not account.money.complete
    named = [reason for reason in account.money.incomplete_reasons if "span missing" in reason]
    assert named == [_naming(lost, spans)]
    assert account.money.total_usd <= session.live.account().money.total_usd


def _naming(lost: ReadableSpan, spans: Sequence[ReadableSpan]) -> str:
    assert lost.attributes is not None
    if lost.name.startswith("invoke_workflow"):
        return "span missing: the task goal"
    kind = next(
        word
        for begin, word in (("execute_tool", "tool call"), ("invoke_agent", "agent run"), ("", ""))
        if lost.name.startswith(begin)
    )
    return f"span missing: {kind or 'model call'} {lost.attributes['touchdown.span.number']} of the task"


@relaxed
@given(sessions(), st.data())
def test_with_an_attribute_lost_it_is_the_same_or_says_so(
    records: list[Record], data: st.DataObject
) -> None:
    session = export(records)
    views = [view_of_sdk_span(span) for span in session.spans]
    at = data.draw(st.integers(0, len(views) - 1))
    name = data.draw(st.sampled_from(sorted(views[at].attributes)))
    left = {n: v for n, v in views[at].attributes.items() if n != name}
    views[at] = replace(views[at], attributes=left)
    account, live = refold(read_records(views), PRICES).account(), session.live.account()

    # Some attributes only follow from others, or say what the accountant made of a call.
    said = account.money.incomplete_reasons.keys() - live.money.incomplete_reasons.keys()
    assert account == live or said


@relaxed
@given(sessions())
def test_every_record_is_itself_again(records: list[Record]) -> None:
    session = export(records)
    read = [read_record(view_of_sdk_span(span)) for span in session.spans]

    assert read == [(record, "") for record in session.records]
