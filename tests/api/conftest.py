"""A process that is not instrumented before or after a test, with the price data read once."""

import functools
from collections.abc import Iterator

import pytest

import touchdown
from touchdown.prices import book
from touchdown.runtime import core, guard
from touchdown.testing import Provider, Reply


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("TOUCHDOWN_DISABLED", "TOUCHDOWN_JOURNAL", "OTEL_TRACES_EXPORTER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(book, "open_installed", functools.cache(book.open_installed))
    guard.forget_warnings()
    yield
    touchdown.uninstrument()
    assert core.active() is None
    guard.forget_warnings()


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider(lambda _request: Reply("a long answer", chunk_chars=2)) as running:
        yield running
