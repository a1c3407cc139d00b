"""One provider and one client of each SDK per module; capture that reads the price data once."""

import functools
import importlib
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import anthropic
import openai
import pytest

from tests.clients.apis import REPLY, Api
from touchdown.prices import book
from touchdown.runtime import guard
from touchdown.telemetry import quiet
from touchdown.testing import Fault, Provider, Reply, Request

CONTEXT = ssl.create_default_context()
AT = 1_790_000_000


class Desk:
    """A provider whose script is written as tests go; without one it gives ``REPLY``."""

    def __init__(self) -> None:
        self._steps: deque[Reply | Fault | str] = deque()
        self.provider = Provider(self._next)

    def _next(self, _request: Request) -> Reply | Fault | str:
        return self._steps.popleft() if self._steps else REPLY

    def script(self, *steps: Reply | Fault | str) -> None:
        """Answer with these next."""
        self._steps.extend(steps)

    def begin(self) -> int:
        """Forget what the script still holds, put the clock back; hands back how many requests there were."""
        self._steps.clear()
        self.provider.clock.set(AT)
        self.provider.evict()
        return len(self.provider.requests)

    def url(self, vendor: str) -> str:
        """Base URL for this vendor's SDK."""
        return self.provider.url if vendor == "anthropic" else self.provider.openai_url


def make_client(vendor: str, url: str, *, asynchronous: bool = False, **given: Any) -> Any:
    """A client of one SDK; making the certificates' context once saves most of the time."""
    module = anthropic if vendor == "anthropic" else openai
    kind = "AsyncAnthropic" if vendor == "anthropic" else "AsyncOpenAI"
    http = "DefaultAsyncHttpxClient" if asynchronous else "DefaultHttpxClient"
    given = {"base_url": url, "api_key": "test", "max_retries": 0, "timeout": 20, **given}
    given.setdefault("http_client", getattr(module, http)(verify=CONTEXT))
    return getattr(module, kind if asynchronous else kind.removeprefix("Async"))(**given)


@pytest.fixture(scope="module", autouse=True)
def _quick() -> Iterator[None]:
    """Price data read once, no waiting before retries."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(book, "open_installed", functools.cache(book.open_installed))
        for name in ("anthropic._base_client", "openai._base_client"):
            base = importlib.import_module(name)
            patch.setattr(base, "INITIAL_RETRY_DELAY", 0.002)
            patch.setattr(base, "MAX_RETRY_DELAY", 0.004)
        yield


@pytest.fixture(autouse=True)
def _nothing_said() -> Iterator[None]:
    guard.forget_warnings()
    quiet.forget()
    yield
    guard.forget_warnings()
    quiet.forget()


@pytest.fixture(scope="module")
def _desk() -> Iterator[Desk]:
    desk = Desk()
    with desk.provider:
        yield desk


@pytest.fixture
def desk(_desk: Desk) -> Desk:
    _desk.begin()
    return _desk


@pytest.fixture(scope="module")
def _clients(_desk: Desk) -> Iterator[dict[str, Any]]:
    made = {vendor: make_client(vendor, _desk.url(vendor)) for vendor in ("openai", "anthropic")}
    yield made
    for client in made.values():
        client.close()


@pytest.fixture
def gpt(_clients: dict[str, Any]) -> openai.OpenAI:
    return _clients["openai"]


@pytest.fixture
def claude(_clients: dict[str, Any]) -> anthropic.Anthropic:
    return _clients["anthropic"]


@pytest.fixture
def client_of(_clients: dict[str, Any]) -> Callable[[Api], Any]:
    """The client for an API."""
    return lambda api: _clients[api.vendor]


@pytest.fixture
async def async_client_of(_desk: Desk) -> AsyncIterator[Callable[[Api], Any]]:
    """An async client for an API."""
    async with AsyncExitStack() as stack:

        def make(api: Api) -> Any:
            client = make_client(api.vendor, _desk.url(api.vendor), asynchronous=True)
            stack.push_async_callback(client.close)
            return client

        yield make
