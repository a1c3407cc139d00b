"""Where to hook the anthropic SDK, and how its own tracing and ours make one span."""

import os
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from touchdown.clients.anthropic.reader import READERS
from touchdown.clients.fields import text
from touchdown.clients.request import copy_of, parts_of, with_field
from touchdown.clients.stainless import Hooks, Prepared
from touchdown.integration import CallReader, Seam, Undo

PLATFORMS = (("Bedrock", "aws.bedrock"), ("Vertex", "gcp.vertex_ai"))
"""Part of a client's class name to the conventions' provider name, for SDKs that do not say it themselves.

What Anthropic runs on another's cloud (``AnthropicAWS``, ``AnthropicFoundry``, ``AnthropicGoogleCloud``) is
sold at its own list prices, and the SDK's own spans name ``anthropic``.
"""

DIRECT = frozenset({"Anthropic", "AsyncAnthropic"})
"""Clients of Anthropic's own API; the platforms' do not know every field of it."""

OWN_SETTINGS = (
    "ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE",
    "ANTHROPIC_OPEN_TELEMETRY_TRACES_MAX_CONTENT_BYTES",
)
"""Variables by which a host configures the SDK's own tracing."""


class AnthropicSdk:
    """What is particular to the anthropic SDK."""

    vendor = "anthropic"

    def reader_for(self, method: str, path: str) -> CallReader | None:
        """The reader of a POST path."""
        return READERS.get(path) if method == "post" else None

    def provider_of(self, client: object) -> str:
        """``anthropic``, or the platform of a client on the same base."""
        said = getattr(client, "_gen_ai_provider_name", None)
        if isinstance(said, str):
            return said
        name = type(client).__name__
        return next((provider for part, provider in PLATFORMS if part in name), "anthropic")

    def prepare(
        self, client: object, options: Any, body: Mapping[str, object], seam: Seam
    ) -> Prepared:
        """One CLIENT span per call: the SDK's own is left out, unless the host configured it."""
        if not getattr(options, "span_name", None) or not _traces_itself(client):
            return Prepared(options)
        if _configured_by_host(client):
            return Prepared(options, adopt=True)
        silent = copy_of(options)
        silent.__dict__["span_name"] = None  # not assigned: pydantic would look at it
        return Prepared(silent)

    def comparing(self, client: object, options: object, previous_id: str) -> object | None:
        """Ask for the provider's verdict on the cache, from the first call on: of Claude, at its own API.

        Source: https://platform.claude.com/docs/en/build-with-claude/cache-diagnostics.md, 2026-11: the
        Claude API only, and no beta header any more.
        """
        body = parts_of(options)
        if "diagnostics" in body or not text(body, "model").startswith("claude-"):
            return None
        if not _is_direct(client):
            return None
        return with_field(options, "diagnostics", {"previous_message_id": previous_id or None})

    def watches(self, method: str, path: str) -> bool:
        """Nothing that is fetched ends a model call here."""
        return False

    def fetched(self, client: object, answer: object) -> None:
        """Nothing to do."""


def _is_direct(client: object) -> bool:
    """Whether this is the SDK's own client of that API, or a host's that is made of it."""
    of_sdk = (kind for kind in type(client).__mro__ if kind.__module__.split(".")[0] == "anthropic")
    return next((kind.__name__ for kind in of_sdk), "") in DIRECT


def _traces_itself(client: object) -> bool:
    own = getattr(client, "_open_telemetry", None)
    return isinstance(own, dict) and bool(own.get("traces", {}).get("enabled"))


MOST_SETTINGS = 256
_configured: dict[int, tuple[object, bool]] = {}


def _configured_by_host(client: object) -> bool:
    """Whether the host set the SDK's tracing up: a provider, a conversation, content, limits.

    Looked at once, for the SDK too reads the environment only when a client is made.
    """
    own: Any = getattr(client, "_open_telemetry", {})
    known = _configured.get(id(own))
    if known is None or known[0] is not own:
        if len(_configured) >= MOST_SETTINGS:
            _configured.clear()
        known = _configured[id(own)] = own, _configures(own)
    return known[1]


def _configures(own: Any) -> bool:
    traces = own.get("traces", {})
    return (
        "tracer_provider" in own
        or "conversation_id" in own
        or traces.get("content_mode") == "content"
        or any(os.environ.get(name) for name in OWN_SETTINGS)
    )


class AnthropicIntegration:
    """The anthropic SDK as an integration, registered statically."""

    name = "anthropic"
    supports = "anthropic>=0.100,<3"

    def patch(self, module: ModuleType, seam: Seam) -> Undo:
        """Install the hooks."""
        return Hooks(AnthropicSdk(), seam).install(module)
