"""What programs that are started find in their environment, and that nothing else of theirs changes."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider

import touchdown
from touchdown.runtime.handing import PARENT, PLACE, TRACEPARENT, Ticket

SHOW = "import json, os; print(json.dumps(dict(os.environ)))"
COMMAND = [sys.executable, "-S", "-c", SHOW]


@pytest.fixture(autouse=True)
def instrumented() -> Iterator[None]:
    provider = TracerProvider(shutdown_on_exit=False)
    touchdown.instrument(tracer_provider=provider)
    before = dict(os.environ)
    yield
    touchdown.uninstrument()
    provider.shutdown()
    changed = {name for name, value in os.environ.items() if before.get(name) != value}
    assert changed <= {"PYTEST_CURRENT_TEST"}


def shown(env: dict[str, str] | None = None) -> dict[str, str]:
    done = subprocess.run(COMMAND, env=env, capture_output=True, check=True, timeout=60)
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_a_copy_of_the_environment_gains_three_variables() -> None:
    with touchdown.task("goal") as task:
        found = shown()
    task_id, agent_id = found[PLACE].split()
    assert (task_id, agent_id) == (task.id, task.id)
    trace_id = found[TRACEPARENT].split("-")[1]
    assert len(trace_id) == 32
    assert Path(found[PARENT]).parent.stat().st_mode & 0o077 == 0
    gained = {name for name in found if name not in os.environ} - {"LC_CTYPE"}
    assert gained == {PARENT, PLACE, TRACEPARENT}


def test_nothing_secret_is_among_them() -> None:
    with touchdown.task("goal") as task:
        found = shown()
    key = task._state.digest_key
    told = " ".join(found[name] for name in (PARENT, PLACE, TRACEPARENT))
    assert key.hex() not in told


def test_an_environment_that_the_caller_gave_stays_as_it_is() -> None:
    given = {"ONLY": "this", "PATH": os.environ["PATH"]}
    with touchdown.task("goal"):
        found = shown(given)
    assert given == {"ONLY": "this", "PATH": os.environ["PATH"]}
    assert found["ONLY"] == "this"
    assert PARENT in found
    assert "HOME" not in found


@pytest.mark.parametrize("name", [TRACEPARENT, b"TRACEPARENT"])
def test_a_traceparent_of_the_callers_own_holds(name: str) -> None:
    theirs = "00-" + "1" * 32 + "-" + "2" * 16 + "-01"
    with touchdown.task("goal"):
        found = shown({name: theirs if isinstance(name, str) else theirs.encode()})  # type: ignore[dict-item]
    assert found[TRACEPARENT] == theirs
    assert PARENT in found


def test_one_that_this_process_was_started_with_by_one_of_ours_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    above = "00-" + "1" * 32 + "-" + "2" * 16 + "-01"
    monkeypatch.setenv(TRACEPARENT, above)
    monkeypatch.setenv(PARENT, "/nowhere/else.sock")
    with touchdown.task("goal"):
        found = shown()
    assert found[TRACEPARENT] != above
    assert found[PARENT] != "/nowhere/else.sock"


def test_env_by_position_and_of_asyncio() -> None:
    async def run() -> bytes:
        process = await asyncio.create_subprocess_exec(*COMMAND, stdout=subprocess.PIPE)
        out, _ = await process.communicate()
        return out

    with touchdown.task("goal") as task:
        process = subprocess.Popen(
            COMMAND,
            -1,
            None,
            None,
            subprocess.PIPE,
            None,
            None,
            True,
            False,
            None,
            dict(os.environ),
        )
        by_position, _ = process.communicate(timeout=60)
        by_asyncio = asyncio.run(asyncio.wait_for(run(), 60))
    for out in (by_position, by_asyncio):
        assert json.loads(out)[PLACE].startswith(task.id)


def spawned(env: object, start: str = "posix_spawn") -> dict[str, str]:
    """What a program finds that ``os.posix_spawn`` starts."""
    read, write = os.pipe()
    moved = [(os.POSIX_SPAWN_DUP2, write, 1)]
    pid = getattr(os, start)(sys.executable, COMMAND, env, file_actions=moved)
    os.close(write)
    with open(read, encoding="utf-8") as out:
        found: dict[str, str] = json.loads(out.read())
    assert os.waitpid(pid, 0)[1] == 0
    return found


@pytest.mark.parametrize("start", ["posix_spawn", "posix_spawnp"])
def test_posix_spawn_hands_over_the_same(start: str) -> None:
    given = {"ONLY": "this", b"BYTES": b"too"}
    with touchdown.task("goal") as task:
        all_of_it, only = spawned(os.environ, start), spawned(given, start)
    for found in (all_of_it, only):
        assert found[PLACE].split() == [task.id, task.id]
        assert PARENT in found
        assert TRACEPARENT in found
    assert given == {"ONLY": "this", b"BYTES": b"too"}
    assert (only["ONLY"], only["BYTES"]) == ("this", "too")


def test_errors_of_posix_spawn_are_its_own() -> None:
    with touchdown.task("goal"):
        for args in ((), ("/bin/true",), ("/bin/true", ["true"]), ("/bin/true", ["true"], 5)):
            with pytest.raises(TypeError) as ours:
                os.posix_spawn(*args)  # type: ignore[arg-type]
            with pytest.raises(TypeError) as own:
                os.posix_spawn.__wrapped__(*args)  # type: ignore[attr-defined]
            assert str(ours.value) == str(own.value)
    touchdown.uninstrument()
    assert not hasattr(os.posix_spawn, "__wrapped__")


def test_errors_of_subprocess_are_its_own() -> None:
    with touchdown.task("goal"):
        with pytest.raises(FileNotFoundError):
            subprocess.run(["/no/such/program"], check=False)
        with pytest.raises((AttributeError, TypeError)):  # another one from Python 3.14 on
            subprocess.run(COMMAND, env=5, check=False)  # type: ignore[call-overload]


def test_processes_false_leaves_all_as_it_is() -> None:
    before = touchdown.instrument()
    before.uninstrument()
    handle = touchdown.instrument(processes=False)
    try:
        original = subprocess.Popen.__init__
        with touchdown.task("goal"):
            assert PARENT not in shown()
        assert subprocess.Popen.__init__ is original
        assert not hasattr(original, "__wrapped__")
    finally:
        handle.uninstrument()


def test_tickets_of_strange_environments() -> None:
    assert Ticket.of_environment({}) is None
    for place in ("", "x", "../../etc passwd", "task-1", "task-1 " + "x" * 200):
        ticket = Ticket.of_environment({PARENT: "/tmp/x.sock", PLACE: place})
        assert ticket is not None
        assert (ticket.task_id, ticket.agent_id) == ("", "")
