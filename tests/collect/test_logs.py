"""Logs of engines beside what is exported: followed as they grow, and joined to calls like spans."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.collect.exported import call_of, rows
from tests.collect.test_command import collect, ended, endpoint_in, run_agent
from tests.engines.test_texts import LINE
from touchdown.collect import logs
from touchdown.collect.logs import Log, span_of
from touchdown.engines.tokenspeed import read_log_line
from touchdown.telemetry.serving.joining import Joiner


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "engine.log"


@pytest.fixture
def log(path: Path) -> Iterator[Log]:
    path.write_text("before\n")
    opened = Log(str(path))
    yield opened
    opened.close()


def add(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_new_whole_lines_are_read_once(path: Path, log: Log) -> None:
    assert list(log.lines()) == []
    add(path, "one\ntwo\nthr")
    assert list(log.lines()) == ["one", "two"]
    add(path, "ee\n")
    assert list(log.lines()) == ["three"]
    assert list(log.lines()) == []


def test_a_log_that_comes_later_is_read_from_its_beginning(path: Path) -> None:
    log = Log(str(path))
    assert list(log.lines()) == []
    path.write_text("one\n")
    assert list(log.lines()) == ["one"]
    log.close()


def turn(path: Path) -> None:
    path.rename(path.with_suffix(".1"))
    path.write_text("new\n")


def cut(path: Path) -> None:
    path.write_text("new\n")


@pytest.mark.parametrize("change", [turn, cut])
def test_a_log_that_was_replaced_or_cut(
    path: Path, log: Log, change: Callable[[Path], None]
) -> None:
    add(path, "one\ntwo\n")
    assert list(log.lines()) == ["one", "two"]
    change(path)
    assert list(log.lines()) == ["new"]


def test_what_was_written_before_the_turn_is_not_lost(path: Path, log: Log) -> None:
    add(path, "last\n")
    turn(path)
    assert list(log.lines()) == ["last", "new"]


def test_a_log_that_went_away_is_read_on(path: Path, log: Log) -> None:
    add(path, "one\n")
    path.unlink()
    assert list(log.lines()) == ["one"]
    path.write_text("two\n")
    assert list(log.lines()) == ["two"]


def test_long_lines_and_bytes_that_are_no_text(
    path: Path, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "MOST_OF_A_LINE", 20)
    with path.open("ab") as file:
        file.write(b"x" * 50 + b"\n" + b"\xff\xfe\n" + b"y" * 50)
    assert list(log.lines()) == ["\ufffd\ufffd"]
    add(path, "\nok\n")
    assert list(log.lines())[-1] == "ok"


def test_a_line_is_joined_by_the_id_of_the_answer() -> None:
    logged = read_log_line(LINE)
    assert logged is not None
    joiner = Joiner()
    joiner.span(span_of(logged), 0.0)
    call = call_of(rows("vllm", "llm_request")[0], 1)
    joiner.call(replace(call, response_id="chatcmpl-019ef6b7"), 0.0)
    (report,) = joiner.joined(0.0)
    assert (report.call_id, report.joined_by) == (call.id, "request_id")
    assert report.timing.engine == "tokenspeed"
    assert report.timing.queue_ns == 13_800_000


AGENT = """
import os
import touchdown
from openai import OpenAI
from tests.engines.test_texts import LINE
from touchdown.testing import Provider, Reply
touchdown.instrument()
with (
    Provider(lambda request: Reply("hello " * 20, first_chunk_delay_s=0.06)) as provider,
    OpenAI(base_url=f"{provider.url}/v1", api_key="none") as client,
    touchdown.task("fix issue 7"),
    open(os.environ["ENGINE_LOG"], "a") as log,
):
    for number in range(3):
        answer = client.chat.completions.create(
            model="tiny", messages=[{"role": "user", "content": f"hello {number}"}]
        )
        print(LINE.replace("chatcmpl-019ef6b7", answer.id), "another line", sep="\\n", file=log)
touchdown.flush()
"""


def test_the_command_follows_a_log(path: Path) -> None:
    path.write_text(LINE + "\n")  # of a request before
    with collect("--json", "--quiet", "--log", str(path)) as (process, said):
        run_agent(endpoint_in(said), AGENT, ENGINE_LOG=str(path))
        report = json.loads(ended(process))
    (task,) = report["tasks"]
    assert report["collected"]["engine_requests"] == {"request_id": 3}
    assert task["time"]["taxes"]["queue"] == pytest.approx(3 * 0.0138)
