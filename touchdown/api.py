"""The one place that wires everything: ``instrument()``, ``uninstrument()``, ``summary()``, ``flush()``."""

import importlib.metadata
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from touchdown.clients.registry import CLIENTS
from touchdown.integration import Seam
from touchdown.live.run_folder import RunFolder
from touchdown.runtime import core, handing
from touchdown.runtime.arming import Armed, Arms, load_object
from touchdown.runtime.collecting import Collecting
from touchdown.runtime.ending import at_end, never_mind
from touchdown.runtime.guard import disabled, failed, forget_warnings, guarded, warn_once
from touchdown.runtime.handing import Ticket
from touchdown.runtime.limits import OnBudget
from touchdown.runtime.patches import Held
from touchdown.runtime.processes import follow_processes
from touchdown.runtime.threads import follow_threads
from touchdown.wiring import build_runtime, read_asked, receipt_of, summary_of

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from touchdown.report import SummaryView

ENTRY_POINTS = "touchdown.integrations"
EXIT_S = 2.0
"""How long the process may be held at its exit to deliver and send what is pending."""

_lock = threading.RLock()
_arms = Arms(Seam())
_threads, _processes = Held(follow_threads), Held(follow_processes)
_current: "Instrumentation | None" = None
_entered: Ticket | None = None
"""What this process of ``multiprocessing`` was handed."""


class Instrumentation:
    """What ``instrument()`` set up. ``uninstrument()`` takes it back."""

    def __init__(
        self, runtime: core.Runtime | None, hosts: tuple[str, ...], asked: dict[str, Any]
    ) -> None:
        self._runtime, self._hosts, self._asked = runtime, hosts, asked
        self._by_run = False

    @property
    def active(self) -> bool:
        """Whether anything is captured: false under ``TOUCHDOWN_DISABLED`` and after ``uninstrument()``."""
        return self._runtime is not None

    @property
    def patched(self) -> dict[str, Armed]:
        """What became of each client and integration, by the host's import name."""
        return {host: _arms.entries[host] for host in self._hosts}

    @property
    def runtime(self) -> core.Runtime | None:
        """The runtime, for ``touchdown doctor`` and tests."""
        return self._runtime

    @property
    def collector(self) -> Collecting | None:
        """The receiver inside this process, where one was asked for, or its ``problem``."""
        return None if self._runtime is None else self._runtime.collector

    def uninstrument(self) -> None:
        """Give every patched attribute back and close what was opened."""
        if self.active:
            uninstrument()


def instrument(
    *,
    tracer_provider: "TracerProvider | None" = None,
    meter_provider: "MeterProvider | None" = None,
    journal: str | os.PathLike[str] | None = None,
    clients: Iterable[str] | None = None,
    integrations: bool = True,
    processes: bool = True,
    propagate_to: Iterable[str] | None = None,
    stream_usage: bool = False,
    cache_diagnostics: bool = False,
    capture_content: bool | str | None = None,
    redact: Callable[[str], str] | None = None,
    content_limit: int | None = None,
    prices: Iterable[Any] | None = None,
    policies: Mapping[str, Any] | None = None,
    budget_usd: Decimal | float | None = None,
    budget_tokens: int | None = None,
    budget_seconds: float | None = None,
    max_calls: int | None = None,
    max_repeats: int | None = None,
    on_budget: OnBudget = "raise",
    unpriced: Literal["allow", "block"] = "allow",
    collect: bool | int | None = None,
) -> Instrumentation:
    """Capture model calls, tools and agents of this process. Call it once, early; twice changes nothing.

    ``clients`` names the LLM clients to capture (all that are installed by default); an unknown name
    raises ``ValueError``. ``stream_usage=True`` asks chat streams for their usage where the caller did
    not, and hides the extra chunk. ``cache_diagnostics=True`` has Anthropic and OpenAI say with each answer
    how its request differs from the agent's one before: one more field in requests.
    ``capture_content`` shows prompts and answers (``docs/privacy.md``): ``True``, or a value of the standard
    variable, which holds where this is not given; each text goes through ``redact`` first, and
    ``content_limit`` is the most characters of an attribute. ``prices`` are your
    own, each a mapping with the keys of a ``[[price]]`` table of ``touchdown.toml`` (``docs/prices.md``);
    ``policies`` state what only you can say, as its ``[[policy.oversized_model]]`` tables do. ``journal``
    is a file (or ``TOUCHDOWN_JOURNAL``). ``collect=True``, or a port, receives what serving engines export of
    their own spans (``docs/collect.md``; or ``TOUCHDOWN_COLLECT``). Budgets are as in
    :func:`touchdown.task`, for the whole process.
    ``processes=False`` leaves programs and processes that are started here to themselves
    (``docs/processes.md``); calls to hosts in ``propagate_to`` say whose they are.
    ``TOUCHDOWN_DISABLED=1`` makes everything a no-op.
    """
    global _current
    asked = read_asked(locals().copy())  # the arguments, and nothing else yet
    chosen = _chosen(asked["clients"])
    with _lock:
        already = _already(asked)
        if already is not None:
            return already
        if disabled():
            return Instrumentation(None, (), asked)
        forget_warnings()
        runtime = _set_up(asked)
        _current = Instrumentation(runtime, _arm(chosen, integrations), asked)
        at_end(_at_exit)
        return _current


