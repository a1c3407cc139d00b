"""For tests, ours and users': a provider on the loopback interface, and ``capture()``."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from touchdown.testing.capturing import Capture as Capture
    from touchdown.testing.capturing import capture as capture
    from touchdown.testing.provider import Clock as Clock
    from touchdown.testing.provider import Fault as Fault
    from touchdown.testing.provider import Provider as Provider
    from touchdown.testing.provider import Replay as Replay
    from touchdown.testing.provider import Reply as Reply
    from touchdown.testing.provider import Request as Request
    from touchdown.testing.provider import ToolUse as ToolUse

_CAPTURING = ("Capture", "capture")
_PROVIDER = ("Clock", "Fault", "Provider", "Replay", "Reply", "Request", "ToolUse")

__all__ = [*_CAPTURING, *_PROVIDER]


def __getattr__(name: str) -> object:
    import importlib

    if name in _CAPTURING:
        return getattr(importlib.import_module("touchdown.testing.capturing"), name)
    if name in _PROVIDER:
        return getattr(importlib.import_module("touchdown.testing.provider"), name)
    raise AttributeError(f"module 'touchdown.testing' has no attribute {name!r}")
