"""What ``instrument()`` wires together: the accountant, its journals, the price book and the sinks."""

import os
from functools import partial
from typing import Any

from touchdown.accounting.policies import configured_policies
from touchdown.engines.hosts import HOSTS, EngineHosts
from touchdown.engines.named import configured
from touchdown.live.accountant import LiveAccountant
from touchdown.live.budgets import BudgetGate
from touchdown.live.family import ProcessFamily
from touchdown.live.journal import Journal
from touchdown.live.run_folder import Run, RunFolder
from touchdown.live.started import StartedCalls
from touchdown.prices.book import PriceBook
from touchdown.report import Receipt
from touchdown.runtime import core
from touchdown.runtime.budget import Budget
from touchdown.runtime.guard import failed, warn_once
from touchdown.runtime.handing import Ticket
from touchdown.runtime.joined import Joined
from touchdown.runtime.limits import limits_of
from touchdown.runtime.losses import lost_so_far
from touchdown.runtime.options import Options, read_content_options
from touchdown.runtime.place import TaskState
from touchdown.runtime.sinks import Sink
from touchdown.telemetry.foreign.live import Beside
from touchdown.telemetry.settled import settled_attributes
from touchdown.telemetry.spans import SpanSink

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
        journals |= {run.journal, folder.new_journal()}
        folder.keep_prices(asked.get("prices") or ())
    limits = limits_of(asked)
    book = PriceBook.configured(asked.get("prices") or ())
    for problem in book.problems:
        warn_once(f"prices:{problem}", "touchdown: %s", problem)
    policies, wrong = configured_policies(asked.get("policies"))
    for line in wrong:
        warn_once(f"policies:{line}", "touchdown: %s", line)
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
    ]
    if folder is None or run is None:
        runtime = core.Runtime(accountant, sinks, options)
    else:
        runtime = _below(folder, run, accountant, sinks, options)
    whole = None if limits is None else Budget("the process", limits)
    settle_pending = partial(runtime.delivery.drain, SETTLE_S)
    runtime.gate = BudgetGate(book, whole, settle_pending, runtime.note_refused)
    runtime.serving = _serving()
    if asked.get("processes"):
        where = folder.path if folder is not None and run is not None else None
        runtime.family = ProcessFamily(runtime, accountant, asked, where)
        if ticket is not None:
            runtime.family.join(ticket, program=True)
    return runtime


def _above(run: Run | None, ticket: Ticket | None) -> str:
    """The span that those without a parent in this process are children of."""
    if ticket is not None and ticket.traceparent:
        return ticket.traceparent
    return run.traceparent if run is not None else ""


def _serving() -> EngineHosts:
    """The hosts named in code, in the environment and in ``touchdown.toml``; the first call looks at them."""
    named, wrong = configured(os.environ)
    for line in wrong:
        warn_once(f"engines:{line}", "touchdown: %s", line)
    for one in named:
        if HOSTS.of(one.host, one.port) is None:
            HOSTS.name(one)
    return HOSTS


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
    return {} if account is None else settled_attributes(account)


core.receipt_of = Receipt
