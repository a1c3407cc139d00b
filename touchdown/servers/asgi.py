"""ASGI (FastAPI, Starlette, Quart, Django): each request goes on with the task that its headers name."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from touchdown.telemetry.remote import joined

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Callable[..., Any], Callable[..., Any]], Awaitable[None]]


class AsgiMiddleware:
    """``app.add_middleware(touchdown.AsgiMiddleware)``, or ``app = touchdown.AsgiMiddleware(app)``."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(
        self, scope: Scope, receive: Callable[..., Any], send: Callable[..., Any]
    ) -> None:
        """Serve one connection; what is neither a request nor a web socket is passed on."""
        if scope.get("type") not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        with joined(scope.get("headers") or ()):
            await self.app(scope, receive, send)
