"""What a process below must know of a task that it goes on with: a file in the private folder."""

import contextlib
import os
import pickle
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from touchdown.records import TaskRecord
from touchdown.runtime.budget import Budget
from touchdown.runtime.content import ContentOptions
from touchdown.runtime.guard import failed, warn_once
from touchdown.runtime.identity import Clock
from touchdown.runtime.place import TaskState
from touchdown.runtime.shared_cells import SharedBudget

REDACT = "redact"
NO_CONTENT = {"capture_content": False}

OUTSIDE = "outside"
"""The name of the file for processes that are started outside any task."""


class Handed(Struct, frozen=True):
    """A task, its key, and the budgets that its calls count in. ``task`` is ``None`` outside any task."""

    task: TaskRecord | None = None
    root_id: str = ""
    digest_key: str = ""
    budgets: tuple[SharedBudget, ...] = ()
    """Those of the task and of the tasks around it."""
    of_process: tuple[SharedBudget, ...] = ()
    """Those of the process above."""
    clock: Clock | None = None
    """How that one tells the time."""

    def state(self) -> TaskState | None:
        """The task as it is open here."""
        if self.task is None:
            return None
        key = bytes.fromhex(self.digest_key)
        budgets = tuple(Budget.shared(one) for one in self.budgets)
        return TaskState(self.task, self.root_id, key, budgets=budgets)


def hand(folder: Path, name: str, handed: Handed) -> None:
    """Write the file, whole or not at all, for our user alone."""
    _write(folder / f"{name}.task", msgspec.json.encode(handed))


def handed_at(folder: Path, name: str) -> Handed | None:
    """What was handed; ``None`` where the process above is gone."""
    try:
        return msgspec.json.decode((folder / f"{name}.task").read_bytes(), type=Handed)
    except (OSError, msgspec.MsgspecError):
        return None


def keep_options(folder: Path, name: str, options: dict[str, Any]) -> None:
    """What processes of ``multiprocessing`` are instrumented with, as far as it is data."""
    told = {}
    for key, value in options.items():
        with contextlib.suppress(TypeError, ValueError, msgspec.MsgspecError):
            told[key] = msgspec.Raw(msgspec.json.encode(value, enc_hook=_path))
    _write(folder / f"{name}.options", msgspec.json.encode(told))


def options_at(folder: Path, name: str) -> dict[str, Any]:
    """The same, read again; where the process above is gone, only that no content is shown."""
    try:
        told: dict[str, Any] = msgspec.json.decode((folder / f"{name}.options").read_bytes())
        if REDACT in told:
            told[REDACT] = pickle.loads(bytes.fromhex(told[REDACT]))
    except (OSError, msgspec.MsgspecError):
        return NO_CONTENT
    except Exception:  # the host's own code, or a module that is not there
        failed("taking over the function redact")
        return {**told, REDACT: None, **NO_CONTENT}
    return told


def content_told(content: ContentOptions | None) -> dict[str, Any]:
    """What a process of ``multiprocessing`` shows of content: nothing, where it cannot be redacted there."""
    if content is None:
        return NO_CONTENT
    told: dict[str, Any] = {"capture_content": content.where, "content_limit": content.limit}
    if content.redact is not None:
        try:
            told[REDACT] = pickle.dumps(content.redact).hex()
        except Exception as error:
            warn_once(
                "handed:redact",
                "touchdown: redact cannot be pickled (%s); processes of multiprocessing that are"
                " started anew show no content",
                type(error).__name__,
            )
            return NO_CONTENT
    return told


def _path(value: object) -> str:
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    raise TypeError


def _write(target: Path, data: bytes) -> None:
    part = target.with_suffix(f"{target.suffix}.{os.getpid()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_CLOEXEC", 0)
    descriptor = os.open(part, flags, 0o600)
    try:
        os.write(descriptor, data)
    finally:
        os.close(descriptor)
    os.replace(part, target)
