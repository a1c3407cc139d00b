"""What a long-lived process keeps is bounded, and what is let go of is said."""

import time
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

import touchdown
from tests.accounting.build import GPT, FixedPrices
from tests.prices.calls import make_call, usage
from touchdown.accounting import summary as sums
from touchdown.accounting.account import Summary
from touchdown.context.blocks import Block, RequestView
from touchdown.context.tracker import PIECE_CHARS
from touchdown.live import ledgers as live
from touchdown.live.accountant import LiveAccountant
from touchdown.live.journal import Journal, read_journal
from touchdown.records import ModelCall, TaskRecord
from touchdown.records.task import Outcome
from touchdown.report import Receipt, SummaryView
from touchdown.runtime import implicit, trackers
from touchdown.runtime.delivery import Delivery
from touchdown.runtime.place import new_task
from touchdown.testing import capture

CALL_USD = Decimal("0.0028")
"""Of one call below."""


def task_of(name: str, *, closed: bool = False) -> TaskRecord:
    return TaskRecord(name, "job", int(name[1:]), duration_ns=1 if closed else None)


def call_of(task: str, number: int = 0) -> ModelCall:
    return make_call(
        GPT,
        "openai",
        id=f"{task}-{number}",
        task_id=task,
        agent_id=task,
        sent_at_ns=number,
        usage=usage(uncached=1000, output=100),
    )


def folded(tasks: int, calls: int = 1) -> LiveAccountant:
    """An accountant that was told of so many closed tasks."""
    accountant = LiveAccountant(FixedPrices())
    for index in range(tasks):
        name = f"t{index}"
        accountant.fold(task_of(name))
        for number in range(calls):
            accountant.fold(call_of(name, number))
        accountant.fold(task_of(name, closed=True))
    return accountant


def test_ledgers_of_closed_tasks_are_let_go_of_by_number_and_by_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "MAX_CLOSED", 5)
    assert len(folded(20).books._ledgers) == 5
    monkeypatch.setattr(live, "MAX_CLOSED_CALLS", 9)
    assert len(folded(20, calls=3).books._ledgers) == 3
    assert len(folded(3, calls=20).books._ledgers) == 1
    assert folded(20, calls=3).summary().total_usd == 60 * CALL_USD


def test_old_accounts_keep_their_sums_and_very_old_ones_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "MAX_CLOSED", 2)
    monkeypatch.setattr(live, "MAX_WHOLE", 3)
    monkeypatch.setattr(live, "MAX_ACCOUNTS", 10)
    accountant = folded(15)
    accounts = accountant.accounts()
    assert [account.task.id for account in accounts] == [f"t{n}" for n in range(3, 15)]
    assert [bool(account.models) for account in accounts] == [False] * 7 + [True] * 5
    assert {account.money.total_usd for account in accounts} == {CALL_USD}
    old = accountant.account(task_of("t3", closed=True))
    assert "only the sums of a task so long ago are held" in str(Receipt(old))
    summary = accountant.summary()
    assert (summary.tasks, summary.earlier, summary.complete) == (15, 3, True)
    assert summary.total_usd == 15 * CALL_USD
    view = SummaryView(summary, accounts)
    text = str(view)
    assert "3 earlier tasks, in all figures here and no longer listed" in text
    assert "at least" not in text
    assert view.report().summary.earlier_tasks == 3


def test_a_summary_is_the_same_whether_its_tasks_are_held_or_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = told_of_many()
    for name, most in (("MAX_CLOSED", 2), ("MAX_WHOLE", 3), ("MAX_ACCOUNTS", 4)):
        monkeypatch.setattr(live, name, most)
    summed = told_of_many()
    assert summed.earlier > 50
    assert replace(summed, earlier=0) == whole
    assert whole.by_name["job-1"].useful


def test_names_without_end_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sums, "MOST_NAMES", 2)
    for name, most in (("MAX_CLOSED", 1), ("MAX_WHOLE", 1), ("MAX_ACCOUNTS", 1)):
        monkeypatch.setattr(live, name, most)
    found = told_of_many().by_name
    assert {"job-0", "job-1", "other"} < set(found)
    assert found["other"].tasks > found["job-0"].tasks
    assert sum(one.tasks for one in found.values()) == 64


def told_of_many() -> Summary:
    """The summary of 64 tasks of 5 names with every outcome."""
    accountant = LiveAccountant(FixedPrices())
    for index in range(64):
        outcome: Outcome = ("useful", "useless", "unknown")[index % 3]
        task = TaskRecord(f"t{index}", f"job-{index % 5}", index)
        accountant.fold(task)
        accountant.fold(call_of(f"t{index}"))
        accountant.fold(replace(task, duration_ns=1, outcome=outcome, cpu_s=0.5))
    return accountant.summary()


