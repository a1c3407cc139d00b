"""A source's own total beside ours: what it leaves out is named."""

from pathlib import Path

from tests.sessions import claude_lines as claude
from tests.sessions.claude_lines import answer, prompt, usage
from tests.sessions.reading import Read, read_one
from tests.sessions.test_atif import STEPS, trajectory
from tests.sessions.test_atif import write as write_atif
from touchdown.prices.book import PriceBook
from touchdown.sessions.reconcile import compare


def why(read: Read) -> tuple[str, ...]:
    assert read.session.reported is not None
    compared = compare("s", read.session.reported, read.account(PriceBook()))
    assert compared is not None
    return compared.why


def test_calls_that_tell_no_cost_are_counted(tmp_path: Path) -> None:
    used = usage(1000, 0, 0, 100)
    lines = [
        prompt("u1", None, 0, "go"),
        answer("a1", "u1", 1, "m1", used, stop="end_turn", costUSD=0.0075),
        answer("a2", "a1", 2, "m2", used, stop="end_turn"),
        answer("a3", "a2", 3, "m3", used, stop="end_turn"),
    ]
    assert why(read_one(claude.write(tmp_path / "a", *lines))) == (
        "2 of 3 model calls carry no costUSD",
    )
    steps = [dict(one) for one in STEPS]
    steps[2]["metrics"] = {**steps[2]["metrics"], "cost_usd": 9}
    read = read_one(write_atif(tmp_path / "a.json", trajectory(*steps)))
    assert why(read)[0] == "1 of 2 model calls carry no metrics.cost_usd"


def test_one_call_is_one_call(tmp_path: Path) -> None:
    lines = [
        prompt("u1", None, 0, "go"),
        answer("a1", "u1", 1, "m1", usage(1000, 0, 0, 1), stop=None, costUSD=0.0075),
    ]
    assert why(read_one(claude.write(tmp_path / "a", *lines))) == (
        "not in our total: output known only in part (1 call)",
    )
