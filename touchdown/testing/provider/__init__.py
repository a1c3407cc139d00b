"""A model provider on the loopback interface, for tests, examples and demos.

It speaks the HTTP of the Anthropic and OpenAI APIs, answers from a script or a recording, and
keeps the published rules of their prompt caches.
"""

from touchdown.testing.provider.clock import Clock
from touchdown.testing.provider.loopback import Provider, Script
from touchdown.testing.provider.replay import Exchange, Replay, ReplayError
from touchdown.testing.provider.request import Request
from touchdown.testing.provider.script import Fault, Reply, ToolUse
from touchdown.testing.provider.tokens import count_tokens

__all__ = [
    "Clock",
    "Exchange",
    "Fault",
    "Provider",
    "Replay",
    "ReplayError",
    "Reply",
    "Request",
    "Script",
    "ToolUse",
    "count_tokens",
]
