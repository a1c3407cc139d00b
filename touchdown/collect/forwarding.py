"""Forwarding: every request goes on to a next backend as it came, byte for byte."""

import http.client
import ssl
import threading
import time
from collections import deque
from collections.abc import Mapping
from urllib.parse import urlsplit

from touchdown.collect.counts import Counts
from touchdown.collect.wire import Export
from touchdown.runtime.carried import start_apart
from touchdown.runtime.guard import warn_once

TIMEOUT_S = 10.0
TRIES = 4
PAUSE_S = 0.5
RETRIED = frozenset({429, 502, 503, 504})
"""Answers on which OTLP has a client try again."""


def check_url(url: str) -> str:
    """The base of the next backend's addresses; ``/v1/traces`` and the like are added to it.

    Errors: ``ValueError`` in one line for what is no http address.
    """
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and parts.hostname and (parts.port or True)
    except ValueError as error:
        raise ValueError(f"{url!r} is no address ({error})") from None
    if not known:
        raise ValueError(f"{url!r} is no address: write http://host:port")
    return url.rstrip("/")


class Forward:
    """A bounded queue and one thread that sends. What cannot be sent is counted, and said once."""

    def __init__(
        self, url: str, headers: Mapping[str, str], counts: Counts, most_bytes: int
    ) -> None:
        self.url = check_url(url)
        self._parts = urlsplit(self.url)
        self._headers, self._counts, self._most_bytes = dict(headers), counts, most_bytes
        self._exports: deque[Export] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._until: float | None = None
        self._given_up = False
        self._connection: http.client.HTTPConnection | None = None
        self._thread = threading.Thread(target=self._work, name="touchdown forward", daemon=True)
        self.problem = ""
        """What the last one that failed failed of; empty when all is well."""

    def start(self) -> None:
        """Begin to send. Errors: ``RuntimeError`` where no thread can be started any more."""
        start_apart(self._thread)

    def put(self, export: Export) -> None:
        """Send it soon; never waits."""
        with self._changed:
            if self._exports and self._bytes + len(export.body) > self._most_bytes:
                self._counts.add("forward: no room")
                self._say("the next backend is too slow; what comes meanwhile is not forwarded")
                return
            self._exports.append(export)
            self._bytes += len(export.body)
            self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._exports or self._until is not None, 60.0)
                if not self._exports:
                    if self._until is None:
                        continue
                    break
                export = self._exports[0]
            self._send(export)
            with self._changed:
                if self._given_up:
                    break
                self._exports.popleft()
                self._bytes -= len(export.body)
                self._changed.notify_all()
        self._hang_up()

    def _send(self, export: Export) -> None:
        for attempt in range(TRIES):
            problem, again = self._post(export)
            if not problem:
                self._counts.add("forwarded")
                self.problem = ""
                return
            if not again or self._is_late(PAUSE_S * 2**attempt):
                break
            if attempt + 1 < TRIES:
                self._counts.add("forward: tried again")
        if not self._given_up:
            self._counts.add("forward: failed")
            self._say(problem)

    def _post(self, export: Export) -> tuple[str, bool]:
        """What went wrong, if anything, and whether trying again may help."""
        try:
            if self._connection is None:
                self._connection = self._connect()
            path = f"{self._parts.path}/v1/{export.signal}"
            headers = {**export.headers, **self._headers}
            self._connection.request("POST", path, export.body, headers)
            response = self._connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException) as error:
            self._hang_up()
            return f"{self.url}: {getattr(error, 'strerror', None) or type(error).__name__}", True
        if response.will_close:
            self._hang_up()
        if 200 <= response.status < 300:
            return "", False
        return f"{self.url} answers {response.status}", response.status in RETRIED

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._parts.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S, context=context)
        return http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _is_late(self, pause_s: float) -> bool:
        """Wait before the next attempt; whether there is no time for one."""
        with self._changed:
            self._changed.wait_for(lambda: self._until is not None, pause_s)
            return self._until is not None and time.monotonic() > self._until

    def _say(self, problem: str) -> None:
        self.problem = problem
        warn_once(f"forward:{self.url}", "touchdown collect: not forwarded: %s", problem)

    def close(self, timeout_s: float) -> int:
        """Send what waits and end; how many requests there was no time for, which count as failed."""
        with self._changed:
            self._until = time.monotonic() + timeout_s
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout_s + 0.1)
        with self._changed:
            left = len(self._exports)
            self._given_up = bool(left)
        self._hang_up()
        self._counts.add("forward: failed", left)
        return left
