"""A budget holds over all processes that are started under it, by whatever method."""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from decimal import Decimal
from functools import partial

import pytest

import touchdown
from tests.exits.cells import REPOSITORY
from tests.processes.spender import spend
from touchdown.testing import Provider, Reply

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
ALLOWED = 5
WANTED = 4
"""Calls that each of three children would make."""


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    with Provider(lambda _request: Reply("ok")) as running:
        for name, value in {**running.env(), "PYTHONPATH": str(REPOSITORY)}.items():
            monkeypatch.setenv(name, value)
        touchdown.instrument()
        try:
            yield running
        finally:
            touchdown.uninstrument()


def programs() -> None:
    """Three at once."""
    command = [sys.executable, "-m", "tests.processes.spender", str(WANTED)]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for child in children:
        child.communicate(timeout=120)
        assert child.returncode == 0


def processes(method: str) -> None:
    """Three at once."""
    context = multiprocessing.get_context(method)
    children = [context.Process(target=spend, args=(WANTED,)) for _ in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join(120)
        assert child.exitcode == 0


def pool() -> None:
    """Three jobs of two workers."""
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as workers:
        list(workers.map(spend, [WANTED] * 3))


WAYS: dict[str, Callable[[], None]] = {
    "fork": partial(processes, "fork"),
    "spawn": partial(processes, "spawn"),
    "programs": programs,
    "pool": pool,
}


@pytest.mark.parametrize("way", WAYS)
def test_no_more_calls_are_sent_than_the_parent_allows(way: str, provider: Provider) -> None:
    with touchdown.task("bounded", max_calls=ALLOWED) as task:
        WAYS[way]()
        assert len(provider.requests) == ALLOWED
        account = task.totals
        assert (account.model_calls, account.refused_calls > 0) == (ALLOWED, True)
        with pytest.raises(touchdown.BudgetExceeded):
            one_more()


def one_more() -> None:
    """A call of the parent's own."""
    import openai

    with openai.OpenAI() as client:
        client.chat.completions.create(
            model="gpt-5.4", max_tokens=10, messages=[{"role": "user", "content": "hi"}]
        )


def test_dollars_are_settled_over_processes(provider: Provider) -> None:
    with touchdown.task("bounded", budget_usd=0.01) as task:
        for way in (partial(processes, "spawn"), programs):
            way()
        spent = task.totals.money.total_usd
        assert task.totals.money.complete
        assert spent is not None
        assert 0 < spent <= Decimal("0.01")
        (budget,) = task._state.budgets
        assert budget._cells[0] == spent.scaleb(12)  # all that was reserved gave way to its bill
        assert list(budget._cells[1:2]) == [0]
