"""The journal: refolded it is the same ledger; a disk that refuses is said once."""

import logging
from pathlib import Path
from typing import Any

import pytest

import touchdown
from touchdown.accounting.ledger import refold
from touchdown.live.journal import Journal, JournalError, read_journal
from touchdown.prices.book import PriceBook
from touchdown.records import TaskRecord
from touchdown.testing import Fault, Provider, Reply, ToolUse, capture


@touchdown.tool
def search(pattern: str) -> str:
    return pattern * 100


def run_agent(provider: Provider) -> touchdown.Task:
    anthropic = pytest.importorskip("anthropic")
    client = anthropic.Anthropic(base_url=provider.url, api_key="k")
    asked: dict[str, Any] = {"model": "claude-sonnet-5", "max_tokens": 50}
    with touchdown.task("journal") as task:
        history: list[Any] = [{"role": "user", "content": "look " * 2000}]
        answer = client.messages.create(**asked, messages=history)
        use = answer.content[-1]
        history += [
            {"role": "assistant", "content": answer.content},
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": use.id, "content": search("x")}],
            },
        ]
        client.messages.create(**asked, messages=history)
        with client.messages.stream(**asked, messages=[{"role": "user", "content": "y"}]) as stream:
            next(iter(stream))
        task.useful()
    return task


def test_refolded_it_is_the_same_ledger(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "journal.jsonl"
    script = [Reply(tool_uses=[ToolUse("search", {"pattern": "x"})]), Fault(429), "done", "cut"]
    with Provider(script) as provider, capture(journal=path):
        live = run_agent(provider).totals
    again = refold(read_journal(path), PriceBook()).account()
    assert live.money == again.money
    assert live.money.total_usd > 0
    assert (live.usage, live.cache, live.tools, live.models) == (
        again.usage,
        again.cache,
        again.tools,
        again.models,
    )


def test_a_half_written_last_line_is_passed_over_and_a_bad_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    journal.write(TaskRecord("task-1", "one", 1))
    journal.close()
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"kind":"TaskRe')
    assert [record.id for record in read_journal(path)] == ["task-1"]
    path.write_bytes(whole + b'{"kind":"Nothing"}\n')
    with pytest.raises(JournalError, match=r"journal\.jsonl:3: .*remove the line"):
        list(read_journal(path))


def test_a_full_disk_is_said_once_and_the_account_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    from touchdown.runtime.guard import forget_warnings

    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    forget_warnings()
    with caplog.at_level(logging.WARNING, "touchdown"), capture(journal="/dev/full") as seen:
        with touchdown.task("full") as task:
            search("x")
            search("y")
        assert task.totals.tool_calls == 2
        assert len(seen.tools) == 2
    said = [r.getMessage() for r in caplog.records if "journal" in r.getMessage()]
    assert len(said) == 1
    assert "No space left" in said[0]
