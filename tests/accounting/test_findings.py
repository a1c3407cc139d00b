"""Findings: why in one sentence with figures, where, the mend, and what it saves net; dearest first."""

from msgspec.structs import replace

from tests.accounting.build import (
    MILLION,
    SYSTEM,
    TOOLS,
    FixedPrices,
    after,
    asks,
    call,
    result,
    seg,
    usage,
    usd,
)
from touchdown.accounting.account import Finding
from touchdown.accounting.ledger import refold
from touchdown.accounting.taxes.queue import UNSEEN
from touchdown.accounting.taxes.registry import ACCOUNTS, TAXES, file_of, tax_of
from touchdown.records import ModelCall, ToolCall

START = [TOOLS, SYSTEM, seg("goal")]


def findings(*records: ModelCall | ToolCall) -> tuple[Finding, ...]:
    return refold(records, FixedPrices()).account().findings


def test_a_changed_tool_list_is_told_with_its_place_and_what_the_mend_saves() -> None:
    first = call("c1", 0, START, usage(0, 0, 100, {"5m": 3000}))
    changed = [seg("other", 4000, "tools", tool_name="run"), *START[1:]]
    second = call("c2", 60, changed, usage(0, 0, 10, {"5m": 3000}))
    (found,) = findings(first, second)

    assert found == Finding(
        tax="cache_miss",
        usd=usd("0.0115"),
        tokens=2000,
        why="1 call paid for 2,000 tokens again because a tool definition changed: "
        "tool definition 1 (run) differs (segment 0, token 0)",
        basis="estimated",
        fix="keep the tool definitions and their order the same from call to call",
        spans=("span-c2",),
        saves_usd=usd("0.0115"),
    )


def test_asking_for_caching_is_priced_with_the_writes_it_would_take() -> None:
    first = call("c1", 0, START, usage(3000), caching="off")
    second = call("c2", 60, context=after(first, 3, seg("a")), used=usage(4000))
    third = call("c3", 90, context=after(second, 4, seg("b")), used=usage(5000))
    (found,) = findings(first, second, third)

    assert (found.tokens, found.usd) == (7000, 7000 * usd("4.5") / MILLION)
    assert found.saves_usd == found.usd - 5000 * usd("1.25") / MILLION if found.usd else None


def test_a_longer_life_is_priced_with_its_dearer_writes() -> None:
    first = call("c1", 0, START, usage(0, 0, 1, {"5m": 3000}))
    late = call("c2", 900, context=after(first, 3, seg("a")), used=usage(0, 0, 1, {"5m": 4000}))
    found, unread = findings(first, late)

    assert (found.tax, found.usd) == ("cache_expired", usd("0.01725"))
    assert (unread.tax, unread.usd) == ("cache_unread", 3000 * usd("1.25") / MILLION)
    # The first write at 10 instead of 6.25; of the second only what is new would have been made.
    assert found.saves_usd == usd("0.01725") - 4000 * usd("3.75") / MILLION


def test_failed_tools_are_named() -> None:
    first = call("c1", 0, START, usage(3000), output=asks(("t1", "run"), ("t2", "look")))
    shape = after(first, 3, result("t1", failed=True), result("t2", failed=True))
    (found,) = findings(first, call("c2", 5, context=shape, used=usage(2000, 3000)))

    assert found.tax == "failed_tools"
    assert found.why == (
        "2 tool calls failed (run 1x, look 1x); 2 model calls asked for them or carried their errors"
    )
    assert found.saves_usd == found.usd


def test_findings_come_dearest_first() -> None:
    first = call("c1", 0, START, usage(0, 0, 100, {"5m": 3000}), output=asks(("t1", "run")))
    failed = after(first, 3, result("t1", chars=100, failed=True))
    second = call("c2", 5, context=failed, used=usage(0, 3000, 10, {"5m": 25}))
    changed = [seg("other", 4000, "tools"), *START[1:]]
    third = call("c3", 60, changed, usage(0, 0, 10, {"5m": 3000}))

    assert [found.tax for found in findings(first, second, third)] == ["cache_miss", "failed_tools"]


def test_a_session_without_a_fault_has_no_findings() -> None:
    calls = [call("c00", 0, START, usage(0, 0, 50, {"5m": 3000}))]
    for number in range(1, 40):
        shape = after(calls[-1], 2 + number, seg(f"said {number}", 400))
        if number % 7 == 0:
            known = [*START, *(seg(f"said {n}", 400) for n in range(1, number + 1))]
            shape = replace(calls[0].context, new=tuple(known))
        used = usage(0, 2900 + 100 * number, 50, {"5m": 100})
        calls.append(call(f"c{number:02}", 30 * number, context=shape, used=used))
    account = refold(calls, FixedPrices()).account()

    assert account.findings == ()
    assert account.money.work_usd == account.money.total_usd
    assert account.cache.misses == ()


def test_unpriced_misses_are_found_without_a_figure() -> None:
    first = call("c1", 0, START, usage(0, 0, 1, {"5m": 3000}), model="claude-unheard-of-9")
    late = call(
        "c2", 900, [*START, seg("a")], usage(0, 0, 1, {"5m": 4000}), model="claude-unheard-of-9"
    )
    (found,) = findings(first, late)

    assert (found.tax, found.tokens, found.usd, found.saves_usd) == (
        "cache_expired", 3000, None, None,
    )  # fmt: skip


def test_every_tax_of_the_design_is_listed_once_with_its_question() -> None:
    assert [tax.id for tax in TAXES] == [
        "cache_miss", "cache_expired", "cache_unread", "rerouting", "subagent_fanout", "compaction",
        "tool_output", "failed_tools", "retries", "unneeded_work", "queue", "jitter",
        "prefill_blocks_decode", "decode_starved", "kv_offload", "fabric_transfer",
        "runtime_overhead", "cpu_waits_on_gpu", "gpu_waits_on_cpu", "oversized_model",
        "provider_margin", "abandoned",
    ]  # fmt: skip
    assert all(tax.question and tax.needs for tax in TAXES)
    assert [file_of(tax) for tax in TAXES][:1] == ["accounting/taxes/cache_miss.py"]
    for tax in TAXES:
        for cause in tax.causes:
            assert tax_of(cause) == tax.id


def test_an_account_says_which_taxes_it_could_not_ask_about() -> None:
    account = refold([call("c1", 0, START, usage(3000))], FixedPrices()).account()

    assert set(account.money.taxes) == {tax.id for tax in ACCOUNTS}
    assert account.not_observable["queue"] == UNSEEN
    assert account.not_observable["abandoned"] == "the outcome of the task is not known"
    told = {*account.not_observable, *account.money.taxes}
    assert told == {tax.id for tax in TAXES} - {"cpu_waits_on_gpu"}
