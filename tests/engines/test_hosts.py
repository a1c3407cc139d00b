"""A named host: what is sent to it and to no other, what comes back, and what no failure does to the call."""

import json
import socket
import threading
from typing import Any

import pytest
from openai import OpenAI

import touchdown
from tests.engines.captured import text_of
from tests.engines.served import Served, named, serving
from touchdown.engines import watching
from touchdown.engines.exposition import RESTARTED
from touchdown.telemetry.model_call import read_call
from touchdown.testing import Provider, Reply, capture
from touchdown.testing.provider.answer import Answer

OURS = {"x-request-id", "x-session-id", "x-dynamo-session-id", "traceparent"}
MESSAGES: Any = [{"role": "user", "content": "hello"}]


def recorded(engine: str, name: str = "responses.json") -> list[dict[str, Any]]:
    rows = json.loads(text_of(engine, name))
    return [
        {"chunks": row["first_chunks"] + row["last_chunks"]} if row["stream"] else row["response"]
        for row in rows
    ]


def ask(client: OpenAI, stream: bool = False, **more: Any) -> None:
    answer = client.chat.completions.create(model="tiny", messages=MESSAGES, stream=stream, **more)
    if stream:
        list(answer)


def test_the_headers_go_to_a_named_host_and_to_no_other() -> None:
    with (
        Provider(lambda _request: Reply("hello")) as hosted,
        OpenAI(base_url=f"{hosted.url}/v1", api_key="none") as elsewhere,
        serving(recorded("vllm")) as own,
        capture() as seen,
        named(own.url, "vllm"),
        touchdown.task("fix"),
    ):
        ask(own.client())
        ask(elsewhere)
    sent = own.calls[0].headers
    call = seen.calls[0]
    assert sent.keys() >= OURS
    assert sent["x-request-id"] == call.id
    assert sent["x-session-id"] == sent["x-dynamo-session-id"] == call.agent_id
    assert sent["traceparent"] == f"00-{call.trace_id}-{call.span_id}-01"
    other = hosted.requests[0]
    assert OURS & other.headers.keys() == set()
    assert other.body.keys() == {"messages", "model", "stream"}
    assert seen.calls[1].engine is None


def test_a_sub_agent_is_a_session_of_its_own_below_the_tasks() -> None:
    @touchdown.agent("reviewer")
    def review(client: OpenAI) -> None:
        ask(client)

    with (
        serving(recorded("vllm")) as own,
        capture() as seen,
        named(own.url, "vllm"),
        touchdown.task("fix"),
    ):
        ask(own.client())
        review(own.client())
    first, second = (one.headers for one in own.calls)
    assert "x-dynamo-parent-session-id" not in first
    assert second["x-dynamo-session-id"] == seen.calls[1].agent_id != first["x-dynamo-session-id"]
    assert second["x-dynamo-parent-session-id"] == first["x-dynamo-session-id"]


def test_headers_of_the_host_itself_stay() -> None:
    own_headers = {"X-Request-Id": "mine", "traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-00"}
    with serving(recorded("vllm")) as own, capture(), named(own.url, "vllm"):
        ask(own.client(), extra_headers=own_headers)
    sent = own.calls[0].headers
    assert sent["x-request-id"] == "mine"
    assert sent["traceparent"] == own_headers["traceparent"]


def test_each_attempt_has_a_request_id_of_its_own() -> None:
    with serving(recorded("vllm")) as own, capture() as seen, named(own.url, "vllm"):
        respond = own.server._server.respond
        refused = iter([503])
        own.server._server.respond = lambda one: _refuse(own, one, refused) or respond(one)
        ask(own.client())
    call = seen.calls[0].id
    assert [one.headers["x-request-id"] for one in own.calls] == [call, f"{call}.1"]


def _refuse(own: Served, received: Any, statuses: Any) -> Any:
    status = next(statuses, None) if received.method == "POST" else None
    if status is None:
        return None
    own.received.append(received)
    return Answer(status=status, headers={"retry-after-ms": "1"}, body=b"{}")


