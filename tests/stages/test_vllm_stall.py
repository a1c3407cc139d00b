"""A long context's prefill beside a decoding stream on a real vLLM (``VLLM_URL``): how long, and by whom."""

import os
import secrets
import threading
from collections.abc import Iterator
from typing import Any

import openai
import pytest

import touchdown
from tests.stages.talk import MODEL, PATIENCE_S
from touchdown.engines.beside import LONG_PREFILL_TOKENS
from touchdown.engines.hosts import HOSTS
from touchdown.records import ModelCall
from touchdown.testing import Capture, capture

pytestmark = pytest.mark.stage_vllm

TOKENS, BEGUN_AFTER = 250, 40
"""Of the stream, and how many of them are there when the other call is sent."""

SENTENCES = {"long": 1800, "short": 100}
ROUNDS = 8
CLOSE = 0.2
QUIET = 0.1
"""A round counts when the undisturbed runs before and after it differ by less than this part of the stall."""


@pytest.fixture
def client() -> Iterator[openai.OpenAI]:
    url = os.environ["VLLM_URL"]
    host = touchdown.engine(url, "vllm")
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", timeout=PATIENCE_S) as client:
        yield client
    HOSTS.forget(host)


def prompt(sentences: int) -> list[Any]:
    text = f"Session {secrets.token_hex(8)}. " + "You are a careful coding agent. " * sentences
    return [{"role": "user", "content": text}]


def decode(client: openai.OpenAI, begun: threading.Event) -> None:
    """A stream of so many tokens; says when it is well under way."""
    with touchdown.task("answer"):
        stream = client.chat.completions.create(
            model=MODEL,
            messages=prompt(5),
            max_tokens=TOKENS,
            stream=True,
            extra_body={"ignore_eos": True},
        )
        for number, _ in enumerate(stream):
            if number == BEGUN_AFTER:
                begun.set()


def decode_beside(client: openai.OpenAI, sentences: int, others: int = 1) -> None:
    begun = threading.Event()

    def read() -> None:
        begun.wait(PATIENCE_S)
        with touchdown.task("read it all"):
            client.chat.completions.create(model=MODEL, messages=prompt(sentences), max_tokens=2)

    readers = [threading.Thread(target=read, daemon=True) for _ in range(others)]
    for reader in readers:
        reader.start()
    decode(client, begun)
    for reader in readers:
        reader.join(PATIENCE_S)


def decoding_ns(call: ModelCall) -> int:
    assert call.first_chunk_ns is not None
    return call.duration_ns - call.first_chunk_ns


def in_order(seen: Capture) -> list[ModelCall]:
    return sorted(seen.calls, key=lambda call: call.sent_at_ns)


def test_the_stall_of_a_stream_is_found_sized_and_its_owner_named(client: openai.OpenAI) -> None:
    sized: list[tuple[int, int]] = []
    for _ in range(ROUNDS):
        with capture(stream_usage=True) as seen:
            decode(client, threading.Event())
            decode_beside(client, SENTENCES["long"])
            decode(client, threading.Event())
        before, stalled, reader, after = in_order(seen)
        told = stalled.engine
        assert told is not None
        assert reader.engine is not None
        assert reader.engine.computed_tokens is not None
        assert reader.engine.computed_tokens > LONG_PREFILL_TOKENS
        assert told.starved_by == reader.id
        assert "'read it all'" in told.evidence["starved_ns"]
        assert told.basis["starved_ns"] == "estimated"
        assert told.prefill_beside_ns is None
        for alone in (before, after):
            assert alone.engine is not None
            assert alone.engine.starved_ns is None
        (account,) = (a for a in seen.accounts if a.task.id == stalled.task_id)
        assert account.time.taxes["decode_starved"] == told.starved_ns
        undisturbed = (decoding_ns(before) + decoding_ns(after)) // 2
        stall = decoding_ns(stalled) - undisturbed
        if abs(decoding_ns(before) - decoding_ns(after)) < QUIET * stall:
            sized.append((told.starved_ns or 0, stall))
            break
    if not sized:
        pytest.skip("this machine was too busy to measure what an undisturbed run takes")
    ((found, stall),) = sized
    print(f"stalled for {stall / 1e9:.3f} s, found {found / 1e9:.3f} s")
    assert abs(found - stall) < CLOSE * stall


def test_short_prefills_beside_a_stream_have_no_single_owner(client: openai.OpenAI) -> None:
    with capture(stream_usage=True) as seen:
        decode_beside(client, SENTENCES["short"], others=4)
    stalled, *readers = in_order(seen)
    told = stalled.engine
    assert told is not None
    assert told.starved_ns is None
    assert told.prefill_beside_ns
    assert any(reader.id in told.evidence["prefill_beside_ns"] for reader in readers)
    (account,) = (a for a in seen.accounts if a.task.id == stalled.task_id)
    assert account.time.taxes["prefill_blocks_decode"] == told.prefill_beside_ns
