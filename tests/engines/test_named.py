"""Hosts named in the environment and in ``touchdown.toml``, and what the doctor says of them."""

import json
from pathlib import Path

import pytest

import touchdown
from tests.engines.captured import text_of
from tests.engines.served import serving
from touchdown.cli.checkup import serving as doctors
from touchdown.cli.doctor import examine, main
from touchdown.engines.hosts import HOSTS
from touchdown.engines.named import configured, name_host
from touchdown.testing import capture

TOML = """
[[engine]]
url = "http://GPU-1:8000/v1"
kind = "sglang"

[[engine]]
url = "https://gpu-2"

[[engine]]
url = "http://gpu-3:1"
king = "vllm"

[[engine]]
kind = "vllm"
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "touchdown.toml"
    monkeypatch.setenv("TOUCHDOWN_CONFIG", str(path))
    path.write_text("")
    return path


def test_the_variable_goes_before_the_file(config: Path) -> None:
    config.write_text(TOML)
    named, wrong = configured(
        {"TOUCHDOWN_ENGINES": "http://gpu-1:8000=vllm, http://gpu-4:80=x,,nohost"}
    )
    assert [(one.url, one.kind) for one in named] == [
        ("http://gpu-1:8000", "vllm"),
        ("https://gpu-2:443", "auto"),
    ]
    assert [line.partition(": ")[2] for line in wrong] == [
        "unknown kind of engine 'x'; known: auto, dynamo, vllm, sglang, tensorrt_llm, tokenspeed",
        "'nohost' is no address of an engine: write http://host:port",
        "unknown key 'king'; the keys are url, kind, kv_events, tool_events, perf_metrics",
        'write url = "http://host:port"',
    ]


def test_a_file_with_one_pair_of_brackets(config: Path) -> None:
    config.write_text('[engine]\nurl = "http://a:1"\n')
    assert configured({}) == (
        [],
        [f"{config}: write [[engine]] with two brackets, once for each engine"],
    )


def test_no_credentials_are_kept_of_an_address() -> None:
    named = name_host("https://user:secret@[::1]:8443/v1?key=secret")
    assert named.url == "https://[::1]:8443"
    assert "secret" not in repr(named)


def test_instrumenting_names_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOUCHDOWN_ENGINES", "http://127.0.0.1:9=vllm")
    with capture():
        host = HOSTS.of("127.0.0.1", 9)
        assert host is not None
        assert host.engine == "vllm"
        assert HOSTS.of("127.0.0.1", 10) is HOSTS.of("127.0.0.1", None) is None


def test_the_doctor_names_them_and_asks_only_when_told_to(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving([{}], metrics=text_of("vllm", "metrics-server-after.txt")) as own:
        monkeypatch.setenv("TOUCHDOWN_ENGINES", own.url)
        (host,) = examine().serving
        assert (host.looked, host.engine, own.received) == (False, "", [])
        assert main(["--connect"]) == 0
        page = capsys.readouterr().out
        own.pages["/metrics"] = 404
        assert main(["--connect", "--json"]) == 1
        told = json.loads(capsys.readouterr().out)
    assert "self-hosted engines" in page
    assert "vLLM, cache blocks of 128 tokens" in page
    assert "not in its metrics: kv_load_s, transfer_s" in page
    assert told["serving"][0]["engine"] == ""
    assert f"{own.url}: /metrics answers 404" in told["problems"]


def test_the_doctor_says_what_events_need(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text('[[engine]]\nurl = "http://gpu:1"\nkv_events = "tcp://gpu:2"\n')
    monkeypatch.delenv("TOUCHDOWN_ENGINES", raising=False)
    monkeypatch.setattr(doctors, "find_spec", lambda name: None)
    (host,) = examine().serving
    assert host.problem == doctors.NO_ZEROMQ
    assert any(doctors.NO_ZEROMQ in line for line in examine().problems)
    monkeypatch.setattr(doctors, "find_spec", lambda name: object())
    (host,) = examine().serving
    assert host.problem == ""


def test_without_any_the_doctor_has_no_such_part(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TOUCHDOWN_ENGINES", raising=False)
    main([])
    assert "self-hosted engines" not in capsys.readouterr().out


def test_naming_a_host_again_keeps_where_its_events_are() -> None:
    first = touchdown.engine("http://127.0.0.1:9", kv_events="tcp://127.0.0.1:1")
    try:
        assert touchdown.engine("http://127.0.0.1:9") is first
        second = touchdown.engine("http://127.0.0.1:9", "dynamo", tool_events="tcp://127.0.0.1:2")
        assert second is not first
        assert touchdown.engine("http://127.0.0.1:9", "dynamo") is second
        assert second._feed is not None
        assert second._feed.all[0].endpoint == "tcp://127.0.0.1:1"
    finally:
        HOSTS.forget(second)


@pytest.mark.parametrize("endpoint", ["127.0.0.1:1", "http://127.0.0.1:1", "tcp://a:1,b:2"])
def test_what_is_no_address_of_events(endpoint: str) -> None:
    with pytest.raises(ValueError, match="is no address of events"):
        touchdown.engine("http://127.0.0.1:9", kv_events=endpoint)
