"""What ``instrument()`` wires together: the accountant, its journals, the price book and the sinks."""

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from touchdown.live.accountant import LiveAccountant
from touchdown.live.budgets import BudgetGate
from touchdown.live.journal import Journal
from touchdown.live.kinship import Kinship
from touchdown.live.run_folder import Run, RunFolder
from touchdown.prices.deferred import DeferredBook
from touchdown.prices.location import find_config
from touchdown.runtime import core
from touchdown.runtime.budget import Budget
from touchdown.runtime.collecting import port_of
from touchdown.runtime.guard import failed, warn_once
from touchdown.runtime.handing import Family, Ticket
from touchdown.runtime.joined import Joined
from touchdown.runtime.limits import limits_of
from touchdown.runtime.loading import loading
from touchdown.runtime.losses import lost_so_far
from touchdown.runtime.options import Options, read_content_options
from touchdown.runtime.place import TaskState
from touchdown.runtime.private_folder import hold
from touchdown.runtime.receipt import Receipt
from touchdown.runtime.serving import NAMED, NamedHosts
from touchdown.runtime.sinks import Sink
from touchdown.runtime.tool_sink import ToolEventSink
from touchdown.telemetry.foreign.live import Beside
from touchdown.telemetry.spans import SpanSink

if TYPE_CHECKING:
    from touchdown.accounting.account import TaskAccount
    from touchdown.accounting.policies import Policies
    from touchdown.prices.book import PriceBook
    from touchdown.report.overview import SummaryView

SETTLE_S = 2.0
"""How long a call that a budget does not cover waits for the bills of those that ended before."""


def build_runtime(
    asked: dict[str, Any], folder: RunFolder | None = None, ticket: Ticket | None = None
) -> core.Runtime:
    """Accountant, journals, price book and sinks, wired together.

    And to the run of ``folder``, and to the process above, which handed over the ``ticket``.
    """
    run = folder.read() if folder is not None else None
    journals = {asked.get("journal") or os.environ.get("TOUCHDOWN_JOURNAL")}
    if folder is not None and run is not None:
        hold(folder.path)
        journals |= {run.journal, folder.new_journal()}
        folder.keep_prices(asked.get("prices") or ())
    limits = limits_of(asked)
    stated = find_config() is not None
    book = _book(asked.get("prices"), stated)
    policies = _policies(asked.get("policies"), stated)
    accountant = LiveAccountant(
        book, *(Journal(path) for path in journals if path), policies=policies
    )
    options = _options(asked, run)
    sinks: list[Sink] = [
        SpanSink(
            tracer_provider=asked.get("tracer_provider"),
            meter_provider=asked.get("meter_provider"),
            settled=partial(_settled, accountant),
            lost=partial(lost_so_far, accountant, options),
            traceparent=_above(run, ticket),
        ),
        Beside(),
        ToolEventSink(NAMED),
    ]
    if folder is None or run is None:
        runtime = core.Runtime(accountant, sinks, options)
    else:
        runtime = _below(folder, run, accountant, sinks, options)
    whole = None if limits is None else Budget("the process", limits)
    settle_pending = partial(runtime.delivery.drain, SETTLE_S)
    runtime.gate = BudgetGate(book, whole, settle_pending, runtime.note_refused)
    runtime.serving = _serving(stated)
    if asked.get("processes"):
        where = folder.path if folder is not None and run is not None else None
        runtime.family = Kinship(partial(_family, runtime, accountant, asked, where))
        if ticket is not None:
            runtime.family.join(ticket, program=True)
    if "collect" in asked and ticket is None:  # a process below tells the one that collects
        _collect(asked["collect"], stated, run is not None, runtime, accountant)
    return runtime


def _collect(
    asked: bool | int | None,
    stated: bool,
    in_run: bool,
    runtime: core.Runtime,
    accountant: LiveAccountant,
) -> None:
    """Open the receiver inside this process, where the option, the variable or the file asks for it."""
    if asked is False or (asked is None and not stated and not os.environ.get("TOUCHDOWN_COLLECT")):
        return
    try:
        with loading():
            from touchdown.collect.asked import configured_port
            from touchdown.collect.live import Collector, Shown
        port, wrong = (port_of(asked), "") if asked is not None else configured_port(os.environ)
        if wrong:
            warn_once("collect", "touchdown: %s; nothing is collected", wrong)
        if port is None:
            return
        collector = Collector(runtime, port, quiet=in_run)
        accountant.tell(Shown(collector))
        runtime.collector = collector
    except Exception:
        failed("collect")


