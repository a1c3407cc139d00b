"""Scripts, faults and the server itself."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import anthropic
import msgspec
import openai
import pytest

from touchdown.testing.provider import Clock, Fault, Provider, Reply, Request

ASK = {
    "model": "claude-opus-5",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "hi"}],
}
CHAT = {"model": "gpt-6-sol", "messages": ASK["messages"]}


def post(url: str, body: object, **headers: str) -> tuple[int, dict[str, object]]:
    """One request without any SDK."""
    request = urllib.request.Request(url, msgspec.json.encode(body), headers)
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return response.status, msgspec.json.decode(response.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, msgspec.json.decode(error.read())


@pytest.mark.parametrize("status", [429, 500, 529])
def test_sdks_retry_after_a_fault(serve, claude, gpt, status):
    provider = serve([Fault(status), "one", Fault(status), Fault(status), "two"])
    assert claude(provider, max_retries=2).messages.create(**ASK).content[0].text == "one"
    answer = gpt(provider, max_retries=2).chat.completions.create(**CHAT)
    assert answer.choices[0].message.content == "two"
    assert len(provider.requests) == 5
    assert provider.requests[1].headers["x-stainless-retry-count"] == "1"


@pytest.mark.parametrize(
    ("fault", "error", "kind"),
    [
        (Fault(), "RateLimitError", "rate_limit_error"),
        (Fault(400, message="no"), "BadRequestError", "invalid_request_error"),
        (Fault(401), "AuthenticationError", "authentication_error"),
        (Fault(500, type="odd_error"), "InternalServerError", "odd_error"),
    ],
)
def test_faults_raise_the_errors_of_each_sdk(serve, claude, gpt, fault, error, kind):
    provider = serve([fault, fault])
    with pytest.raises(getattr(anthropic, error), match=fault.message) as raised:
        claude(provider).messages.create(**ASK)
    assert raised.value.body["error"]["type"] == kind
    with pytest.raises(getattr(openai, error), match=fault.message) as raised:
        gpt(provider).chat.completions.create(**CHAT)
    assert raised.value.type == kind
    assert raised.value.response.headers["retry-after"] == "0.01"


def test_a_dropped_connection(serve, claude, gpt):
    provider = serve([Fault(cut=True), Fault(cut=True), "back"])
    with pytest.raises(anthropic.APIConnectionError):
        claude(provider).messages.create(**ASK)
    with pytest.raises(openai.APIConnectionError):
        gpt(provider).chat.completions.create(**CHAT)
    assert claude(provider).messages.create(**ASK).content[0].text == "back"


def _read(events, seen):
    for event in events:
        seen.append(event)


@pytest.mark.parametrize("events", [1, 4])
def test_a_stream_cut_in_the_middle(serve, claude, gpt, events):
    reply = Reply("many words in pieces", chunk_chars=2, cut_after_chunks=events)
    provider = serve([reply, reply, reply])
    seen = []
    with pytest.raises(Exception, match=r"closed|incomplete|Connection"):
        _read(claude(provider).messages.create(**ASK, stream=True), seen)
    assert len([event for event in seen if event.type != "ping"]) == events
    for stream in (
        gpt(provider).chat.completions.create(**CHAT, stream=True),
        gpt(provider).responses.create(model="gpt-6-sol", input="a", stream=True),
    ):
        seen = []
        with pytest.raises(Exception, match=r"closed|incomplete|Connection"):
            _read(stream, seen)
        assert len(seen) == events


def test_a_plain_answer_cut_in_the_middle(serve, claude):
    with pytest.raises(Exception, match=r"closed|incomplete|Connection"):
        claude(serve([Reply("hello", cut_after_chunks=1)])).messages.create(**ASK)


def test_a_script_that_runs_out_says_so_at_once(serve, claude, gpt):
    provider = serve(["only one"])
    claude(provider).messages.create(**ASK)
    with pytest.raises(anthropic.InternalServerError, match=r"no reply left \(1 given\)"):
        claude(provider, max_retries=2).messages.create(**ASK)
    with pytest.raises(openai.InternalServerError, match="no reply left"):
        gpt(provider, max_retries=2).chat.completions.create(**CHAT)
    assert len(provider.requests) == 3


def test_a_decider_that_raises_is_named(serve, claude):
    def decide(request: Request) -> Reply:
        raise KeyError(request.model)

    with pytest.raises(anthropic.InternalServerError, match="KeyError: 'claude-opus-5'"):
        claude(serve(decide)).messages.create(**ASK)


def test_parallel_requests_all_pay_the_write(serve, claude):
    together = threading.Barrier(4)

    def decide(request: Request) -> Reply:
        if request.last_user_text == "hi":
            together.wait(timeout=5)
        return Reply("ok")

    client = claude(serve(decide))
    ask = {**ASK, "cache_control": {"type": "ephemeral"}, "system": "long " * 1_000}
    written = []

    def call():
        written.append(client.messages.create(**ask).usage.cache_creation_input_tokens)

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(written) == 4
    assert len(set(written)) == 1
    assert written[0] > 1_000
    later = {**ask, "messages": [*ASK["messages"], {"role": "user", "content": "more"}]}
    assert client.messages.create(**later).usage.cache_read_input_tokens == written[0]


def test_requests_are_kept_as_received(serve, claude):
    clock = Clock()
    clock.set(1_000.0)
    with Provider([Reply("a", headers={"x-extra": "1"}, response_id="msg_7")], clock=clock) as own:
        raw = claude(own).messages.with_raw_response.create(**ASK)
    (request,) = own.requests
    assert (request.method, request.path, request.api) == (
        "POST",
        "/v1/messages",
        "anthropic.messages",
    )
    assert request.body == ASK
    assert request.headers["content-type"] == "application/json"
    assert request.input_tokens == 1
    assert 1_000 <= request.at < 1_010
    assert (request.stream, request.model) == (False, "claude-opus-5")
    assert raw.headers["x-extra"] == "1"
    assert raw.parse().id == "msg_7"


def test_env_points_a_child_process_here(serve):
    provider = serve(["hello"])
    code = (
        "import anthropic; print(anthropic.Anthropic().messages.create(model='m', max_tokens=9,"
        " messages=[{'role': 'user', 'content': 'x'}]).content[0].text)"
    )
    child = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **provider.env()},
        capture_output=True,
        text=True,
        check=True,
    )
    assert child.stdout == "hello\n"


def test_nothing_is_printed(serve, claude, capfd):
    provider = serve([Reply("a", cut_after_chunks=1), Fault(cut=True), "b"])
    with pytest.raises(anthropic.APIError):
        claude(provider, max_retries=1).messages.create(**{**ASK, "model": "m"})
    provider.close()
    assert capfd.readouterr() == ("", "")


def test_delays_hold_the_answer_back_and_end_with_the_provider():
    provider = Provider([Reply("late", first_chunk_delay_s=0.15), Fault(delay_s=60)]).start()
    began = time.monotonic()
    assert post(provider.url + "/v1/messages", ASK)[0] == 200
    assert time.monotonic() - began >= 0.15
    failures = []

    def wait_in_vain():
        try:
            post(provider.url + "/v1/messages", ASK)
        except OSError as error:
            failures.append(error)

    waiting = threading.Thread(target=wait_in_vain)
    waiting.start()
    while len(provider.requests) < 2:
        time.sleep(0.005)
    began = time.monotonic()
    provider.close()
    waiting.join(timeout=5)
    assert time.monotonic() - began < 1
    assert len(failures) == 1


def test_closing_does_not_wait_for_idle_clients(claude):
    provider = Provider(["a"]).start()
    claude(provider).messages.create(**ASK)
    began = time.monotonic()
    provider.close()
    assert time.monotonic() - began < 0.5
    with pytest.raises(RuntimeError, match="not running"):
        _ = provider.url


def test_closing_drops_the_connections_clients_keep():
    provider = Provider(["a", "b"]).start()
    connection = http.client.HTTPConnection(provider.url.removeprefix("http://"), timeout=5)
    connection.request("POST", "/v1/messages", msgspec.json.encode(ASK))
    connection.getresponse().read()
    provider.close()
    assert connection.sock.recv(1) == b""
    connection.close()
    assert len(provider.requests) == 1


def test_one_connection_serves_many_requests(serve):
    provider = serve(["a", "b"])
    connection = http.client.HTTPConnection(provider.url.removeprefix("http://"), timeout=5)
    sockets = []
    for _ in range(2):
        connection.request("POST", "/v1/messages", msgspec.json.encode(ASK))
        response = connection.getresponse()
        assert response.status == 200
        response.read()
        sockets.append(connection.sock)
    connection.close()
    assert sockets[0] is not None
    assert sockets[0] is sockets[1]


def test_bedrock_path(serve):
    provider = serve(["hello"])
    body = {key: value for key, value in ASK.items() if key != "model"}
    model = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
    url = f"{provider.url}/model/{model.replace(':', '%3A')}"
    status, answer = post(f"{url}/invoke", body)
    assert (status, answer["content"]) == (200, [{"type": "text", "text": "hello"}])
    assert provider.requests[0].model == model
    assert post(f"{url}/invoke-with-response-stream", body)[0] == 500


def test_bedrock_has_no_automatic_caching(serve):
    provider = serve(["a", "b"])
    ask = {**ASK, "cache_control": {"type": "ephemeral"}, "system": "long " * 1_000}
    written = [
        post(provider.url + path, ask)[1]["usage"]["cache_creation_input_tokens"]
        for path in ("/model/claude-opus-5/invoke", "/v1/messages")
    ]
    assert written[0] == 0
    assert written[1] > 1_000


def test_the_beta_query(serve):
    provider = serve(["hello"])
    status, answer = post(provider.url + "/v1/messages?beta=true", ASK)
    assert (status, answer["role"]) == (200, "assistant")
    assert (provider.requests[0].path, provider.requests[0].query) == (
        "/v1/messages",
        {"beta": "true"},
    )


def test_one_key_is_one_credential_in_either_header(serve):
    provider = serve(["a", "b", "c"])
    ask = {**ASK, "cache_control": {"type": "ephemeral"}, "system": "long " * 1_000}
    usages = [
        post(provider.url + "/v1/messages", ask, **header)[1]["usage"]
        for header in ({"x-api-key": "k"}, {"Authorization": "Bearer k"}, {"x-api-key": "other"})
    ]
    assert [usage["cache_read_input_tokens"] > 0 for usage in usages] == [False, True, False]


def test_unknown_path(serve):
    status, answer = post(serve([]).url + "/v1/files", {})
    assert status == 404
    assert "no POST /v1/files" in answer["error"]["message"]
