"""No host stays named after a test."""

from collections.abc import Iterator

import pytest

from touchdown.engines.hosts import HOSTS


@pytest.fixture(autouse=True)
def _no_host_stays_named() -> Iterator[None]:
    yield
    for host in HOSTS.all:
        HOSTS.forget(host)
