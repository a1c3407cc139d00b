"""Processes that are started here go on where they were started: by a copied environment, or by a ticket.

The one declared exception to leaving arguments as they are. ``os.environ`` is never written.
"""

import os
import sys
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import ModuleType
from typing import Any

from touchdown.runtime import core, handing
from touchdown.runtime.carried import NOTHING, Carried
from touchdown.runtime.guard import guarded
from touchdown.runtime.handing import PARENT, TRACEPARENT, Ticket
from touchdown.runtime.jobs import Job
from touchdown.runtime.patches import Hook, Patches, Undo

Call = Callable[..., Any]

KEY = "touchdown"
"""In the configuration that a process of ``multiprocessing`` takes along."""

POPEN, SPAWN, KEYWORD = 10, 2, sys.maxsize
"""The position of ``env`` among the arguments of ``Popen`` and ``posix_spawn``; of others it has none."""

_starting: ContextVar[bool] = ContextVar("touchdown_starting", default=False)
_EXECUTORS = (
    "concurrent.futures.process",
    "loky.process_executor",
    "joblib.externals.loky.process_executor",
)
_WORKERS = {
    ("multiprocessing.pool", "worker"),
    *((module, "_process_worker") for module in _EXECUTORS),
}


def follow_processes() -> Undo:
    """Patch what starts processes, each when it is imported; hands back what takes that back."""
    patches = Patches()
    patches.when_imported("subprocess", _patch_subprocess)
    patches.when_imported("multiprocessing.process", _patch_processes)
    patches.when_imported("multiprocessing.pool", _patch_pool)
    for name in _EXECUTORS:
        patches.when_imported(name, _patch_executor)
    patches.when_imported("uvloop", _patch_uvloop)
    for name in ("posix_spawn", "posix_spawnp"):
        patches.wrap(os, name, _open_at(SPAWN))
    return patches.take_back


def _patch_subprocess(patches: Patches, module: ModuleType) -> None:
    patches.wrap(module.Popen, "__init__", _open_at(POPEN))


def _patch_uvloop(patches: Patches, module: ModuleType) -> None:
    """Its loop starts programs by itself, and the class that does so is sealed."""
    for name in ("subprocess_exec", "subprocess_shell"):
        patches.wrap(module.Loop, name, _open_at(KEYWORD), inherited=True)


def _patch_processes(patches: Patches, module: ModuleType) -> None:
    patches.wrap(module.BaseProcess, "start", _start)


def _patch_pool(patches: Patches, module: ModuleType) -> None:
    for name in ("apply_async", "_map_async", "imap", "imap_unordered"):
        patches.wrap(module.Pool, name, _submit)


def _patch_executor(patches: Patches, module: ModuleType) -> None:
    patches.wrap(module.ProcessPoolExecutor, "submit", _submit)


# -- programs --------------------------------------------------------------------------------------


def _open_at(position: int) -> Hook:
    def start(wrapped: Call, _owner: object, args: Any, kwargs: Any) -> Any:
        args, kwargs = _with_environment(position, args, kwargs) or (args, kwargs)
        return wrapped(*args, **kwargs)

    return start


@guarded("processes.environment")
def _with_environment(position: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    is_placed = len(args) > position
    if position == SPAWN and not is_placed:
        return None
    given = args[position] if is_placed else kwargs.get("env")
    if given is not None and not isinstance(given, Mapping):
        return None  # an error of the host's, which is told by subprocess
    ticket = _ticket(_here())
    if ticket is None:
        return None
    environment = _added(dict(os.environ if given is None else given), ticket)
    if is_placed:
        return (*args[:position], environment, *args[position + 1 :]), kwargs
    return args, {**kwargs, "env": environment}


def _added(environment: dict[Any, Any], ticket: Ticket) -> dict[Any, Any]:
    """The variables of the ticket; a TRACEPARENT of the caller's own holds."""
    ours = ticket.environment()
    theirs = environment.get(TRACEPARENT) or environment.get(TRACEPARENT.encode())
    if theirs is not None and not _is_inherited(environment, theirs):
        ours.pop(TRACEPARENT, None)
    elif theirs is not None and TRACEPARENT not in ours:
        environment.pop(TRACEPARENT, None)  # the span of the process above is not where this begins
    for name, value in ours.items():
        environment.pop(name.encode(), None)
        environment[name] = value
    return environment


def _is_inherited(environment: Mapping[Any, Any], traceparent: object) -> bool:
    """Whether a TRACEPARENT is only the one that this process itself was started with, by one of ours."""
    return (
        PARENT in os.environ
        and environment.get(PARENT) == os.environ[PARENT]
        and traceparent == os.environ.get(TRACEPARENT)
    )


# -- processes of multiprocessing -------------------------------------------------------------------


def _start(wrapped: Call, process: Any, args: Any, kwargs: Any) -> Any:
    entry = _entry(process)
    if entry is None:
        return wrapped(*args, **kwargs)
    process._config[KEY] = entry
    token = _starting.set(True)
    try:
        return wrapped(*args, **kwargs)
    finally:
        _starting.reset(token)
        process._config.pop(KEY, None)


@guarded("processes.start")
def _entry(process: Any) -> object:
    target = getattr(process, "_target", None)
    name = (getattr(target, "__module__", ""), getattr(target, "__qualname__", ""))
    ticket = _ticket(NOTHING if name in _WORKERS else _here())
    return None if ticket is None or handing.entry_of is None else handing.entry_of(ticket)


def _submit(wrapped: Call, pool: Any, args: Any, kwargs: Any) -> Any:
    args = _with_job(args) or args
    return wrapped(*args, **kwargs)


@guarded("processes.submit")
def _with_job(args: tuple[Any, ...]) -> tuple[Any, ...] | None:
    runtime = core.active()
    if runtime is None or runtime.family is None or not args or not callable(args[0]):
        return None
    return (Job(args[0], _here()), *args[1:])


def _here() -> Carried:
    runtime = core.active()
    return NOTHING if runtime is None else runtime.hand_over()


def _ticket(carried: Carried) -> Ticket | None:
    runtime = core.active()
    if runtime is None or runtime.family is None:
        return None
    return runtime.family.ticket(carried, runtime.traceparent())


# -- forks -----------------------------------------------------------------------------------------


@guarded("processes.before_fork")
def _before_fork() -> None:
    runtime = core.active()
    if runtime is not None and runtime.family is not None:
        runtime.family.before_fork(_starting.get() or not _here().is_nothing)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork)
