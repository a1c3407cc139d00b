"""Delays that are put in on purpose, and the accounts in which the time ledger shows them.

``python -m tests.schedule`` prints the table, and ends with 1 where an account is off by more than 5 % and
more than 20 ms. A machine that is busy delays what it likes, so each row may be tried several times. What a
delay really took is measured where it is put in; what the provider waits is taken as it was told.
"""

import asyncio
import contextvars
import gc
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import anthropic

import touchdown
from touchdown.testing import Fault, Provider, Reply

MODEL = "claude-sonnet-5"
TRIES = 10
SHARE, LEAST_S = 0.05, 0.020
DELAY_S = 0.4
PIECE_S = 0.03
PIECES = 12


@dataclass
class Injected:
    """What was put into one task: seconds by account."""

    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, account: str, seconds: float) -> None:
        self.seconds[account] = self.seconds.get(account, 0.0) + seconds

    @contextmanager
    def measured(self, account: str, clock: Callable[[], float] = time.monotonic) -> Iterator[None]:
        began = clock()
        yield
        self.add(account, clock() - began)


Play = Callable[[anthropic.Anthropic, Injected], None]
"""Runs inside a task; the client was made before, for that is the agent's own code too."""


@dataclass(frozen=True)
class Scene:
    """One row of the schedule: what the provider answers, and what the agent does."""

    name: str
    script: Sequence[Any]
    play: Play


def client_of(provider: Provider) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=provider.url, api_key="none")


def ask(client: anthropic.Anthropic) -> Any:
    return client.messages.create(model=MODEL, max_tokens=50, messages=question())


def question() -> Any:
    return [{"role": "user", "content": "How long is a second?"}]


def read_stream(client: anthropic.Anthropic, between: Callable[[], None] = lambda: None) -> None:
    stream = client.messages.create(model=MODEL, max_tokens=50, messages=question(), stream=True)
    for _ in stream:
        between()


@touchdown.tool
def sleepy(seconds: float) -> str:
    time.sleep(seconds)
    return "slept"


def refused(client: anthropic.Anthropic, put: Injected) -> None:
    put.add("queue", 2 * DELAY_S)
    ask(client)


def broken(client: anthropic.Anthropic, put: Injected) -> None:
    put.add("retries", 2 * DELAY_S)
    ask(client)


def late_first_token(client: anthropic.Anthropic, put: Injected) -> None:
    put.add("model", DELAY_S)
    read_stream(client)


def stalled(client: anthropic.Anthropic, put: Injected) -> None:
    put.add("jitter", 2 * DELAY_S)
    read_stream(client)


def slow_reader(client: anthropic.Anthropic, put: Injected) -> None:
    def rest() -> None:
        with put.measured("agent"):
            time.sleep(0.05)

    read_stream(client, rest)


def slow_tool(client: anthropic.Anthropic, put: Injected) -> None:
    ask(client)
    with put.measured("tools"):
        sleepy(DELAY_S)
    ask(client)


def busy(client: anthropic.Anthropic, put: Injected) -> None:
    ask(client)
    with put.measured("agent", time.thread_time):
        until = time.thread_time() + DELAY_S
        while time.thread_time() < until:
            pass
    ask(client)


def collected(client: anthropic.Anthropic, put: Injected) -> None:
    gc.disable()
    garbage: list[Any] = [[] for _ in range(100_000)]
    ask(client)
    with put.measured("runtime_overhead"):
        for _ in range(3):
            gc.collect()
    ask(client)
    gc.enable()
    del garbage


def parallel_tools(client: anthropic.Anthropic, put: Injected) -> None:
    ask(client)
    with put.measured("tools"), ThreadPoolExecutor(2) as pool:
        for seconds in (DELAY_S, DELAY_S / 2):
            pool.submit(contextvars.copy_context().run, sleepy, seconds)
    ask(client)


def race(client: anthropic.Anthropic, put: Injected) -> None:
    async def run() -> None:
        async def one() -> float:
            began = time.monotonic()
            await waiting.messages.create(model=MODEL, max_tokens=50, messages=question())
            return time.monotonic() - began

        running = [asyncio.ensure_future(one()) for _ in range(2)]
        won, late = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        put.add("model", won.pop().result())
        for loser in late:
            loser.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        await waiting.close()

    waiting = anthropic.AsyncAnthropic(base_url=str(client.base_url), api_key="none")
    asyncio.run(run())


def busy_event_loop(client: anthropic.Anthropic, put: Injected) -> None:
    """The answer comes while another coroutine holds the loop, and has to wait for its end."""

    async def run() -> None:
        asked = time.monotonic()
        pending = asyncio.ensure_future(
            waiting.messages.create(model=MODEL, max_tokens=50, messages=question())
        )
        await asyncio.sleep(DELAY_S / 2)
        time.sleep(DELAY_S)
        free = time.monotonic()
        await pending
        put.add("model", DELAY_S)
        put.add("runtime_overhead", free - asked - DELAY_S)
        await waiting.close()

    waiting = anthropic.AsyncAnthropic(base_url=str(client.base_url), api_key="none")
    asyncio.run(run())


def stream_on_a_busy_loop(client: anthropic.Anthropic, put: Injected) -> None:
    async def read() -> None:
        stream = await waiting.messages.create(
            model=MODEL, max_tokens=50, messages=question(), stream=True
        )
        async for _ in stream:
            pass

    async def run() -> None:
        reading = asyncio.ensure_future(read())
        await asyncio.sleep(PIECE_S * PIECES / 2)
        with put.measured("runtime_overhead"):
            time.sleep(DELAY_S)
        put.add("jitter", 0.0)
        await reading
        await waiting.close()

    waiting = anthropic.AsyncAnthropic(base_url=str(client.base_url), api_key="none")
    asyncio.run(run())


