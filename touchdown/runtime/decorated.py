"""Decorated functions: they keep name, signature, kind and type, and are copied and pickled by name."""

import copy
import functools
import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import wrapt

if TYPE_CHECKING:
    Function = wrapt.FunctionWrapper[Any, Any]
    Bound = wrapt.BoundFunctionWrapper[Any, Any]
else:
    Function = wrapt.FunctionWrapper  # generic from wrapt 2 on only
    Bound = wrapt.BoundFunctionWrapper


class BoundDecorated(Bound):
    """A decorated function taken from an object or its class."""

    def __copy__(self) -> "BoundDecorated":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        owner = getattr(self.__wrapped__, "__self__", None)
        return self if owner is None else getattr(copy.deepcopy(owner, memo), self.__name__)

    def __reduce_ex__(self, protocol: Any) -> Any:
        owner = getattr(self.__wrapped__, "__self__", None)
        if owner is not None:
            return getattr, (owner, self.__name__)
        return find_by_name, (self.__module__, self.__qualname__)


class Decorated(Function):
    """A decorated function."""

    __bound_function_wrapper__ = BoundDecorated

    def __copy__(self) -> "Decorated":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "Decorated":
        return self

    def __reduce_ex__(self, protocol: Any) -> str:
        return str(self.__qualname__)  # pickled by name, as plain functions are


def find_by_name(module: str, qualified_name: str) -> Any:
    """What stands in this module under this name."""
    found: Any = importlib.import_module(module)
    for name in qualified_name.split("."):
        found = getattr(found, name)
    return found


def name_of(function: Callable[..., Any]) -> str:
    """What to call a function, a ``functools.partial`` of it, or a callable object."""
    while isinstance(function, functools.partial):
        function = function.func
    return str(getattr(function, "__name__", None) or type(function).__name__)
