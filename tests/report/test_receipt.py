"""The receipt on paper: what stands on it, and that its lines add up to its last printed digit."""

import re
import subprocess
import sys
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.report.accounts import LONG, MONEY, NOTHING, UNPRICED, named
from touchdown.accounting.account import AgentTotals, Money, TaskAccount
from touchdown.report import Receipt
from touchdown.report.text import cells

STATEMENT_LINE = re.compile(r"^  (\S.*?)  +~?(<?)\$([\d,.]+)(  .*)?$")

TAXES = ("cache_miss", "tool_output", "retries", "compaction", "subagent_fanout")
SMALL = st.decimals(min_value=0, max_value=Decimal("0.01"), allow_nan=False, places=12)
LARGE = st.decimals(min_value=0, max_value=10**5, allow_nan=False, places=7)
AMOUNT = SMALL | LARGE | st.just(Decimal(0))

LONG_BILL = """\
fix issue 4121                                                            useful
4 min 12 s · 40 model calls · 63 tool calls · 4 agents
1 model call failed · 3 attempts failed and sent again, 8.5 s of back-off
boundary tax ~$3.07 of at least $7.18 (43%)

bill
  work              $4.102   57.1%  ███████████████▉
  cache_miss        $1.220   17.0%  ████▊
  tool_output      ~$0.913   12.7%  ███▌
  subagent_fanout   $0.408    5.7%  █▌
  cache_expired     $0.330    4.6%  █▎
  compaction        $0.140    1.9%  ▌
  failed_tools      $0.038    0.5%  ▏
  cache_unread      $0.021    0.3%  ▏
  unexplained       $0.011    0.2%  ▏
  ────────────────────────
  total, at least   $7.183
  nothing paid for: retries
  not in the total: 2 calls unpriced; unknown model (2 calls)
  unexplained: expired_or_evicted $0.0110
  beside the bill: compaction saved $0.412; cache writes that may yet be read
                   unknown (not in the sum)

time
  model calls       ~164.0 s   65.0%  ██████████████████▏
  tools              ~62.0 s   24.6%  ██████▉
  own code            ~3.1 s    1.2%  ▎
  retries              9.1 s    3.6%  █
  jitter              ~6.3 s    2.5%  ▋
  runtime_overhead    <0.1 s   <0.1%  ▏
  unexplained          7.9 s    3.1%  ▉
  ──────────────────────────
  wall time          252.4 s
  unexplained: between calls, nothing was seen 7.9 s
  beside it: your side waited for models 3 min 01 s; 44.0 s more of model calls
             ran at the same time (not in the sum)
  wall time without: retries 4 min 05 s
  your CPUs: 0.20 cores for each call in flight; a GPU's 36 cores (GB200 NVL72)
             serve 180 of them; at most 3 tools at once, 1.5 on average

what to mend
  cache_miss  $1.22 · 341,000 tokens  saves $1.19
    why:  the system prompt changed at token 1,204 on every call
    mend: move the time stamp behind the conversation
"""


def test_the_receipt_of_a_long_task_reads_like_this() -> None:
    assert str(Receipt(LONG)).startswith(LONG_BILL)


def test_agents_are_a_tree_with_their_cost_and_what_went_down_and_back() -> None:
    assert _block(LONG, "agents") == [
        "agents               calls    own  below  total  given  copied   back",
        "  main                  28  $4.90  $2.28  $7.18  12.4k       0    900",
        "  ├─ reviewer            6  $1.20  $0.35  $1.55  41.2k   38.0k  1,200",
        "  │  └─ test-writer      2  $0.35  $0.00  $0.35  1,050       0    310",
        "  └─ explorer            4  $0.73  $0.00  $0.73  2,100       0      ?",
        "  given: tokens of its first context; copied: of these, in messages that another",
        "  agent had sent; back: characters of its result; ?: not known",
    ]


def test_tools_say_what_reading_and_carrying_their_output_cost() -> None:
    assert _block(LONG, "tools") == [
        "tools         calls  failed  output chars  first read  carried on",
        "  run_tests      14       3          182k      ~$0.14      ~$0.90",
        "  web_search      1       -       unknown     unknown     unknown",
    ]


def test_unknown_is_not_zero() -> None:
    text = str(Receipt(UNPRICED))
    assert "still open" in text
    assert "12.4 s so far" in text
    assert "  total  unknown\n" in text
    assert "not in the total: 5 calls unpriced; no price for this host (5 calls)" in text
    assert re.search(r"cache read +unknown", text)
    assert "$" not in text


def test_what_is_unexplained_is_told_in_words() -> None:
    reasons = {"opaque_input": Decimal("0.02"), "unknown": Decimal("0.01"), "evicted": Decimal(0)}
    money = Money(Decimal(1), unexplained_usd=Decimal("0.03"), unexplained_reasons=reasons)
    text = str(Receipt(TaskAccount(LONG.task, money=money)))
    assert "unexplained: input that was not recorded $0.0200, no cause is known $0.0100" in text


def test_no_tax_observed_is_not_a_tax_of_zero() -> None:
    money = Money(total_usd=Decimal(1), work_usd=Decimal(1))
    text = str(Receipt(TaskAccount(LONG.task, money=money)))
    assert "boundary tax not observable in $1.00" in text


