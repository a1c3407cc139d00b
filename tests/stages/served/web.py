"""A WSGI application whose every request makes one model call."""

import os
from collections.abc import Callable, Iterable
from typing import Any

from openai import OpenAI

import touchdown

touchdown.instrument()


def application(_environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """Answer with the id of the process."""
    with touchdown.task("request"), OpenAI() as client:
        client.chat.completions.create(
            model="gpt-5.4", messages=[{"role": "user", "content": "hi"}]
        )
    start("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]


# With --preload this is the master, which has a worker thread and a connection of its own by now.
if os.environ.get("CALL_AT_IMPORT"):
    list(application({}, lambda *_: None))
