"""Of a request that goes on from its agent's last only what is new is read, and it is read the same."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from touchdown.clients.anthropic.reader import MESSAGES
from touchdown.clients.openai.reader import CHAT, RESPONSES
from touchdown.context.blocks import Block, RequestView
from touchdown.context.growing import LastRequest
from touchdown.context.tracker import ContextTracker

KEY = b"key"
MARK = {"type": "ephemeral"}
BREAKPOINT = {"type": "default"}

texts = st.sampled_from(["", "a", "b", "some more"])
ids = st.sampled_from(["", "t1", "t2"])
LISTS: dict[str, tuple[Any, str]] = {
    "anthropic": (MESSAGES, "messages"),
    "chat": (CHAT, "messages"),
    "responses": (RESPONSES, "input"),
}
results = st.one_of(
    texts, st.just([{"type": "image", "source": {"data": "x"}}]), st.just([{"type": "text"}])
)
parts = st.one_of(
    st.builds(lambda text: {"type": "text", "text": text}, texts),
    st.builds(lambda text: {"type": "text", "text": text, "cache_control": MARK}, texts),
    st.builds(
        lambda text: {"type": "text", "text": text, "prompt_cache_breakpoint": BREAKPOINT}, texts
    ),
    st.builds(lambda text: {"type": "compaction", "content": text}, texts),
    st.just({"type": "image", "source": {"data": "x"}}),
    st.builds(lambda n: {"type": "tool_use", "id": n, "name": "look", "input": {"at": [n]}}, ids),
    st.builds(
        lambda n, said, bad: {
            "type": "tool_result",
            "tool_use_id": n,
            "content": said,
            "is_error": bad,
        },
        ids,
        results,
        st.booleans(),
    ),
)
calls = st.builds(lambda n, name: {"id": n, "function": {"name": name}}, ids, texts)
items = st.one_of(
    st.builds(
        lambda role, content: {"role": role, "content": content},
        st.sampled_from(["user", "assistant", "system", "tool"]),
        st.one_of(texts, st.lists(parts, max_size=3)),
    ),
    st.builds(
        lambda n, said: {"role": "assistant", "content": said, "tool_calls": [n]}, calls, texts
    ),
    st.builds(lambda n, said: {"role": "tool", "tool_call_id": n, "content": said}, ids, texts),
    st.builds(lambda n: {"type": "function_call", "call_id": n, "name": "look"}, ids),
    st.builds(lambda n: {"type": "function_call_output", "call_id": n, "output": "no"}, ids),
    st.just("a bare string"),
    st.builds(object),
)
frames = st.fixed_dictionaries(
    {},
    optional={
        "tools": st.lists(st.builds(lambda n: {"name": n, "cache_control": None}, ids), max_size=2),
        "system": st.one_of(texts, st.lists(parts, max_size=2)),
        "instructions": texts,
        "prompt_cache_options": st.sampled_from([{}, {"ttl": "12h"}, {"mode": "explicit"}]),
        "tool_choice": st.sampled_from(["auto", {"type": "any"}]),
    },
)


def facts(view: RequestView) -> list[object]:
    told: list[object] = [getattr(view, name) for name in view.__struct_fields__ if name[0] != "_"]
    return [view.cache_lives, *told]


@st.composite
def talks(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Requests of one agent: each goes on, is cut, edited, or has another frame."""
    said = draw(st.lists(items, max_size=5))
    frame = draw(frames)
    requests = []
    for _ in range(draw(st.integers(1, 5))):
        requests.append({**frame, "said": said})
        kept = draw(st.integers(0, len(said))) if draw(st.booleans()) else len(said)
        said = said[:kept] + draw(st.lists(items, max_size=3))
        if said and draw(st.booleans()):
            place = draw(st.integers(0, len(said) - 1))
            said = [*said[:place], draw(items), *said[place + 1 :]]
        if draw(st.integers(0, 4)) == 0:
            frame = draw(frames)
    return requests


@pytest.mark.parametrize("api", LISTS)
@given(requests=talks())
def test_a_request_behind_another_is_read_as_if_it_were_the_first(
    api: str, requests: list[dict[str, Any]]
) -> None:
    reader, name = LISTS[api]
    following, anew = ContextTracker(KEY), ContextTracker(KEY)
    for number, request in enumerate(requests):
        body = {name: request["said"], **{k: v for k, v in request.items() if k != "said"}}
        view, whole = reader.read_request(body, following.last), reader.read_request(body)
        assert facts(view) == facts(whole)
        shape = following.shape(f"call-{number}", view)
        anew.last = LastRequest()
        assert shape == anew.shape(f"call-{number}", whole)
        assert [*shape.chars_by_kind] == list(
            dict.fromkeys(segment.kind for segment in following._segments)
        )


