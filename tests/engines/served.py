"""A server on the loopback interface that answers what a real engine did."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from openai import OpenAI

import touchdown
from touchdown.engines.host import EngineHost
from touchdown.engines.hosts import HOSTS
from touchdown.testing.provider.answer import EVENT_STREAM, Answer, server_sent_event
from touchdown.testing.provider.server import LoopbackServer, Received

Page = str | int | Callable[[], str]


class Served:
    """What came in, and what goes out: pages by their path, answers to calls in order, the last for ever."""

    def __init__(self, answers: list[dict[str, Any]], pages: Mapping[str, Page]) -> None:
        self.answers, self.pages = answers, dict(pages)
        self.received: list[Received] = []
        self._clients: list[OpenAI] = []
        self.server = LoopbackServer(self._respond)

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def calls(self) -> list[Received]:
        return [one for one in self.received if one.method == "POST"]

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(one.body) for one in self.calls]

    @property
    def fetched(self) -> list[str]:
        return [one.target for one in self.received if one.method == "GET"]

    def _respond(self, received: Received) -> Answer:
        self.received.append(received)
        if received.method == "GET":
            page = self.pages.get(received.target, 404)
            if callable(page):
                page = page()
            if isinstance(page, int):
                return Answer(status=page, body=b"", content_type="text/html")
            return Answer(body=page.encode(), content_type="text/plain")
        told = self.answers[min(len(self.calls), len(self.answers)) - 1]
        if "chunks" in told:
            events = [server_sent_event(chunk) for chunk in told["chunks"]]
            return Answer(chunks=[*events, b"data: [DONE]\n\n"], content_type=EVENT_STREAM)
        return Answer(body=json.dumps(told).encode())

    def client(self) -> OpenAI:
        client = OpenAI(base_url=f"{self.url}/v1", api_key="none", max_retries=1)
        self._clients.append(client)
        return client

    def close(self) -> None:
        for client in self._clients:
            client.close()
        self.server.close()


@contextmanager
def serving(answers: list[dict[str, Any]], **pages: Page) -> Iterator[Served]:
    """``metrics`` and ``prometheus_metrics`` are pages, what makes them, or the status answered instead."""
    paths = {"/" + name.replace("_", "/"): page for name, page in pages.items()}
    served = Served(answers, paths)
    served.server.start()
    try:
        yield served
    finally:
        served.close()


@contextmanager
def named(url: str, kind: str = "auto") -> Iterator[EngineHost]:
    """A host that is named for as long as a test runs."""
    host = touchdown.engine(url, kind)
    try:
        yield host
    finally:
        HOSTS.forget(host)
