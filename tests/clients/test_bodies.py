"""The body of a request as it is kept: copied once, and anew where something changed it on its way."""

from types import SimpleNamespace
from typing import Any

from touchdown.clients.request import keep_body
from touchdown.context.blocks import copied
from touchdown.runtime.sent import Sent

SAID: list[Any] = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}]


def kept(said: list[Any], sent: Sent) -> Any:
    keep_body(sent, SimpleNamespace(json_data={"model": "m", "messages": said}))
    return sent.body["messages"]


class Odd:
    """Compared with anything it raises, as some arrays do."""

    def __eq__(self, other: object) -> bool:
        raise ValueError("which of them?")

    __hash__ = None  # type: ignore[assignment]


def test_what_was_copied_is_not_copied_again() -> None:
    known = copied(SAID)
    assert kept(SAID, Sent(copies={"messages": known})) is known


def test_nor_is_what_an_attempt_before_sent() -> None:
    sent = Sent()
    known = kept(SAID, sent)
    assert kept(copied(SAID), sent) is known


def test_what_changed_on_its_way_is() -> None:
    said, known = copied(SAID), copied(SAID)
    said[0]["content"] = "changed by a middleware"  # type: ignore[index]
    now = kept(said, Sent(copies={"messages": known}))
    assert now == said
    assert now is not said


def test_the_hosts_own_list_is_copied() -> None:
    said = copied(SAID)
    now = kept(said, Sent({"messages": said}))
    said.clear()
    assert now == SAID


def test_the_hosts_own_list_is_copied_where_the_sdk_sends_another_that_equals_it() -> None:
    own: list[Any] = copied(SAID)
    now = kept(copied(SAID), Sent({"messages": own}))
    own[0]["content"] = "changed after the call"
    own.clear()
    assert now == SAID


def test_what_cannot_be_compared_is_copied() -> None:
    said = [{"role": "user", "content": Odd()}]
    known = {"messages": [{"role": "user", "content": Odd()}]}
    assert kept(said, Sent(copies=known))[0]["content"] is said[0]["content"]