def test_the_digest_of_a_context_is_the_same_however_it_came_about() -> None:
    said = [{"role": "user", "content": str(n)} for n in range(9)]
    grown, cut = ContextTracker(KEY), ContextTracker(KEY)
    for number in range(1, 8):
        last = grown.shape(f"{number}", CHAT.read_request({"messages": said[:number]}, grown.last))
    for number in (5, 9, 3, 7):
        view = CHAT.read_request({"messages": said[:number]}, cut.last)
        again = cut.shape(f"{number}", view)
    assert (last.digest, last.chars) == (again.digest, again.chars)
    assert last.digest == ContextTracker(KEY).shape("x", view).digest


@pytest.mark.parametrize("api", LISTS)
def test_only_what_is_new_is_read(api: str) -> None:
    reader, name = LISTS[api]
    said = [{"role": "user", "content": f"{n}"} for n in range(50)]
    last = LastRequest()
    before = reader.read_request({name: said}, last)
    after = reader.read_request(
        {name: [*copy.deepcopy(said), {"role": "user", "content": ""}]}, last
    )
    assert all(old is new for old, new in zip(before.blocks, after.blocks, strict=False))
    assert len(after.blocks) == 51


def test_what_a_host_edits_in_place_is_seen() -> None:
    part = {"type": "text", "text": "before"}
    body = {"messages": [{"role": "user", "content": [part]}, {"role": "user", "content": "hi"}]}
    tracker = ContextTracker(KEY)
    tracker.shape("1", MESSAGES.read_request(body, tracker.last))
    part["text"] = "after"
    view = MESSAGES.read_request(body, tracker.last)
    assert view.blocks[0].content == {"type": "text", "text": "after"}
    assert tracker.shape("2", view).shared == 0


def test_marks_of_the_cache_that_move_on_leave_what_is_before_them_unread() -> None:
    marked = {"role": "user", "content": [{"type": "text", "text": "x", "cache_control": MARK}]}
    plain = {"role": "user", "content": [{"type": "text", "text": "x"}]}
    last = LastRequest()
    before = MESSAGES.read_request({"messages": [plain] * 40 + [marked]}, last)
    after = MESSAGES.read_request({"messages": [plain] * 41 + [marked]}, last)
    assert before.blocks[39] is after.blocks[39]
    assert [block.cache_life for block in after.blocks] == [None] * 41 + ["5m"]
    assert (before.caching, after.caching) == ("explicit", "explicit")


def test_marks_of_a_history_that_was_cut_are_forgotten() -> None:
    marked = {"role": "user", "content": [{"type": "text", "text": "x", "cache_control": MARK}]}
    last = LastRequest()
    MESSAGES.read_request({"messages": [marked] * 3}, last)
    view = MESSAGES.read_request({"messages": [{"role": "user", "content": "new"}]}, last)
    assert view.caching == "off"
    assert last.marked == []


def test_blocks_that_some_reader_keeps_are_the_same_only_as_far_as_all_before_them_are() -> None:
    kept, tracker = Block("user", "b", "user"), ContextTracker(KEY)
    tracker.shape("1", RequestView([Block("system", "a", "system"), kept]))
    assert tracker.shape("2", RequestView([Block("system", "x", "system"), kept])).shared == 0
    assert tracker.shape("3", RequestView([Block("system", "x", "system"), kept])).shared == 2


class Unequal:
    """A host's own object that says nothing of whether it is equal."""

    def __eq__(self, other: object) -> bool:
        raise ValueError

    __hash__ = object.__hash__


def test_objects_of_the_host_are_read_anew_each_time() -> None:
    last = LastRequest()
    said = [{"role": "user", "content": "a"}, {"role": "user", "content": Unequal()}]
    for _ in range(3):
        view = MESSAGES.read_request({"messages": [*said, said[0]], "system": Unequal()}, last)
        assert [block.content for block in view.blocks] == ["a", "a"]


def test_behind_a_request_that_broke_the_next_one_is_read_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    last, said = LastRequest(), [{"role": "user", "content": "a"}]
    MESSAGES.read_request({"messages": said}, last)
    with monkeypatch.context() as patch:
        patch.setattr(type(MESSAGES), "is_marked", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            MESSAGES.read_request({"messages": said * 2}, last)
    view = MESSAGES.read_request({"messages": said * 3}, last)
    assert facts(view) == facts(MESSAGES.read_request({"messages": said * 3}))
