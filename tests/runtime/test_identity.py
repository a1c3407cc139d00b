"""The clock of another process of this boot is gone by; that of no other."""

import time
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from touchdown.runtime import identity

HOUR_NS = 3_600 * 10**9


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    ours = identity.clock()
    yield
    assert identity.go_by(ours)


def test_a_clock_of_this_boot_is_gone_by() -> None:
    theirs = identity.clock()
    theirs = replace(theirs, anchor_ns=theirs.anchor_ns - HOUR_NS)
    assert identity.go_by(theirs)
    assert identity.now_ns() - time.time_ns() < -HOUR_NS // 2
    assert identity.steady(identity.since_epoch(7)) == 7


@pytest.mark.parametrize("change", [{"of": "another boot"}, {"read_ns": 2**62}])
def test_a_clock_that_cannot_be_this_boots_is_not(change: dict[str, object]) -> None:
    theirs = identity.clock()
    theirs = replace(theirs, anchor_ns=theirs.anchor_ns - HOUR_NS, **change)  # type: ignore[arg-type]
    assert not identity.go_by(theirs)
    assert identity.now_ns() - time.time_ns() > -HOUR_NS // 2
