"""The pytest fixture ``touchdown_capture``, registered by the distribution's entry point."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from touchdown.testing.capturing import Capture


@pytest.fixture
def touchdown_capture() -> "Iterator[Capture]":
    """A fresh accountant and spans in memory for one test."""
    from touchdown.testing.capturing import capture

    with capture() as seen:
        yield seen
