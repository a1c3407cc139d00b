"""The SDK's own part of a call, cut short: what is left are the hooks, and their cost can be seen alone."""

import contextlib
import copy
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import openai
from workload import client_of, create_of


@contextlib.contextmanager
def cut_short() -> Iterator[None]:
    """Both SDKs' `request` only builds what it was given and hands an answer back; undone at the end.

    To be entered before any hook is put on the classes.
    """
    with contextlib.ExitStack() as undo:
        for sdk, name in ((anthropic, "anthropic"), (openai, "openai")):
            base = sdk._base_client
            request, response, answer = _real_exchange(name)
            attempts = hasattr(base.SyncAPIClient, "_attempt_request")
            stubs = _stubs(request, response, answer, attempts)
            for owner, method in (
                (base.BaseClient, "_build_request"),
                (base.SyncAPIClient, "_process_response"),
                (base.SyncAPIClient, "_attempt_request"),
                (base.SyncAPIClient, "request"),
            ):
                if method in vars(owner):
                    undo.callback(setattr, owner, method, vars(owner)[method])
                    setattr(owner, method, stubs[method])
        yield


def _stubs(
    request: Any, response: Any, answer: Any, attempts: bool
) -> dict[str, Callable[..., Any]]:
    def build(self: Any, options: Any, *, retries_taken: int = 0) -> Any:
        return request

    def attempt(self: Any, options: Any, **_given: Any) -> Any:
        self._build_request(options, retries_taken=0)
        return copy.copy(response), options

    def process(self: Any, **_given: Any) -> Any:
        return answer

    def send(self: Any, cast_to: Any, options: Any, **_given: Any) -> Any:
        if attempts:
            got, options = self._attempt_request(options, stream=False, retries_taken=0)
        else:
            self._build_request(options, retries_taken=0)
            got = copy.copy(response)
        return self._process_response(cast_to=cast_to, options=options, response=got)

    return {
        "_build_request": build,
        "_attempt_request": attempt,
        "_process_response": process,
        "request": send,
    }


def _real_exchange(sdk: str) -> tuple[Any, Any, Any]:
    """A request, its response and the answer made of it, as this SDK has them."""
    client = client_of(sdk)
    tiny = {"messages": [{"role": "user", "content": "hi"}], "model": "m"}
    limit = {"max_tokens": 9} if sdk == "anthropic" else {}
    resource = client.messages if sdk == "anthropic" else client.chat.completions
    raw = resource.with_raw_response.create(**tiny, **limit)
    return raw.http_response.request, raw.http_response, raw.parse()


def hook_call(sdk: str, asked: dict[str, Any]) -> Callable[[], object]:
    """A call of `request` alone, with the options that the SDK makes of these arguments.

    To be made before :func:`cut_short`.
    """
    client = client_of(sdk)
    seen: list[tuple[Any, Any]] = []
    kind = type(client)

    def keep(self: Any, cast_to: Any, options: Any, **_given: Any) -> None:
        seen.append((cast_to, options))

    kind.request, create = keep, create_of(sdk, client)
    try:
        create(**asked)
    finally:
        del kind.request
    ((cast_to, options),) = seen
    return lambda: client.request(cast_to, options)
