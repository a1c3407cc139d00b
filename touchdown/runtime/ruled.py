"""A tool whose own rule says, from a result, whether it failed."""

from collections.abc import Callable
from types import TracebackType
from typing import Any

from touchdown.runtime.guard import failed, must_be_awaited
from touchdown.runtime.step import StepObservation

Failed = Callable[[Any], bool]
"""Whether this result is a failure."""


class Ruled:
    """A tool's observation that asks the tool's own rule whether a result is a failure."""

    def __init__(self, seen: StepObservation, rule: Failed) -> None:
        self._seen, self._rule = seen, rule

    def __enter__(self) -> StepObservation:
        return self._seen.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._seen.__exit__(kind, error, tb)

    def finish(self, result: object = None, *, status: Any = "ok") -> None:
        by_rule = None
        try:
            said = status == "ok" and self._rule(result)
            by_rule = "rule" if said and not must_be_awaited("tool(failed=)", said) else None
        except Exception:
            failed("tool.failed")
        self._seen.finish(result, status=status, failed_by=by_rule)

    def fail(self, error: BaseException) -> None:
        self._seen.fail(error)