def test_assumed_prices_make_the_total_an_estimate() -> None:
    money = replace(MONEY, basis={"total": "estimated"}, complete=True)
    text = str(Receipt(TaskAccount(LONG.task, money=money)))
    assert "boundary tax $3.07 of ~$7.18" in text
    assert re.search(r"total +~\$7\.183", text)


def test_a_task_without_calls_has_an_honest_empty_bill() -> None:
    text = str(Receipt(NOTHING))
    assert "tests still fail" in text
    assert re.search(r"total +\$0\.00", text)
    assert "tokens" not in text


def test_what_cannot_be_observed_is_named_with_its_reason() -> None:
    text = " ".join(str(Receipt(LONG)).split())
    assert "rerouting (the provider does not name the worker)" in text
    assert "queue, kv_offload (no serving engine told of it)" in text


def test_the_tilde_is_explained_once_and_only_when_used() -> None:
    assert str(Receipt(LONG)).count("~ estimated") == 1
    assert "~" not in str(Receipt(UNPRICED))


def test_agents_that_lost_their_parent_or_stand_in_a_circle_are_still_listed() -> None:
    runs = (
        AgentTotals("a", "b", "one", Decimal(1), Decimal(2)),
        AgentTotals("b", "a", "two", Decimal(1), Decimal(2)),
        AgentTotals("c", "gone", "three", Decimal(1), Decimal(1)),
        AgentTotals("d", "d", "four", Decimal(1), Decimal(1)),
    )
    text = "\n".join(_block(replace(LONG, agent_runs=runs), "agents"))
    assert all(text.count(name) == 1 for name in ("one", "two", "three", "four"))


def test_a_deep_chain_of_agents_stays_readable() -> None:
    runs = tuple(
        AgentTotals(str(i), str(i - 1), f"agent {i}", Decimal(1), Decimal(1)) for i in range(2000)
    )
    text = "\n".join(_block(replace(LONG, agent_runs=runs), "agents"))
    assert "agent 11 " in text
    assert "and 1,988 agent runs more" in text


@pytest.mark.parametrize("paid", ["0.000000000000001", "0.00001", "3", "98765432.1"])
def test_one_cent_beside_any_amount_is_not_lost(paid: str) -> None:
    money = Money(
        total_usd=Decimal(paid) + Decimal("0.0001"),
        work_usd=Decimal(paid),
        taxes={"retries": Decimal("0.0001")},
    )
    assert re.search(r"retries +<?\$0\.\d*1", str(Receipt(TaskAccount(LONG.task, money=money))))


@given(AMOUNT, st.dictionaries(st.sampled_from(TAXES), AMOUNT), AMOUNT, st.booleans())
def test_the_printed_lines_add_up_to_the_printed_total(
    work: Decimal, taxes: dict[str, Decimal], unexplained: Decimal, complete: bool
) -> None:
    total = work + sum(taxes.values(), Decimal(0)) + unexplained
    money = replace(
        MONEY,
        total_usd=total,
        work_usd=work,
        taxes=taxes,
        unexplained_usd=unexplained,
        complete=complete or not total,
    )
    *parts, printed_total = _printed(TaskAccount(LONG.task, money=money))
    assert sum(parts) == printed_total
    assert abs(printed_total - total) <= Decimal("0.005")


@given(st.text(st.characters(), max_size=300))
def test_no_name_breaks_the_columns_or_reaches_the_terminal(name: str) -> None:
    text = str(Receipt(named(name)))
    assert all(cells(line) <= 80 for line in text.splitlines())
    assert not set(text) & set(map(chr, [*range(10), *range(11, 32), *range(127, 160)]))
    text.encode("utf-8")


def test_giant_figures_stay_in_the_columns() -> None:
    usage = replace(LONG.usage, uncached_input=10**60)
    account = replace(LONG, usage=usage, models=(replace(LONG.models[0], calls=10**70),))
    assert all(cells(line) <= 80 for line in str(Receipt(account)).splitlines())


def test_reading_a_receipt_needs_no_pydantic_and_importing_it_no_rich() -> None:
    program = (
        "import sys, touchdown.report\n"
        "assert not {'pydantic', 'rich'} & set(sys.modules), 'import'\n"
        "from tests.report.accounts import LONG\n"
        "str(touchdown.report.Receipt(LONG))\n"
        "assert not {'pydantic', 'rich.console'} & set(sys.modules), 'str'\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def _block(account: TaskAccount, title: str) -> list[str]:
    blocks = str(Receipt(account)).split("\n\n")
    return next(block for block in blocks if block.startswith(title)).splitlines()


def _printed(account: TaskAccount) -> list[Decimal]:
    rows = [match for line in _block(account, "bill") if (match := STATEMENT_LINE.match(line))]
    names = [row[1] for row in rows]
    last = next(i for i, name in enumerate(names) if name.startswith("total"))
    return [
        Decimal(0) if "<" in row[2] else Decimal(row[3].replace(",", ""))
        for row in rows[: last + 1]
    ]
