"""What is lost is counted where it happens, and told: receipt, summary, metric, doctor."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

import touchdown
from touchdown.cli.checkup.page import Page
from touchdown.cli.doctor import examine
from touchdown.live.accountant import LiveAccountant
from touchdown.live.journal import Journal, read_journal
from touchdown.records import TaskOutcome, ToolCall
from touchdown.runtime.guard import forget_warnings
from touchdown.telemetry.held import Held
from touchdown.testing import Capture, capture


@pytest.fixture(autouse=True)
def _nothing_said() -> Iterator[None]:
    forget_warnings()
    yield
    forget_warnings()


@touchdown.tool
def look(number: int) -> int:
    return number


def failing(text: str) -> str:
    raise ValueError


def use_tools(seen: Capture, *, name: str = "lossy", times: int = 10) -> touchdown.Task:
    with touchdown.task(name) as task:
        for number in range(times):
            look(number)
    return task


def measured(reader: InMemoryMetricReader) -> dict[str, int]:
    """What the metric says, by kind."""
    data: Any = reader.get_metrics_data()
    return {
        point.attributes["touchdown.dropped_kind"]: point.value
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == "touchdown.dropped"
        for point in metric.data.data_points
    }


def test_a_full_queue_is_told_everywhere() -> None:
    reader = InMemoryMetricReader()
    meters = MeterProvider([reader], shutdown_on_exit=False)
    with capture(meter_provider=meters) as seen:
        delivery = seen._runtime.delivery
        with delivery._in_hand, delivery._lock:  # the worker waits
            delivery._capacity = 4
            task = use_tools(seen)
        delivery._capacity = 100
        lost = delivery.dropped
        assert lost == 12 - 4  # the task's beginning and end, and ten tools; four found room
        receipt, summary = str(task.receipt()), str(touchdown.summary())
        use_tools(seen, name="later", times=1)
        seen.records  # noqa: B018 - delivers
        page = str(Page(examine()))
    assert task.totals.dropped_records == lost
    assert "8 records: the figures above are lower bounds" in receipt
    assert "8 records in no account" in summary
    assert "8 records in no account" in page
    assert measured(reader) == {"records": lost}


def test_lines_that_no_journal_took_and_contents_that_were_dropped_are_told(tmp_path: Path) -> None:
    reader = InMemoryMetricReader()
    meters = MeterProvider([reader], shutdown_on_exit=False)
    options: dict[str, Any] = {"capture_content": True, "redact": failing, "journal": tmp_path}
    with capture(meter_provider=meters, **options) as seen:
        use_tools(seen, times=3)
        assert len(seen.tools) == 3
        found = examine()
        summary, told = str(touchdown.summary()), touchdown.summary().report().summary
        with touchdown.task("later") as later:
            pass
        receipt = later.receipt()
        shown, told_with_it = str(receipt), receipt.report().summary
    assert told.lost == found.lost
    assert told_with_it.lost == {"journal_lines": 7, "contents": 3}
    assert "lost by this process so far: 7 lines of the journal;" in shown
    assert found.lost == {"journal_lines": 5, "contents": 3}
    assert found.as_json()["lost"] == found.lost
    assert "5 lines of the journal; 3 contents that redact failed on" in summary
    assert measured(reader) == {"journal_lines": 7, "contents": 3}


class Raising:
    """A keeper whose code fails."""

    path, lost, keeps = Path("broken"), 0, True

    def write(self, record: object, *_written: object) -> None:
        raise RuntimeError("broken")

    pass_on = write

    def after_fork(self) -> None: ...

    def close(self) -> None: ...


def test_a_keeper_that_raises_costs_neither_the_ledger_nor_the_journals_the_record(
    tmp_path: Path,
) -> None:
    with capture() as seen:
        accountant = seen._runtime.accountant
        accountant.tell(Raising())
        accountant.tell(journal := Journal(tmp_path / "journal.jsonl"))
        task = use_tools(seen, times=3)
        assert task.totals.dropped_records == 0
        assert sum(tool.calls for tool in task.report().tasks[0].tools) == 3
        accountant.receive(TaskOutcome(task.id, 1, "useful"), ())
        lost, said = accountant.lost(), accountant.unwritten()
    kept = list(read_journal(journal.path))
    assert [type(record) for record in kept].count(ToolCall) == 3
    assert isinstance(kept[-1], TaskOutcome)
    assert lost == {"records": 0, "journal_lines": len(kept)}
    assert said == [f"{len(kept)} lines of the journal broken"]


def test_nothing_is_said_where_nothing_was_lost() -> None:
    with capture() as seen:
        use_tools(seen)
        seen.records  # noqa: B018 - delivers
        found = examine()
        assert "lost" not in str(touchdown.summary())
    assert found.lost == {}
    assert "lost by this process" not in str(Page(found))


@pytest.mark.parametrize("part", ["fold", "settle"])
def test_ctrl_c_while_somebody_asks_for_totals_reaches_them_and_loses_nothing_in_silence(
    part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a record is counted it is told as lost, behind that it is not."""
    interrupted: list[bool] = []

    def interrupt(*_args: Any, **_kwargs: Any) -> None:
        if not interrupted:
            interrupted.append(True)
            raise KeyboardInterrupt

    owner, name = (LiveAccountant, "fold") if part == "fold" else (Held, "close")
    with capture() as seen:
        delivery = seen._runtime.delivery
        with delivery._in_hand, delivery._lock, touchdown.task("interrupted") as task:
            look(1)  # waits
            with monkeypatch.context() as patch:
                patch.setattr(owner, name, interrupt)
                with pytest.raises(KeyboardInterrupt):
                    delivery.drain()
        account = task.totals
    assert account.dropped_records == (1 if part == "fold" else 0)
    assert (account.tool_calls, interrupted) == (1, [True])
