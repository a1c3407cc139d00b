"""The guard: what it says of an exception, and how often."""

import logging
from collections.abc import Iterator

import pytest

from touchdown.runtime import guard


@pytest.fixture(autouse=True)
def _nothing_said() -> Iterator[None]:
    guard.forget_warnings()
    yield
    guard.forget_warnings()


class SecretError(ValueError):
    """One whose text must not be told."""


def raising() -> None:
    raise SecretError("the secret")


def test_an_exception_is_told_by_type_and_place_alone(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        with guard.Guard("part"):
            raising()
    (record,) = caplog.records
    line = raising.__code__.co_firstlineno + 1
    assert record.getMessage() == (
        "touchdown: part failed; the call is not affected "
        f"(tests.runtime.test_guard.SecretError at runtime/test_guard.py:{line})"
    )
    assert (record.exc_info, record.exc_text, record.stack_info) == (None, None, None)
    assert "secret" not in repr(vars(record)).replace("SecretError", "")


def test_one_that_was_never_raised_is_told_by_its_type() -> None:
    assert guard.describe(KeyError("the secret")) == "KeyError"


def test_a_guarded_function_gives_nothing_and_what_is_no_exception_passes() -> None:
    assert guard.guarded("part")(raising)() is None
    with pytest.raises(KeyboardInterrupt), guard.Guard("part"):
        raise KeyboardInterrupt


def test_warnings_that_differ_without_end_come_to_an_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "touchdown")
    for number in range(guard.MOST_PLACES + 500):
        guard.warn_once(f"task {number}", "touchdown: task %s", number)
    assert len(caplog.messages) == guard.MOST_PLACES + 1
    assert caplog.messages[-1].endswith("further ones are left out")
    assert len(guard._warned) == guard.MOST_PLACES + 1
