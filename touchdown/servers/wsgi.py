"""WSGI (Flask, Django, Bottle): each request goes on with the task that its headers name."""

import contextvars
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from touchdown.telemetry.remote import joined

App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class WsgiMiddleware:
    """``app.wsgi_app = touchdown.WsgiMiddleware(app.wsgi_app)``; an answer may be produced as it is read."""

    def __init__(self, app: App) -> None:
        self.app = app

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Serve one request. Lists are handed on as they are, else each piece is made inside."""
        headers = {
            name[5:].lower(): value
            for name, value in environ.items()
            if name.startswith("HTTP_") and isinstance(value, str)
        }
        with joined(headers):
            answer = self.app(environ, start_response)
            if hasattr(answer, "__len__"):
                return answer
            return _Answer(answer, contextvars.copy_context())


class _Answer:
    """An answer whose pieces are made where the request stood."""

    def __init__(self, answer: Iterable[bytes], context: contextvars.Context) -> None:
        self._answer, self._context = answer, context
        self._pieces: Iterator[bytes] | None = None

    def __iter__(self) -> "_Answer":
        self._pieces = self._context.run(iter, self._answer)
        return self

    def __next__(self) -> bytes:
        if self._pieces is None:
            iter(self)
        return self._context.run(next, self._pieces)  # type: ignore[arg-type]

    def close(self) -> None:
        """As servers must call it."""
        close = getattr(self._answer, "close", None)
        if close is not None:
            self._context.run(close)
