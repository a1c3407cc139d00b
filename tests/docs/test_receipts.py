"""README's receipt is what the demo prints, but for figures that vary from one machine to the next."""

from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.version import Version

from tests.cli.test_demo import run
from tests.docs.receipts import LEFT_OUT, for_readme, form, in_readme

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> str:
    ran = run(cwd=tmp_path_factory.mktemp("demo"))
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.skipif(
    Version(version("genai-prices")) < Version("0.2"),
    reason="an older price book knows no other sellers",
)
def test_the_readme_shows_what_the_demo_prints(printed: str) -> None:
    shown, real = in_readme(README.read_text(encoding="utf-8")), for_readme(printed)
    told = f"paste this into README, under 'A receipt':\n\n{real}"
    assert list(form(shown)) == list(form(real)), told


def test_what_is_left_out_is_really_printed(printed: str) -> None:
    starts = [part.strip() for part in printed.split("\n\n")]
    assert [name for name in LEFT_OUT if not any(each.startswith(name) for each in starts)] == []


def test_figures_may_differ_and_words_may_not() -> None:
    receipt = "bill\n  work  ~$0.02633  70.2%  ███▋\n\nwhat to mend\n  1 call paid for 3,278 tokens"
    other = "bill\n  work  $1.20  7%  ▏\n\nwhat to mend\n  1 call paid\n  for 12 tokens"
    assert list(form(receipt)) == list(form(other))
    assert list(form(receipt)) != list(form(receipt.replace("1 call", "2 calls")))
    assert list(form(receipt)) != list(form(receipt.replace("work", "retries")))
    assert list(form(receipt)) != list(form(receipt.replace("\n\n", "\n")))


def test_a_wait_that_only_a_slow_machine_tells_makes_no_difference() -> None:
    money = (
        "what to mend\n  cache_miss  ~$0.1 · 9 tokens\n    why:  it changed\n    mend: keep it\n"
    )
    waits = (
        "  queue  211 ms\n    why:  the server asked\n  runtime_overhead  1.7 s\n    mend: less\n"
    )
    assert list(form(money + waits + "  and 1 finding more in the JSON report\n")) == list(
        form(money)
    )
    assert list(form(money + waits)) != list(form(waits))
