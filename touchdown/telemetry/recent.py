"""A small memory: the latest entries by key, so that nothing grows with the life of the process."""

import contextlib
from collections import OrderedDict
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Recent(Generic[Value]):
    """The latest `limit` values by key.

    Each step is one atomic operation of an ordered dict, hence no lock: a lock held while another thread
    forks would stay locked in the child. A plain dict would look for its oldest key behind all that went.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._values: OrderedDict[str, Value] = OrderedDict()

    def put(self, key: str, value: Value) -> None:
        """Keep `value`, and let the oldest go when there are too many."""
        self._values[key] = value
        while len(self._values) > self._limit:
            # Another thread may add between the two steps; the next put tidies up.
            with contextlib.suppress(KeyError):
                self._values.popitem(last=False)

    def get(self, key: str) -> Value | None:
        """The value kept under `key`, if it still is."""
        return self._values.get(key)

    def pop(self, key: str) -> Value | None:
        """The value kept under `key`, which is then forgotten."""
        return self._values.pop(key, None)
