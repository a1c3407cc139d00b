"""Where to hook the openai SDK."""

import re
from types import ModuleType
from typing import Any

from touchdown.clients.inside import follow, follow_raw
from touchdown.clients.openai.background import BackgroundCalls, Fetch, provider_of
from touchdown.clients.openai.reader import READERS, RESPONSES
from touchdown.clients.request import parts_of, read_as_bytes
from touchdown.clients.stainless import Hooks, Prepared
from touchdown.integration import CallReader, Seam, Undo

LOOK_UPS = re.compile(r"get /responses/[^/]+|post /responses/[^/]+/cancel")


class OpenAiSdk:
    """What is particular to the openai SDK."""

    vendor = "openai"

    def __init__(self, seam: Seam) -> None:
        self.background = BackgroundCalls(seam, RESPONSES)

    def reader_for(self, method: str, path: str) -> CallReader | None:
        """The reader of a POST path."""
        return READERS.get(path) if method == "post" else None

    def provider_of(self, client: object) -> str:
        """``openai``, or the platform of a client on the same base."""
        return provider_of(client)

    def prepare(self, client: object, options: object, seam: Seam) -> Prepared:
        """Ask a chat stream for its usage when the user allowed it, and hide the chunk that brings it."""
        body = parts_of(options)
        if body.get("background") is True:
            return Prepared(options, hold=self.background.hold)
        if not (seam.stream_usage and body.get("stream") is True and "messages" in body):
            return Prepared(options)
        if read_as_bytes(options):
            return Prepared(options)
        asked = body.get("stream_options")
        asked = asked if isinstance(asked, dict) else {}
        if asked.get("include_usage") is not None:
            return Prepared(options)
        return Prepared(_asking_usage(options, asked), hide_usage_chunk=True)

    def watches(self, method: str, path: str) -> bool:
        """A response fetched or cancelled by its id may end a background call."""
        return LOOK_UPS.fullmatch(f"{method} {path}") is not None

    def fetched(self, client: object, answer: object) -> None:
        """Bill a background response at its first terminal answer."""
        response = getattr(answer, "http_response", None)
        if hasattr(answer, "_iterator"):
            fetch = Fetch(self.background, client)
            fetch.begin_stream()
            follow(answer, fetch)
        elif response is not None:
            follow_raw(response, Fetch(self.background, client))
        else:
            self.background.fetched(client, answer)


def _asking_usage(options: Any, asked: dict[str, object]) -> object:
    copied = options.model_copy() if hasattr(options, "model_copy") else options.copy()
    copied.json_data = {**options.json_data, "stream_options": {**asked, "include_usage": True}}
    return copied


class OpenAiIntegration:
    """The openai SDK as an integration, registered statically."""

    name = "openai"
    supports = "openai>=2,<4"

    def patch(self, module: ModuleType, seam: Seam) -> Undo:
        """Install the hooks."""
        sdk = OpenAiSdk(seam)
        undo_hooks = Hooks(sdk, seam).install(module)

        def undo() -> None:
            undo_hooks()
            sdk.background.let_go()

        return undo
