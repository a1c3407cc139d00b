"""Warnings are said anew in every test."""

from collections.abc import Iterator

import pytest

from touchdown.runtime import guard


@pytest.fixture(autouse=True)
def _nothing_said() -> Iterator[None]:
    guard.forget_warnings()
    yield
    guard.forget_warnings()
