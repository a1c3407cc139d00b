"""Methods of an SDK's classes, replaced by plain functions: a proxy would cost each call of them more."""

import functools
import inspect
from collections.abc import Callable
from types import FunctionType
from typing import Any

Method = Callable[..., Any]
Make = Callable[[Method], Method]
"""Makes what is called in the place of a method: with its object first, as the method itself is."""


class Wrapped:
    """Some methods, each wrapped once, until ``take_back``."""

    def __init__(self) -> None:
        self.on = True
        self._done: list[tuple[type, str, object, Method]] = []

    def wrap(self, owner: type, name: str, make: Make) -> None:
        """Wrap a method that the class itself defines."""
        found = vars(owner)[name]
        ours = make(unbound(found))
        functools.update_wrapper(ours, found)
        setattr(owner, name, ours)
        self._done.append((owner, name, found, ours))

    def take_back(self) -> None:
        """Give every method back by identity."""
        self.on = False
        for owner, name, found, ours in self._done:
            # What someone else wrapped around ours is theirs to take back; ours only passes on.
            if vars(owner)[name] is ours:
                setattr(owner, name, found)


def unbound(found: Any) -> Method:
    """How to call a method with its object first; what another library put there is bound as Python does."""
    if type(found) is FunctionType:  # a proxy says that it is one
        return found
    if inspect.iscoroutinefunction(found):

        async def bind_async(instance: object, /, *args: object, **kwargs: object) -> object:
            return await found.__get__(instance, type(instance))(*args, **kwargs)

        return bind_async

    def bind(instance: object, /, *args: object, **kwargs: object) -> object:
        return found.__get__(instance, type(instance))(*args, **kwargs)

    return bind