def test_dynamo_is_asked_for_its_times_and_its_worker_beside_what_the_host_asks() -> None:
    with serving(recorded("dynamo")) as own, capture() as seen, named(own.url, "dynamo"):
        ask(own.client())
        ask(
            own.client(),
            extra_body={
                "nvext": {"extra_fields": ["timing", "token_data"], "use_raw_prompt": True}
            },
        )
    first, second = own.bodies
    assert first["nvext"] == {"extra_fields": ["timing", "worker_id"]}
    assert second["nvext"] == {
        "extra_fields": ["timing", "token_data", "worker_id"],
        "use_raw_prompt": True,
    }
    timing = seen.calls[0].engine
    assert timing is not None
    assert timing.engine == "dynamo"
    assert timing.worker == "11731975439582334656"


@pytest.mark.parametrize("engine", ["vllm", "dynamo", "sglang"])
def test_a_recorded_conversation_through_the_real_sdk(engine: str) -> None:
    name = "flags-responses.json" if engine == "vllm" else "responses.json"
    answers = recorded(engine, name)
    with serving(answers) as own, capture(stream_usage=True) as seen, named(own.url, engine):
        for answer in answers:
            ask(own.client(), stream="chunks" in answer)
    told = [call.engine for call in seen.calls]
    for call, timing in zip(seen.calls, told, strict=True):
        assert timing is not None
        assert timing.engine == engine
        assert timing.cached_tokens == call.usage.cache_read
    for call, span in zip(seen.calls, seen.spans, strict=True):
        assert read_call(span.attributes or {}, 0, 0).engine == call.engine
    if engine != "sglang":  # its capture was made without return_meta_info
        assert all(timing is not None and timing.prefill_ns for timing in told)


def test_the_engine_is_recognised_in_the_background_and_its_block_is_known() -> None:
    metrics = text_of("dynamo", "metrics-frontend-after.txt")
    with (
        serving(recorded("dynamo"), metrics=metrics) as own,
        capture() as seen,
        named(own.url) as host,
    ):
        host.look()
        ask(own.client())
    timing = seen.calls[0].engine
    assert host.engine == "dynamo"
    assert host.problem == ""
    assert timing is not None
    assert (timing.engine, timing.block_tokens) == ("dynamo", 16)
    assert own.bodies[0]["nvext"] == {"extra_fields": ["timing", "worker_id"]}
    assert "/prometheus/metrics" in own.fetched  # before /metrics, which is a queue in TensorRT-LLM


def test_calls_wake_a_thread_that_looks_and_does_so_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "EVERY_S", 30.0)
    looked = threading.Event()

    class Looked:
        times = 0

        def look(self) -> None:
            self.times += 1
            looked.set()

    watch, host = watching.Watch(), Looked()
    for _ in range(1_000):
        watch.wake(host)
    assert looked.wait(30)
    assert host.times == 1


def test_what_was_counted_in_steps_and_a_restart() -> None:
    before, after = (text_of("vllm", f"metrics-server-{when}.txt") for when in ("before", "after"))
    with serving([{}], metrics=before) as own, named(own.url, "vllm") as host:
        host.look()
        own.pages["/metrics"] = after
        host.look()
        host.look()
        assert host.counted.figures["cached_tokens"] == 3200
        own.pages["/metrics"] = before
        host.look()
        own.pages["/metrics"] = after
        host.look()
    assert host.counted.not_observable["cached_tokens"] == RESTARTED
    assert "cached_tokens" not in host.counted.figures


@pytest.mark.parametrize(
    ("page", "problem"),
    [
        (404, "/metrics answers 404"),
        (500, "/metrics answers 500"),
        (
            "<html>please log in</html>",
            "/metrics shows no metrics but '<html>please log in</html>'",
        ),
        ('[{"iter": 1}]', "/metrics shows no metrics but '[{\"iter\": 1}]'"),
        ("other_metric 1\n", "its metrics are those of no engine that is known here"),
        (
            "vllm:a 1\nsglang:b 2\n",
            "two engines answer at one address: vLLM and SGLang",
        ),
    ],
)
def test_no_metrics_to_read_leaves_the_call_whole_and_says_why(page: Any, problem: str) -> None:
    with serving(recorded("vllm"), metrics=page) as own, capture() as seen, named(own.url) as host:
        host.look()
        ask(own.client())
    timing = seen.calls[0].engine
    assert timing is not None
    assert timing.engine == ""
    assert timing.prompt_tokens == 512
    assert timing.not_observable["queue_ns"] == problem == host.problem
    assert seen.calls[0].status == "ok"


