"""A program that calls a model a few times and ends in the way it is told; run with and without touchdown."""

import asyncio
import atexit
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from openai import AsyncOpenAI, OpenAI

import touchdown

CALLS = 3

_kept: list[Any] = []


def call(client: OpenAI) -> None:
    """One model call."""
    client.chat.completions.create(model="gpt-5.4", messages=[{"role": "user", "content": "hi"}])


def ending() -> None:
    """Say that the program is at its own end."""
    print("ending", flush=True)


def wait_for_signal() -> None:
    """Until someone ends this process: in naps, for a signal just before a sleep is handled after it."""
    ending()
    while True:
        time.sleep(0.05)


def normal(client: OpenAI) -> None:
    """The last line was run."""
    ending()


def sys_exit(client: OpenAI) -> None:
    """``sys.exit(3)``."""
    ending()
    sys.exit(3)


def exception(client: OpenAI) -> None:
    """An exception nobody handles."""
    ending()
    raise RuntimeError("the program's own error")


def sigterm(client: OpenAI) -> None:
    """SIGTERM, which nobody handles."""
    wait_for_signal()


def flush_sigterm(client: OpenAI) -> None:
    """The same; ``touchdown.flush()`` came before."""
    touchdown.flush(2.0)
    wait_for_signal()


def sigterm_handled(client: OpenAI) -> None:
    """SIGTERM with a handler that leaves."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))
    wait_for_signal()


def sigint(client: OpenAI) -> None:
    """Ctrl-C."""
    wait_for_signal()


def os_exit(client: OpenAI) -> None:
    """``os._exit(4)``."""
    ending()
    os._exit(4)


def flush_os_exit(client: OpenAI) -> None:
    """The same; ``touchdown.flush()`` came before."""
    touchdown.flush(2.0)
    ending()
    os._exit(4)


def in_stream(client: OpenAI) -> None:
    """A stream was read half."""
    stream = client.chat.completions.create(
        model="gpt-5.4", messages=[{"role": "user", "content": "hi"}], stream=True
    )
    next(iter(stream))
    _kept.append(stream)
    ending()


def daemon_thread(client: OpenAI) -> None:
    """A daemon thread goes on calling."""
    first = threading.Event()

    def work() -> None:
        while True:
            call(client)
            first.set()

    threading.Thread(target=work, daemon=True).start()
    first.wait()
    ending()


def cancelled(client: OpenAI) -> None:
    """``asyncio.run`` with a call that is cancelled."""

    async def main() -> None:
        async with AsyncOpenAI() as aclient:
            asked = aclient.chat.completions.create(
                model="slow", messages=[{"role": "user", "content": "hi"}]
            )
            await asyncio.wait_for(asked, 0.3)

    try:
        asyncio.run(main())
    except asyncio.TimeoutError:
        ending()


def host_handlers(client: OpenAI) -> None:
    """The host's own handlers, set before and after ``instrument()``, call once more each."""
    atexit.register(call, client)
    ending()


WAYS: dict[str, Callable[[OpenAI], None]] = {
    way.__name__: way
    for way in (
        normal,
        sys_exit,
        exception,
        sigterm,
        flush_sigterm,
        sigterm_handled,
        sigint,
        os_exit,
        flush_os_exit,
        in_stream,
        daemon_thread,
        cancelled,
        host_handlers,
    )
}

if __name__ == "__main__":
    way = sys.argv[1]
    openai = OpenAI()
    if way == "host_handlers":
        atexit.register(call, openai)
    touchdown.instrument()
    with touchdown.task("three calls"):
        for _ in range(CALLS):
            call(openai)
    WAYS[way](openai)
