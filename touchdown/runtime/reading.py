"""Readers: how a client tells the runtime to read its payloads, behind the queue."""

from collections.abc import Mapping
from typing import Protocol

from touchdown.context.blocks import RequestView
from touchdown.context.growing import LastRequest
from touchdown.records import AnswerView


class StreamReader(Protocol):
    """Accumulates what one stream tells of its usage and end. ``chunk`` is on the caller's path."""

    def chunk(self, event: object) -> None:
        """Look at one event, keep nothing but counts and the few fields that matter."""
        ...

    def answer(self) -> AnswerView:
        """What is known so far."""
        ...


class CallReader(Protocol):
    """Reads one API's payloads: SDK objects, or the mappings of the raw JSON. Pure."""

    api: str
    operation: str

    def read_request(self, body: Mapping[str, object]) -> RequestView:
        """The context of a request body."""
        ...

    def read_answer(self, answer: object) -> AnswerView:
        """The facts of a whole answer."""
        ...

    def new_stream(self) -> StreamReader:
        """A reader for one stream of this API."""
        ...


class FollowingReader(CallReader, Protocol):
    """A reader that can read of a request only what its agent's last one did not say."""

    follows: bool
    """Whether it can."""

    def read_request(
        self, body: Mapping[str, object], last: LastRequest | None = None
    ) -> RequestView:
        """The context of a request body, which then is the last request."""
        ...


def read_request(
    reader: CallReader, body: Mapping[str, object], last: LastRequest | None
) -> RequestView:
    """The context of a request body, by readers that can at the price of what is new in it."""
    if last is not None and getattr(reader, "follows", False):
        following: FollowingReader = reader  # type: ignore[assignment]
        return following.read_request(body, last)
    return reader.read_request(body)