def read_asked(asked: dict[str, Any]) -> dict[str, Any]:
    """The options as they are compared and handed on.

    Errors: ``ValueError`` for what is no limit, port or place for content, ``TypeError`` for no function.
    """
    clients = (asked["clients"],) if isinstance(asked["clients"], str) else asked["clients"]
    asked["clients"] = None if clients is None else tuple(clients)
    asked["prices"] = None if asked["prices"] is None else tuple(asked["prices"])
    named = asked["propagate_to"]
    asked["propagate_to"] = frozenset((named,) if isinstance(named, str) else named or ())
    limits_of(asked)
    port_of(asked["collect"])
    read_content_options(asked["capture_content"], asked["redact"], asked["content_limit"])
    return asked


def _above(run: Run | None, ticket: Ticket | None) -> str:
    """The span that those without a parent in this process are children of."""
    if ticket is not None and ticket.traceparent:
        return ticket.traceparent
    return run.traceparent if run is not None else ""


def _book(prices: Any, stated: bool) -> DeferredBook:
    """The price book; what the user stated is read, and its mistakes are told, at once."""
    book = DeferredBook(partial(_open_book, prices or ()))
    if prices or stated:
        _ = book.book
    return book


def _open_book(prices: Any) -> "PriceBook":
    with loading():
        from touchdown.prices.book import PriceBook
    book = PriceBook.configured(prices)
    for problem in book.problems:
        warn_once(f"prices:{problem}", "touchdown: %s", problem)
    return book


def _policies(given: Any, stated: bool) -> "Policies | None":
    if given is None and not stated:
        return None
    with loading():
        from touchdown.accounting.policies import configured_policies
    policies, wrong = configured_policies(given)
    for line in wrong:
        warn_once(f"policies:{line}", "touchdown: %s", line)
    return policies


def _serving(stated: bool) -> NamedHosts:
    """The hosts named in code, in the environment and in ``touchdown.toml``; the first call looks at them."""
    if not stated and not os.environ.get("TOUCHDOWN_ENGINES"):
        return NAMED
    with loading():
        from touchdown.engines.hosts import HOSTS
        from touchdown.engines.named import configured
    named, wrong = configured(os.environ)
    for line in wrong:
        warn_once(f"engines:{line}", "touchdown: %s", line)
    for one in named:
        if HOSTS.of(one.host, one.port) is None:
            HOSTS.name(one)
    return NAMED


def _family(
    runtime: core.Runtime, accountant: LiveAccountant, asked: dict[str, Any], folder: Path | None
) -> Family:
    from touchdown.live.family import ProcessFamily

    return ProcessFamily(runtime, accountant, asked, folder)


def _below(
    folder: RunFolder,
    run: Run,
    accountant: LiveAccountant,
    sinks: list[Sink],
    options: Options,
) -> core.Runtime:
    """The runtime of a process below ``touchdown run``: in its task, under its key."""
    key = bytes.fromhex(run.digest_key)
    accountant.fold(run.task)
    from touchdown.live.started import StartedCalls

    try:
        sinks.append(StartedCalls(folder.new_starts()))
    except OSError:
        failed("writing the starts of calls")
    joined = Joined(TaskState(run.task, run.task.id, key), first=folder.is_first())
    return core.Runtime(accountant, sinks, options, joined)


def _options(asked: dict[str, Any], run: Run | None) -> Options:
    stream_usage = run is not None and run.stream_usage
    return Options(
        stream_usage=stream_usage or bool(asked.get("stream_usage")),
        cache_diagnostics=bool(asked.get("cache_diagnostics")),
        digest_key=_digest_key() if run is None else bytes.fromhex(run.digest_key),
        propagate_to=frozenset(asked.get("propagate_to") or ()),
        content=read_content_options(
            asked.get("capture_content"), asked.get("redact"), asked.get("content_limit")
        ),
    )


def _digest_key() -> bytes | None:
    key = os.environ.get("TOUCHDOWN_DIGEST_KEY", "").encode()
    return key[:64] or None


def _settled(accountant: LiveAccountant, task_id: str) -> dict[str, Any]:
    """The settled ledger of a task as attributes of its span."""
    account = accountant.settled(task_id)
    if account is None:
        return {}
    from touchdown.telemetry.settled import settled_attributes

    return settled_attributes(account)


def receipt_of(account: "TaskAccount") -> Receipt:
    """A bill as it is shown."""
    with loading():
        from touchdown.report.receipt import Receipt as Shown
    runtime = core.active()
    lost = {} if runtime is None else lost_so_far(runtime.accountant, runtime.options)
    lost.pop("records", None)  # the account tells its own
    return Shown(account, lost)


def summary_of(runtime: core.Runtime | None) -> "SummaryView":
    """All tasks of a runtime so far, and what was lost."""
    with loading():
        from touchdown.accounting.account import Summary
        from touchdown.report.overview import SummaryView
    if runtime is None:
        return SummaryView(Summary())
    runtime.drain()
    accountant = runtime.accountant
    lost = lost_so_far(accountant, runtime.options)
    return SummaryView(accountant.summary(), accountant.accounts(), lost)


core.receipt_of = receipt_of