def full_pool(client: anthropic.Anthropic, put: Injected) -> None:
    """Two calls at once on one connection: the second one waits for the first."""
    limits = type(anthropic.DEFAULT_CONNECTION_LIMITS)(max_connections=1)
    narrow = client.with_options(http_client=anthropic.DefaultHttpxClient(limits=limits))
    put.add("runtime_overhead", DELAY_S)
    put.add("model", DELAY_S)
    with ThreadPoolExecutor(2) as pool:
        for _ in range(2):
            pool.submit(contextvars.copy_context().run, ask, narrow)


CHILD = """
import sys, touchdown
touchdown.instrument()
import anthropic
client = anthropic.Anthropic(base_url=sys.argv[1], api_key="none")
client.messages.create(model=sys.argv[2], max_tokens=50, messages=[{"role": "user", "content": "hi"}])
"""


@touchdown.tool
def colleague(url: str) -> str:
    subprocess.run([sys.executable, "-c", CHILD, url, MODEL], check=True)
    return "answered"


def child_process(client: anthropic.Anthropic, put: Injected) -> None:
    """What a tool's child waits for is a model's, not the tool's."""
    put.add("model", DELAY_S)
    colleague(str(client.base_url))


def late_content(client: anthropic.Anthropic, put: Injected) -> None:
    """The stream begins at once; its first word comes late, which is no slow chunk."""
    events: list[None] = []
    read_stream(client, lambda: events.append(None))
    put.add("model", DELAY_S + PIECE_S * (len(events) - 1))


def fire_and_forget(client: anthropic.Anthropic, put: Injected) -> None:
    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(ask, client), daemon=True)
    thread.start()
    with put.measured("tools"):
        sleepy(DELAY_S)
    put.add("model", 0.0)


TEXT = "tick " * PIECES
QUICK = Reply("ok")
SCENES = (
    Scene("429, retry-after", [Fault(429, delay_s=DELAY_S, headers={"retry-after": str(DELAY_S)}), QUICK],
          refused),
    Scene("500, sent again", [Fault(500, delay_s=DELAY_S, headers={"retry-after": str(DELAY_S)}), QUICK],
          broken),
    Scene("first-token delay", [Reply("ok", first_chunk_delay_s=DELAY_S)], late_first_token),
    Scene("mid-stream stalls", [Reply(TEXT, chunk_chars=5, chunk_delay_s=PIECE_S,
                                      stalls_s={5: DELAY_S, 9: DELAY_S})], stalled),
    Scene("slow consumer", [Reply(TEXT, chunk_chars=5)], slow_reader),
    Scene("slow tool", [QUICK, QUICK], slow_tool),
    Scene("busy loop", [QUICK, QUICK], busy),
    Scene("garbage collection", [QUICK, QUICK], collected),
    Scene("parallel tools", [QUICK, QUICK], parallel_tools),
    Scene("first-wins race", [Reply("ok", first_chunk_delay_s=DELAY_S), Reply("ok", first_chunk_delay_s=5)],
          race),
    Scene("late first content", [Reply(TEXT, chunk_chars=5, chunk_delay_s=PIECE_S, stalls_s={2: DELAY_S})],
          late_content),
    Scene("busy event loop", [Reply("ok", first_chunk_delay_s=DELAY_S)], busy_event_loop),
    Scene("stream on a busy loop", [Reply(TEXT, chunk_chars=5, chunk_delay_s=PIECE_S)],
          stream_on_a_busy_loop),
    Scene("full connection pool", [Reply("ok", first_chunk_delay_s=DELAY_S)] * 2, full_pool),
    Scene("child process of a tool", [Reply("ok", first_chunk_delay_s=DELAY_S)], child_process),
    Scene("fire and forget", [Reply("ok", first_chunk_delay_s=5)], fire_and_forget),
)  # fmt: skip


def run(scene: Scene) -> tuple[Mapping[str, float], Mapping[str, float]]:
    """Seconds put in and seconds seen, by account."""
    put = Injected()
    with Provider(scene.script) as provider:
        client = client_of(provider)
        with touchdown.task(scene.name) as task:
            scene.play(client, put)
        told = task.report().tasks[0].time
    parts = [*told.within_work.values(), *told.taxes.values(), told.unexplained_s or 0.0]
    assert abs(sum(parts) - (told.total_s or 0.0)) < 1e-6, (scene.name, told)
    seen = {**told.within_work, **told.taxes}
    return put.seconds, {name: seen.get(name, 0.0) for name in put.seconds}


def is_close(put: float, seen: float) -> bool:
    return abs(seen - put) <= max(SHARE * put, LEAST_S)


def main() -> int:
    touchdown.instrument()
    with Provider([QUICK]) as provider, touchdown.task("warm up"):
        ask(client_of(provider))
    print(f"{'injected':<23} {'account':<17} {'put in':>8} {'seen':>8} {'off':>8}  tries")
    return 1 if sum(not shown(scene) for scene in SCENES) else 0


def shown(scene: Scene) -> bool:
    """Play a scene until it is close, and print its rows."""
    tries, close = 0, False
    while not close and tries < TRIES:
        put, seen = run(scene)
        close = all(is_close(put[name], seen[name]) for name in put)
        tries += 1
    for name in put:
        milliseconds = [put[name] * 1e3, seen[name] * 1e3, (seen[name] - put[name]) * 1e3]
        figures = "{:>5.0f} ms {:>5.0f} ms {:>+5.0f} ms".format(*milliseconds)
        wrong = "" if is_close(put[name], seen[name]) else "  off by too much"
        print(f"{scene.name:<23} {name:<17} {figures}  {tries}{wrong}", flush=True)
    return close


if __name__ == "__main__":
    sys.exit(main())
