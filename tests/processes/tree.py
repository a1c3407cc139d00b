"""A program whose agent works in threads, pools, children and a grandchild; it prints its bill."""

import asyncio
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import openai

import touchdown

touchdown.instrument()

ASKED = {"model": "gpt-5.4", "messages": [{"role": "user", "content": "hi"}]}


def call(tokens: int) -> int:
    """One model call of so many tokens."""
    with openai.OpenAI() as client:
        client.chat.completions.create(**ASKED, extra_headers={"x-tokens": str(tokens)})  # type: ignore[call-overload]
    return tokens


async def call_often(*tokens: int) -> None:
    """Several at once."""
    async with openai.AsyncOpenAI() as client:
        ways = [
            client.chat.completions.create(**ASKED, extra_headers={"x-tokens": str(n)})  # type: ignore[call-overload]
            for n in tokens
        ]
        await asyncio.gather(*ways)


def die(tokens: int) -> None:
    """A call that ends, one that does not, and then a death without a word."""
    call(tokens)
    touchdown.flush()
    with openai.OpenAI() as client:
        client.chat.completions.create(
            **ASKED, stream=True, extra_headers={"x-tokens": str(tokens), "x-slow": "1"}
        )  # type: ignore[call-overload]
        os.kill(os.getpid(), signal.SIGKILL)


def program(*names: str) -> None:
    """This file as another program."""
    subprocess.run([sys.executable, "-m", "tests.processes.tree", *names], check=False, timeout=120)


@touchdown.agent("reviewer")
def work() -> None:
    """Everything that the name says."""
    call(1)
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(call, [2, 3]))
    asyncio.run(call_often(4, 5))
    for number, method in enumerate(multiprocessing.get_all_start_methods()):
        child = multiprocessing.get_context(method).Process(target=call, args=(10 + number,))
        child.start()
        child.join(120)
        assert child.exitcode == 0, method
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        list(pool.map(call, [20, 21]))
    with multiprocessing.get_context("fork").Pool(2) as pool:
        pool.map(call, [30, 31])
    program("child")


def main(names: list[str]) -> None:
    """The part that this process plays."""
    if names == ["child"]:
        call(100)
        program("grandchild")
        return
    if names == ["grandchild"]:
        call(1_000)
        return
    if names == ["dying"]:
        die(200)
    with touchdown.task("goal") as task:
        work()
        if "killed" in names:
            program("dying")
        deadline = time.monotonic() + 60
        while task.totals.model_calls < 14 and time.monotonic() < deadline:
            time.sleep(0.05)
        print(task.report().model_dump_json())
    left = [account.task.name for account in touchdown.summary().accounts]
    print(json.dumps({"roots": left}))


if __name__ == "__main__":
    main(sys.argv[1:])
