"""A program with children, made in the way it is told: each process makes its own model calls."""

import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

from openai import OpenAI

import touchdown

CALLS = 2
"""Model calls of each process."""

CHILDREN = 2

FORKS_UNDER_LOAD = 12


def call(times: int = CALLS) -> None:
    """Some model calls."""
    with OpenAI() as client:
        for _ in range(times):
            client.chat.completions.create(
                model="gpt-5.4", messages=[{"role": "user", "content": "hi"}]
            )


def work() -> None:
    """What a child does: `touchdown` is set up where the start method did not bring it along."""
    touchdown.instrument()
    call()


def fork(child: Callable[[], None]) -> int:
    """Fork; the child ends as a program does."""
    pid = os.fork()
    if pid == 0:
        child()
        sys.exit()
    return pid


def wait_for(pids: list[int]) -> None:
    """Every child ends well."""
    for pid in pids:
        _, status = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(status) == 0


def os_fork() -> None:
    """``os.fork`` while a stream is read; the children leave through it and the task around it."""
    with OpenAI() as client:
        stream = client.chat.completions.create(
            model="gpt-5.4", messages=[{"role": "user", "content": "hi"}], stream=True
        )
        for _ in stream:
            break
        wait_for([fork(call) for _ in range(CHILDREN)])
        list(stream)


def fork_and_exec() -> None:
    """Another program, by fork and exec, with a hook between the two."""
    for _ in range(CHILDREN):
        subprocess.run([sys.executable, "-c", ""], check=True, preexec_fn=lambda: None)


def processes(method: str) -> Callable[[], None]:
    """``multiprocessing.Process`` by this start method."""

    def start() -> None:
        context = multiprocessing.get_context(method)
        children = [context.Process(target=work) for _ in range(CHILDREN)]
        for child in children:
            child.start()
        for child in children:
            child.join()
            assert child.exitcode == 0

    return start


def executor() -> None:
    """A pool of processes."""
    with ProcessPoolExecutor(CHILDREN, multiprocessing.get_context("fork")) as pool:
        for done in [pool.submit(work) for _ in range(CHILDREN)]:
            done.result()


@touchdown.tool
def look() -> str:
    """A tool; unlike a model call it takes no lock of any other library's."""
    return "seen"


def child_under_load() -> None:
    """One tool call; leaves past what other libraries do at an interpreter's end."""
    look()
    sent = touchdown.flush(30.0)
    os._exit(0 if sent else 1)


def fork_under_load() -> None:
    """Forks while other threads of the parent record, and hold whatever locks of ours there are."""
    stop = threading.Event()

    def hammer() -> None:
        while not stop.wait(0.001):
            look()
            print("looked", flush=True)

    threads = [threading.Thread(target=hammer) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(FORKS_UNDER_LOAD):
            wait_for([fork(child_under_load)])
    finally:
        stop.set()
        for thread in threads:
            thread.join()


FAMILIES: dict[str, Callable[[], None]] = {
    "os_fork": os_fork,
    "fork_and_exec": fork_and_exec,
    "fork": processes("fork"),
    "spawn": processes("spawn"),
    "forkserver": processes("forkserver"),
    "executor": executor,
    "fork_under_load": fork_under_load,
}


if __name__ == "__main__":
    touchdown.instrument()
    with touchdown.task("a family"):
        call()
        FAMILIES[sys.argv[1]]()