def test_open_tasks_with_calls_without_end_are_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MAX_OPEN_CALLS", 20)
    accountant = LiveAccountant(FixedPrices())
    for index in range(10):
        accountant.fold(task_of(f"t{index}"))
        for number in range(6):
            accountant.fold(call_of(f"t{index}", number))
    assert len(accountant.books._ledgers) == 3
    assert accountant.summary().total_usd == 60 * CALL_USD


def test_an_outcome_still_comes_to_an_old_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MAX_CLOSED", 1)
    monkeypatch.setattr(live, "MAX_WHOLE", 1)
    accountant = folded(5)
    late = TaskRecord("t0", "job", 0, duration_ns=1, outcome="useful", revision=2)
    accountant.fold(late)
    assert accountant.summary().useful == 1


def test_open_tasks_without_end_are_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MAX_LEDGERS", 4)
    accountant = LiveAccountant(FixedPrices())
    for index in range(10):
        accountant.fold(task_of(f"t{index}"))
        accountant.fold(call_of(f"t{index}"))
    assert len(accountant.books._ledgers) == 4
    assert accountant.summary().total_usd == 10 * CALL_USD


def test_calls_beyond_the_most_of_a_task_are_counted_as_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(live, "MAX_CALLS", 3)
    path = tmp_path / "journal.jsonl"
    accountant = LiveAccountant(FixedPrices(), Journal(path))
    for number in range(8):
        accountant.fold(call_of("t1", number))
    account = accountant.account(task_of("t1"))
    assert (account.model_calls, account.dropped_records) == (3, 5)
    assert not account.money.complete
    assert "dropped: 5 records" in " ".join(str(Receipt(account)).split())
    assert len(list(read_journal(path))) == 8
    accountant.close()


def test_a_journal_does_not_outgrow_its_bound(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TOUCHDOWN_JOURNAL_MAX_BYTES", "2000")
    path = tmp_path / "journal.jsonl"
    with capture(journal=path) as seen:
        for _ in range(20):
            with touchdown.task("one of many"):
                pass
        assert len(seen.accounts) == 20
    assert path.stat().st_size <= 2000
    kept = len(list(read_journal(path)))
    assert 0 < kept < 40
    said = [message for message in caplog.messages if "journal" in message]
    assert len(said) == 2
    assert "it would be larger than 2,000 bytes" in said[0]
    assert f"lost at the end: {40 - kept} lines of the journal" in said[1]


def test_contexts_are_let_go_of_by_their_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trackers, "MOST_CHARS", 1_000 + 2 * PIECE_CHARS)
    kept = trackers.Trackers()
    task = new_task("one")

    def ask(agent: str, chars: int) -> bool:
        """Whether the call was told as new since the agent's one before."""
        tracker = kept.of(task, agent)
        shape = tracker.shape(f"call-{agent}", RequestView([Block("user", "x" * chars)]))
        return shape.predecessor is not None

    assert [ask("a", 400), ask("b", 400), ask("a", 400), ask("c", 400)] == [
        False,
        False,
        True,
        False,
    ]
    assert [ask("a", 400), ask("b", 400)] == [True, False]
    assert not ask("d", 5_000)
    assert not ask("d", 5_000)
    many = RequestView([Block("user", "")] * 5)
    assert kept.of(task, "e").shape("call-e", many).predecessor is None
    assert kept.of(task, "e").shape("call-e", many).predecessor is None
    kept.forget(task.id)
    assert (kept._all_chars, kept._agents, kept._chars) == (0, 0, {})


def test_a_process_that_never_rests_gets_another_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(implicit, "MAX_CALLS", 4)

    @touchdown.tool
    def step() -> None:
        """Nothing."""

    with capture() as seen:
        for _ in range(10):
            step()
        assert [account.tool_calls for account in seen.accounts] == [4, 4, 2]
        assert [account.open for account in seen.accounts] == [False, False, True]


class Slow:
    """An item that takes its time."""

    def __init__(self) -> None:
        self.done = 0

    def deliver(self) -> None:
        """Take it."""
        time.sleep(0.02)
        self.done += 1

    def drop(self) -> None:
        """Nothing to count."""


def test_a_close_ends_in_time_and_says_how_many_items_it_left() -> None:
    delivery, item = Delivery(), Slow()
    for _ in range(100):
        delivery.put(item)
    left = delivery.close(0.1)
    assert left > 0
    assert item.done + left >= 100
    assert not delivery.drain(0.01)
    assert delivery.drain()
    assert item.done == 100


def test_what_a_full_queue_drops_is_counted_by_every_thread() -> None:
    delivery = Delivery(capacity=0)
    for _ in range(5):
        delivery.put(Slow())
    assert delivery.dropped == 5
