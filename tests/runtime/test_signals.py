"""Exceptions out of the host's signal handlers: they reach the host, whatever of ours they strike."""

import functools
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from openai import OpenAI

from touchdown.clients import stainless
from touchdown.runtime import guard
from touchdown.runtime.inside import Inside
from touchdown.runtime.place import Place, current_place, new_task
from touchdown.testing import Provider, capture

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="POSIX signals")


class TimeLimitError(Exception):
    """As Celery's soft one."""


def limit(_number: int, _frame: object) -> None:
    raise TimeLimitError


class Limits:
    def method(self, _number: int, _frame: object) -> None:
        raise TimeLimitError

    def __call__(self, _number: int, _frame: object) -> None:
        raise TimeLimitError


HANDLERS = [limit, Limits().method, Limits(), functools.partial(limit)]


@pytest.fixture(autouse=True)
def _handler_given_back() -> Iterator[None]:
    before = signal.getsignal(signal.SIGALRM)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def strike(*_args: object, **_more: object) -> None:
    signal.raise_signal(signal.SIGALRM)


@pytest.mark.parametrize("handler", HANDLERS)
def test_what_a_handler_raises_passes_every_guard(
    handler: Callable[[int, object], None], caplog: pytest.LogCaptureFixture
) -> None:
    signal.signal(signal.SIGALRM, handler)
    with pytest.raises(TimeLimitError), guard.Guard("part"):
        strike()
    with pytest.raises(TimeLimitError):
        guard.guarded("part")(strike)()
    assert not caplog.records


def test_a_time_limit_that_strikes_while_we_look_at_a_call_ends_the_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signal.signal(signal.SIGALRM, limit)
    with Provider(["hello", "hello"]) as provider, capture() as seen:
        client = OpenAI(base_url=provider.openai_url, api_key="test", max_retries=0)
        with monkeypatch.context() as patch:
            patch.setattr(stainless, "endpoint_of", strike)
            with pytest.raises(TimeLimitError):
                client.chat.completions.create(model="gpt-5.4", messages=[])
        client.chat.completions.create(model="gpt-5.4", messages=[])
        client.close()
    assert [call.status for call in seen.calls] == ["ok"]


def test_a_step_that_a_time_limit_cuts_off_is_not_stood_in_any_longer() -> None:
    signal.signal(signal.SIGALRM, limit)

    class Leaving:
        def activate(self) -> "Leaving":
            return self

        def __enter__(self) -> None: ...

        def __exit__(self, *_error: object) -> None:
            strike()

    before, task = current_place(), new_task("cut off")
    with pytest.raises(TimeLimitError), Inside([Leaving()], Place(task, task.id)):  # type: ignore[list-item]
        pass
    assert current_place() is before


COLLECTING = """
import gc
import signal

from touchdown.runtime.garbage import watch_collector


class TimeLimitError(Exception):
    pass


def limit(_number, _frame):
    raise TimeLimitError


kept = [[number] for number in range(200_000)]
signal.signal(signal.SIGALRM, limit)
watch_collector(True)
struck = 0
for _ in range(10):
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.002)
        for _ in range(50):
            gc.collect()
    except TimeLimitError:
        struck += 1
print(struck)
"""
"""In a process of its own: in another one garbage has finalizers in Python, which lose a signal, too."""


def test_a_signal_that_comes_while_garbage_is_collected_is_handled_in_the_hosts_code() -> None:
    done = subprocess.run(
        [sys.executable, "-c", COLLECTING], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("10", "")
