"""Recorded exchanges, served again."""

from __future__ import annotations

from pathlib import Path

import anthropic
import msgspec
import openai
import pytest

from touchdown.testing.provider import Provider, Replay, ReplayError

ASK = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "recorded"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 2},
}


def exchange(path: str = "/v1/messages", status: int = 200, body: object = MESSAGE, **headers: str):
    return {
        "request": {"host": "api.anthropic.com", "method": "POST", "path": path, "body": {}},
        "response": {"status": status, "headers": headers, "body": body},
    }


def load(folder: Path, name: str) -> list[dict]:
    return msgspec.json.decode((folder / f"{name}.json").read_bytes())["exchanges"]


def test_headers_are_kept_but_not_those_of_the_old_connection(serve, claude):
    kept = {"retry-after": "0.01", "x-extra": "1"}
    dropped = {"content-encoding": "gzip", "content-length": "3", "transfer-encoding": "chunked"}
    limited = exchange(status=429, body={"type": "error"}, **kept)
    replay = Replay([limited, exchange(**kept, **dropped)])
    raw = claude(serve(replay), max_retries=1).messages.with_raw_response.create(**ASK)
    assert raw.parse().content[0].text == "recorded"
    assert raw.headers["x-extra"] == "1"
    assert "content-encoding" not in raw.headers
    assert replay.remaining == 0


def test_order_says_what_it_expected(serve, claude):
    provider = serve(Replay([exchange("/v1/responses")]))
    with pytest.raises(anthropic.InternalServerError) as raised:
        claude(provider).messages.create(**ASK)
    assert "goes on with POST /v1/responses, not with POST /v1/messages" in str(raised.value)


def test_path_takes_the_next_of_the_same_path(serve, claude):
    replay = Replay([exchange("/v1/responses"), exchange("/v1/messages?beta=true")], match="path")
    client = claude(serve(replay))
    assert client.messages.create(**ASK).content[0].text == "recorded"
    with pytest.raises(anthropic.InternalServerError, match="no unused exchange"):
        client.messages.create(**ASK)


def test_a_recording_that_runs_out(serve, claude):
    with pytest.raises(anthropic.InternalServerError, match="no exchange left"):
        claude(serve(Replay([])), max_retries=2).messages.create(**ASK)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("nonsense", "not JSON"),
        ('{"exchanges": 3}', "Expected `array`, got `int` - at `$.exchanges`"),
        ('{"exchanges": []}', "no exchanges"),
        (
            '{"exchanges": [{"request": {"method": "GET", "path": "/"}, "response": {}}]}',
            "missing required field `status`",
        ),
        (None, "No such file"),
    ],
)
def test_bad_files_give_one_clear_line(tmp_path, content, words):
    path = tmp_path / "recording.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ReplayError) as raised:
        Replay.from_file(path)
    text = str(raised.value)
    assert text.startswith(str(path))
    assert words in text
    assert "\n" not in text


def test_bad_exchanges_are_named_by_number():
    with pytest.raises(ReplayError, match=r"exchange 1: .*request"):
        Replay([exchange(), {"response": {"status": 200}}])
    with pytest.raises(ReplayError, match="match must be"):
        Replay([], match="nearest")


def test_a_streamed_recording_comes_back_byte_for_byte(recordings):
    from urllib.request import Request, urlopen

    streamed = 0
    for file in sorted(recordings.glob("*.json")):
        for recorded in msgspec.json.decode(file.read_bytes())["exchanges"]:
            body, request = recorded["response"]["body"], recorded["request"]
            if not isinstance(body, str):
                continue
            streamed += 1
            with Provider(Replay([recorded])) as provider:
                sent = b"{}" if request["method"] == "POST" else None
                url = provider.url + request["path"]
                with urlopen(Request(url, sent, method=request["method"])) as response:
                    assert response.read().decode() == body
    assert streamed >= 20


def test_real_messages_stream(recordings, claude):
    file = recordings / "test_anthropic-test_anthropic_mcp_servers_stream.json"
    with Provider(Replay.from_file(file)) as provider:
        client = claude(provider)
        with client.messages.stream(**ASK) as stream:
            final = stream.get_final_message()
    assert final.model == "claude-sonnet-4-5-20250929"
    assert final.usage.output_tokens > 0


def test_real_chat_stream(recordings, gpt):
    name = "test_openai-test_run_stream_sync_streams_real_model"
    exchanges = [one for one in load(recordings, name) if "chat" in one["request"]["path"]]
    with Provider(Replay(exchanges)) as provider:
        ask = {"model": "m", "messages": ASK["messages"], "stream": True}
        chunks = list(gpt(provider).chat.completions.create(**ask))
    assert chunks[-1].usage.prompt_tokens > 0


def test_real_response_and_error(recordings, gpt):
    name = "test_openai_responses-test_openai_responses_model_http_error"
    with Provider(Replay.from_file(recordings / f"{name}.json")) as provider:
        client = gpt(provider)
        with pytest.raises(openai.BadRequestError, match="decimal below minimum"):
            client.responses.create(model="m", input="x")


def test_every_real_recording_can_be_read(recordings):
    files = sorted(recordings.glob("*.json"))
    assert len(files) > 100
    for file in files:
        assert Replay.from_file(file, match="path").remaining > 0
