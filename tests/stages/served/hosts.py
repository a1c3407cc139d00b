"""An agent on uvloop, or with joblib's processes; prints its task's calls, and whether its loop was late."""

import asyncio
import os
import sys
import threading
import time

import openai

import touchdown
from touchdown.runtime.loops import LATE_NS

touchdown.instrument()

ASKED = {"model": "gpt-5.4", "messages": [{"role": "user", "content": "hi"}]}
CHILD = [sys.executable, "-m", "tests.stages.served.hosts", "child"]


def call(number: int) -> int:
    """One model call."""
    with openai.OpenAI() as client:
        client.chat.completions.create(**ASKED)  # type: ignore[call-overload]
    return os.getpid()


async def agent() -> touchdown.Task:
    """Two tasks at once, with calls, a loop that is held up, and two programs."""
    with touchdown.task("goal") as task:
        async with openai.AsyncOpenAI() as client:
            await asyncio.gather(
                *(asyncio.create_task(client.chat.completions.create(**ASKED)) for _ in range(3))  # type: ignore[call-overload]
            )
        time.sleep(0.2)
        await asyncio.sleep(0.05)
        late = LATE_NS[threading.get_ident()] >= 100_000_000
        child = await asyncio.create_subprocess_exec(*CHILD)
        assert await child.wait() == 0
        child = await asyncio.create_subprocess_shell(" ".join(CHILD))
        assert await child.wait() == 0
    print("late" if late else "in time", type(asyncio.get_running_loop()).__module__)
    return task


def main(name: str) -> None:
    """The part that this process plays."""
    if name == "child":
        call(0)
        touchdown.flush(60)
        return
    if name == "uvloop":
        import uvloop

        task = uvloop.run(agent())
    else:
        from joblib import Parallel, delayed

        Parallel(n_jobs=2)(delayed(call)(number) for number in range(2))
        with touchdown.task("goal") as task:
            workers = Parallel(n_jobs=2)(delayed(call)(number) for number in range(5))
        print(os.getpid() in workers)
    others = sum(account.model_calls for account in touchdown.summary().accounts) - 5
    print(task.totals.model_calls, others)


if __name__ == "__main__":
    main(sys.argv[1])
