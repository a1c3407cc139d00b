"""Where to hook the openai SDK."""

import contextlib
import importlib
import re
import sys
from collections.abc import Mapping
from types import ModuleType

from touchdown.clients.fields import text
from touchdown.clients.inside import follow, follow_raw
from touchdown.clients.openai.background import BackgroundCalls, Fetch, provider_of
from touchdown.clients.openai.reader import READERS, RESPONSES
from touchdown.clients.request import parts_of, path_of, read_as_bytes, with_field
from touchdown.clients.stainless import Hooks, Prepared
from touchdown.integration import CallReader, Seam, Undo

LOOK_UPS = re.compile(r"get /responses/[^/]+|post /responses/[^/]+/cancel")
DIAGNOSED = re.compile(r"gpt-(5\.[6-9]|[6-9])(?![0-9])")
"""Models whose cache OpenAI diagnoses: GPT-5.6 and later.

Source: https://developers.openai.com/api/docs/guides/prompt-caching/diagnostics.md, 2026-11.
"""


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

    def prepare(
        self, client: object, options: object, body: Mapping[str, object], seam: Seam
    ) -> Prepared:
        """Ask a chat stream for its usage when the user allowed it, and hide the chunk that brings it."""
        if body.get("background") is True:
            return Prepared(options, hold=self.background.hold)
        if not (body.get("stream") is True and seam.stream_usage and "messages" in body):
            return Prepared(options)
        if read_as_bytes(options):
            return Prepared(options)
        asked = body.get("stream_options")
        asked = asked if isinstance(asked, dict) else {}
        if asked.get("include_usage") is not None:
            return Prepared(options)
        asking = with_field(options, "stream_options", {**asked, "include_usage": True})
        return Prepared(asking, hide_usage_chunk=True)

    def comparing(self, client: object, options: object, previous_id: str) -> object | None:
        """Ask for the provider's verdict on the cache: of OpenAI's own API, from the second call on."""
        body = parts_of(options)
        given = body.get("prompt_cache_options")
        given = given if isinstance(given, dict) else {}
        asks_already = "comparison_response_id" in given
        if asks_already or not previous_id or not DIAGNOSED.match(text(body, "model")):
            return None
        if self.provider_of(client) != "openai" or path_of(options, client) != "/responses":
            return None
        asked = {**given, "comparison_response_id": previous_id}
        return with_field(options, "prompt_cache_options", asked)

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


class OpenAiIntegration:
    """The openai SDK as an integration, registered statically."""

    name = "openai"
    supports = "openai>=2,<4"

    def patch(self, module: ModuleType, seam: Seam) -> Undo:
        """Install the hooks."""
        _load_httpx2(module)
        sdk = OpenAiSdk(seam)
        undo_hooks = Hooks(sdk, seam).install(module)

        def undo() -> None:
            undo_hooks()
            sdk.background.let_go()

        return undo


def _load_httpx2(module: ModuleType) -> None:
    """Some of these SDKs look whether ``httpx2`` is loaded, and break where another thread is loading it.

    The price book's package loads it, behind the queue: so it is loaded here, before any call.
    """
    if f"{module.__name__}._httpx2" in sys.modules and "httpx2" not in sys.modules:
        with contextlib.suppress(Exception):
            importlib.import_module("httpx2")
