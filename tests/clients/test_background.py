"""Background responses: billed once, at the first finished answer that anyone reads, or known as unread."""

import gc
from collections.abc import Callable
from typing import Any

import openai
import pytest

from tests.clients.apis import RESPONSES, Api, plain
from tests.clients.conftest import Desk, make_client
from touchdown.testing import Capture, Reply, capture

ClientOf = Callable[[Api], Any]
RUN_S = 60
ASK = {**RESPONSES.ask, "background": True}


def begin(desk: Desk, *, runs_s: float = 0) -> None:
    desk.begin()
    desk.script(Reply("Fixed.", response_id="answer_1", first_chunk_delay_s=runs_s))


def create(client: Any, **more: Any) -> Any:
    return client.responses.create(**ASK, **more)


def retrieved(client: Any, made: Any) -> Any:
    return client.responses.retrieve(made.id)


def retrieved_twice(client: Any, made: Any) -> Any:
    return [client.responses.retrieve(made.id) for _ in range(2)]


def streamed(client: Any, made: Any) -> Any:
    return list(client.responses.retrieve(made.id, stream=True))


def streamed_from_the_middle(client: Any, made: Any) -> Any:
    return list(client.responses.retrieve(made.id, stream=True, starting_after=3))


def streamed_in_part_then_whole(client: Any, made: Any) -> Any:
    with client.responses.retrieve(made.id, stream=True) as events:
        first = next(events)
    return first, list(client.responses.retrieve(made.id, stream=True))


def raw(client: Any, made: Any) -> Any:
    return client.responses.with_raw_response.retrieve(made.id).parse()


def raw_unparsed(client: Any, made: Any) -> Any:
    return client.responses.with_raw_response.retrieve(made.id).http_response.json()


def held(client: Any, made: Any) -> Any:
    with client.responses.with_streaming_response.retrieve(made.id) as answer:
        return answer.json()


def held_events(client: Any, made: Any) -> Any:
    with client.responses.with_streaming_response.retrieve(made.id, stream=True) as answer:
        return list(answer.parse())


def another_client(client: Any, made: Any) -> Any:
    with make_client("openai", str(client.base_url)) as other:
        return other.responses.retrieve(made.id), retrieved(client, made)


def cancelled_too_late(client: Any, made: Any) -> Any:
    return client.responses.cancel(made.id), retrieved(client, made)


READS = [
    retrieved,
    retrieved_twice,
    streamed,
    streamed_from_the_middle,
    streamed_in_part_then_whole,
    raw,
    raw_unparsed,
    held,
    held_events,
    another_client,
    cancelled_too_late,
]


@pytest.mark.parametrize("read", READS, ids=lambda read: read.__name__)
def test_it_is_billed_once(read: Any, desk: Desk, gpt: openai.OpenAI) -> None:
    begin(desk)
    without = plain(read(gpt, create(gpt)))
    begin(desk)
    with capture() as seen:
        made = create(gpt)
        assert (made.status, seen.calls) == ("queued", [])
        assert plain(read(gpt, made)) == without
        check_billed(seen)


def check_billed(seen: Capture) -> None:
    (call,) = seen.calls
    (span,) = seen.spans
    assert (call.api, call.status, call.http_status) == ("responses", "ok", 200)
    assert (call.usage.completeness, call.response_id) == ("full", "answer_1")
    assert call.request["background"] is True
    assert call.output.text_chars == len("Fixed.")
    assert len(call.context.new) == 2
    assert f"{span.context.span_id:016x}" == call.span_id
    assert seen.account.usage.output == call.usage.output


def test_polls_while_it_runs_bill_nothing(desk: Desk, gpt: openai.OpenAI) -> None:
    begin(desk, runs_s=RUN_S)
    with capture() as seen:
        made = create(gpt)
        for _ in range(3):
            assert gpt.responses.retrieve(made.id).status == "in_progress"
        assert seen.calls == []
        desk.provider.clock.advance(RUN_S)
        assert gpt.responses.retrieve(made.id).status == "completed"
        check_billed(seen)


def test_one_that_is_cancelled_has_no_usage(desk: Desk, gpt: openai.OpenAI) -> None:
    begin(desk, runs_s=RUN_S)
    with capture() as seen:
        made = create(gpt)
        assert gpt.responses.cancel(made.id).status == "cancelled"
        (call,) = seen.calls
    assert call.usage.completeness == "none"
    assert call.finish_reasons == ("cancelled",)
    assert call.usage.problems == ("the answer reports no usage",)


@pytest.mark.parametrize("runs_s", [0, RUN_S], ids=["finished", "running"])
def test_one_that_nobody_reads_is_unknown(runs_s: float, desk: Desk, gpt: openai.OpenAI) -> None:
    begin(desk, runs_s=runs_s)
    with capture() as seen:
        create(gpt)
        gc.collect()
        assert seen.calls == []
    (call,) = seen.calls
    assert (call.status, call.usage.completeness) == ("not_read", "none")
    assert call.usage.problems == ("the background response was not fetched after it ended",)


def test_one_of_another_process_is_billed_here(desk: Desk, gpt: openai.OpenAI) -> None:
    begin(desk)
    made = create(gpt)
    with capture() as seen:
        gpt.responses.retrieve(made.id)
        gpt.responses.retrieve(made.id)
        (call,) = seen.calls
    assert (call.usage.completeness, call.response_id) == ("full", "answer_1")


def test_a_look_up_of_a_response_that_was_no_background_bills_nothing(
    desk: Desk, gpt: openai.OpenAI
) -> None:
    with capture() as seen:
        made = gpt.responses.create(**RESPONSES.ask)
        gpt.responses.retrieve(made.id)
        assert len(seen.calls) == 1
        with pytest.raises(openai.NotFoundError):
            gpt.responses.retrieve("resp_unknown")
        assert len(seen.calls) == 1


def test_a_background_stream(desk: Desk, gpt: openai.OpenAI) -> None:
    begin(desk)
    with capture() as seen:
        assert list(create(gpt, stream=True))
        check_billed(seen)


def test_a_background_stream_left_early_and_taken_up_again(desk: Desk, gpt: openai.OpenAI) -> None:
    begin(desk)
    with capture() as seen:
        with create(gpt, stream=True) as events:
            made = next(events).response
            last = next(events)
        assert seen.calls == []
        rest = gpt.responses.retrieve(made.id, stream=True, starting_after=last.sequence_number)
        assert list(rest)[-1].type == "response.completed"
        check_billed(seen)


async def test_async(desk: Desk, async_client_of: ClientOf) -> None:
    client = async_client_of(RESPONSES)
    begin(desk, runs_s=RUN_S)
    with capture() as seen:
        made = await create(client)
        assert (await retrieved(client, made)).status == "in_progress"
        assert seen.calls == []
        desk.provider.clock.advance(RUN_S)
        assert [event async for event in await client.responses.retrieve(made.id, stream=True)]
        assert (await retrieved(client, made)).status == "completed"
        check_billed(seen)