def _already(asked: dict[str, Any]) -> Instrumentation | None:
    """What an earlier call set up, said where this one asks for something else."""
    if _current is not None and asked != _current._asked:
        if _current._by_run:
            uninstrument()  # `touchdown run` came first, without options: the program's own hold
        else:
            warn_once(
                "instrument:twice",
                "touchdown: already instrumented; the new options change nothing",
            )
    return _current


def _set_up(asked: dict[str, Any]) -> core.Runtime:
    runtime = build_runtime(asked, RunFolder.current(), Ticket.of_environment(os.environ))
    if runtime.family is not None and _entered is not None:
        runtime.family.join(_entered, program=False)
    core.activate(runtime)
    _threads.hold()
    if asked["processes"]:
        _processes.hold()
    return runtime


def join_run() -> bool:
    """Instrument a process below ``touchdown run``, unless its program did so; false when turned off."""
    with _lock:
        if _current is None:
            instrument()._by_run = True
        return _current is not None


class Entry:
    """A ticket on its way to a process of ``multiprocessing``: unpickled there, it has joined this one."""

    def __init__(self, ticket: Ticket) -> None:
        self._ticket = ticket

    def __reduce__(self) -> tuple[Any, ...]:
        return _enter, msgspec.structs.astuple(self._ticket)


def _enter(*fields: str) -> Ticket:
    ticket = Ticket(*fields)
    _join_above(ticket)
    return ticket


@guarded("joining the process above")
def _join_above(ticket: Ticket) -> None:
    global _entered
    with _lock:
        _entered = ticket
        if _current is None and not disabled():
            from touchdown.live.handed import options_at

            folder, name = Path(ticket.parent).parent, Path(ticket.parent).stem
            instrument(**options_at(folder, name))._by_run = True
        elif _current is not None and _current.runtime is not None:
            family = _current.runtime.family
            if family is not None:
                family.join(ticket, program=False)


def arm_clients() -> Callable[[], None]:
    """Patch clients and threads alone, for as long as a test captures; hands back what undoes it."""
    undo = ExitStack()
    _threads.hold()
    undo.callback(_threads.let_go)
    undo.callback(_arms.disarm, _arm(tuple(CLIENTS), integrations=False))
    return undo.close


def _chosen(clients: tuple[str, ...] | None) -> tuple[str, ...]:
    unknown = [name for name in clients or () if name not in CLIENTS]
    if unknown:
        raise ValueError(f"unknown client {unknown[0]!r} in clients=; known: {', '.join(CLIENTS)}")
    return tuple(CLIENTS) if clients is None else clients


def _arm(clients: tuple[str, ...], integrations: bool) -> tuple[str, ...]:
    """Arm these clients, and the installed integrations; hands back all that was armed."""
    loads: dict[str, Callable[[], Any]] = {
        host: partial(_make, partial(load_object, CLIENTS[host])) for host in clients
    }
    try:
        for entry in importlib.metadata.entry_points(group=ENTRY_POINTS) if integrations else ():
            loads.setdefault(entry.name, partial(_make, entry.load))
    except Exception:
        failed("entry points")
    for host, load in loads.items():
        _arms.arm(host, load, quiet=host not in clients)
    return tuple(loads)


def _make(load: Callable[[], Any]) -> Any:
    made = load()
    return made() if isinstance(made, type) else made


def uninstrument() -> None:
    """Undo ``instrument()``: every patched attribute is the SDK's own again; nothing pending is lost."""
    global _current
    with _lock:
        if _current is None:
            return
        instrumentation, _current = _current, None
        _arms.disarm(instrumentation._hosts)
        _threads.let_go()
        if instrumentation._asked["processes"]:
            _processes.let_go()
        core.activate(None)
        runtime, instrumentation._runtime = instrumentation._runtime, None
        if runtime is not None:
            runtime.close(EXIT_S)
            runtime.accountant.close()
        never_mind(_at_exit)


def flush(timeout_s: float = 5.0) -> bool:
    """Fold and send everything that has ended; true when all of it went out in time."""
    runtime = core.active()
    return True if runtime is None else runtime.flush(timeout_s)


def summary() -> "SummaryView":
    """All tasks so far: the cost of a useful one, with its bounds, by name."""
    return summary_of(core.active())


def _at_exit() -> None:
    if _current is not None and _current.runtime is not None:
        _current.runtime.close(EXIT_S)


def _after_fork() -> None:
    global _lock
    _lock = threading.RLock()  # another thread of the parent may have held it


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

core.receipt_of = receipt_of
handing.entry_of = Entry
