"""The body of a request as it is kept: copied once, and anew where something changed it on its way."""

from types import SimpleNamespace
from typing import Any

import pydantic
import pytest

from touchdown.clients.request import body_of, copy_of
from touchdown.context.blocks import copied

SAID: list[Any] = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}]


def sent(said: list[Any]) -> Any:
    return SimpleNamespace(json_data={"model": "m", "messages": said})


class Odd:
    """Compared with anything it raises, as some arrays do."""

    def __eq__(self, other: object) -> bool:
        raise ValueError("which of them?")

    __hash__ = None  # type: ignore[assignment]


def test_what_was_copied_is_not_copied_again() -> None:
    known = copied(SAID)
    assert body_of(sent(SAID), {"messages": known})["messages"] is known


def test_what_changed_on_its_way_is() -> None:
    said, known = copied(SAID), copied(SAID)
    said[0]["content"] = "changed by a middleware"  # type: ignore[index]
    body = body_of(sent(said), {"messages": known})
    assert body["messages"] == said
    assert body["messages"] is not said


def test_the_hosts_own_list_is_copied() -> None:
    said = copied(SAID)
    body = body_of(sent(said), {"messages": said})
    said.clear()
    assert body["messages"] == SAID


def test_what_cannot_be_compared_is_copied() -> None:
    said = [{"role": "user", "content": Odd()}]
    body: Any = body_of(sent(said), {"messages": [{"role": "user", "content": Odd()}]})
    assert body["messages"][0]["content"] is said[0]["content"]


@pytest.mark.parametrize("extra", [None, {"more": [1]}], ids=["declared", "extra"])
def test_a_copy_of_the_options_is_what_pydantic_makes(extra: Any) -> None:
    class Options(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(extra="allow" if extra else "ignore")
        url: str = "/"
        json_data: Any = None

    given = Options(json_data={"messages": SAID}, **(extra or {}))
    made, theirs = copy_of(given), given.model_copy()
    assert made == theirs
    assert vars(made) == vars(theirs)
    assert made.model_fields_set == theirs.model_fields_set == {"json_data", *(extra or ())}
    made.url = "/elsewhere"
    assert (given.url, given.model_fields_set) == (theirs.url, theirs.model_fields_set)
