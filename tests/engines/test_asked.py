"""What a request to SGLang asks beside what its sender wrote: never what SGLang refuses."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.engines.served import Served, named, serving
from tests.engines.test_hosts import ask, recorded
from touchdown.engines.hosts import HOSTS, engine
from touchdown.engines.sglang import Sglang
from touchdown.testing import capture


@pytest.fixture
def own() -> Iterator[Served]:
    answers = recorded("sglang")
    whole, stream = (next(a for a in answers if ("chunks" in a) is s) for s in (False, True))
    with serving([whole, stream, whole]) as served:
        yield served


def test_times_are_asked_of_whole_answers_and_not_of_streams(own: Served) -> None:
    """With a stream SGLang answers 400: return_meta_info is not supported with streaming."""
    with capture(), named(own.url, "sglang"):
        ask(own.client())
        ask(own.client(), stream=True)
        ask(own.client(), extra_body={"return_meta_info": False})
    assert [body.get("return_meta_info") for body in own.bodies] == [True, None, False]
    assert all("session_id" not in body for body in own.bodies)


def test_where_its_events_are_read_a_request_names_its_session(own: Served) -> None:
    host = engine(own.url, "sglang", kv_events="tcp://127.0.0.1:9")
    try:
        with capture() as seen:
            ask(own.client())
            ask(own.client(), stream=True)
            ask(own.client(), extra_body={"session_params": {"id": "mine"}})
    finally:
        HOSTS.forget(host)
    sessions = [body.get("session_id") for body in own.bodies]
    assert sessions == [seen.calls[0].agent_id, seen.calls[1].agent_id, None]
    assert own.calls[0].headers["x-session-id"] == sessions[0]


def test_a_session_of_the_senders_own_stays(own: Served) -> None:
    asked: Any = {"session_id": "mine", "return_meta_info": True}
    assert Sglang().fields("chat.completions", asked, "ours") == {}
    assert Sglang().fields("messages", {}, "ours") == {}


def test_a_host_that_breaks_changes_no_call(own: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> dict[str, object]:
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr(Sglang, "fields", broken)
    with capture() as seen, named(own.url, "sglang"):
        ask(own.client(), max_tokens=3)
    (call,) = seen.calls
    assert call.engine is not None
    assert own.bodies == [
        {"messages": own.bodies[0]["messages"], "model": "tiny", "max_tokens": 3, "stream": False}
    ]