def test_two_engines_that_take_turns_behind_one_address() -> None:
    page = text_of("vllm", "metrics-server-before.txt")
    with serving([{}], metrics=page) as own, named(own.url) as host:
        host.look()
        assert host.engine == "vllm"
        own.pages["/metrics"] = text_of("sglang", "metrics-server-before.txt")
        host.look()
        assert host.engine == ""
        assert host.problem == "two engines answer at one address: vLLM and SGLang"


def test_an_engine_that_was_named_wrongly_is_told() -> None:
    page = text_of("sglang", "metrics-server-before.txt")
    with serving([{}], metrics=page) as own, named(own.url, "vllm") as host:
        host.look()
        assert host.engine == "vllm"
        assert host.problem == "named as vLLM, but its metrics are those of SGLang"


def test_a_host_that_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    with named(f"http://127.0.0.1:{port}") as host:
        host.look()
        assert host.problem == "/metrics cannot be read (Connection refused)"


def test_a_redirect_within_the_host_is_followed_and_one_away_is_not() -> None:
    page = text_of("vllm", "metrics-server-before.txt")
    with serving([{}], metrics_=page) as own, named(own.url, "vllm") as host:
        respond = own.server._server.respond
        away = {"/metrics": "/metrics/"}

        def redirect(received: Any) -> Answer:
            if received.target in away:
                return Answer(status=307, headers={"location": away[received.target]})
            return respond(received)

        own.server._server.respond = redirect
        host.look()
        assert host.problem == ""
        away["/metrics"] = "http://localhost:9/metrics"
        host.look()
        assert host.problem == "/metrics answers 307"


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://host:1", "http://", "http://host:no", ""])
def test_what_is_no_address_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match=r"no address"):
        touchdown.engine(url)
    with pytest.raises(ValueError, match=r"known: auto, dynamo, vllm"):
        touchdown.engine("http://host:1", kind="ollama")


def test_what_the_engine_read_from_its_cache_stands_in_for_a_usage_without_it() -> None:
    (answer,) = recorded("sglang")[1:2]
    usage = {"prompt_tokens": 793, "completion_tokens": 24, "total_tokens": 817}
    last = answer["chunks"][-2]
    meta = {"prompt_tokens": 793, "cached_tokens": 542, "e2e_latency": 0.5}
    told = [
        {
            "chunks": [
                {**last, "usage": usage, "choices": [{**last["choices"][0], "meta_info": meta}]}
            ]
        },
        {"chunks": [{**last, "usage": usage, "choices": [{**last["choices"][0]}]}]},
    ]
    with serving(told) as own, capture() as seen, named(own.url, "sglang"):
        ask(own.client(), stream=True)
        ask(own.client(), stream=True)
    first, second = (call.usage for call in seen.calls)
    assert (first.uncached, first.cache_read, first.input_tokens) == (251, 542, 793)
    assert (second.uncached, second.cache_read) == (793, None)


def test_answers_that_make_no_sense_are_unknown_with_the_reason() -> None:
    strange = [
        {
            "metrics": {
                "queue_time_ms": -4,
                "time_to_first_token_ms": "NaN",
                "generation_time_ms": True,
            }
        },
        {"metrics": "fast"},
        {"metrics": {"queue_time_ms": "1.5"}},
    ]
    answers = [{**recorded("vllm")[0], **one} for one in strange]
    with serving(answers) as own, capture() as seen, named(own.url, "vllm"):
        for _ in answers:
            ask(own.client())
    first, second, third = (call.engine for call in seen.calls)
    assert first is not None
    assert first.phases_ns == {}
    assert first.not_observable["queue_ns"] == "metrics.queue_time_ms is negative: -4"
    assert second is not None
    assert second.phases_ns == {}
    assert third is not None
    assert third.phases_ns == {"queue_ns": 1_500_000}
