"""OTLP over HTTP: a small server of the standard library's, with bounds."""

import contextlib
import selectors
import socket
import socketserver
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler

from touchdown.collect.body import read_body
from touchdown.collect.counts import Counts
from touchdown.collect.limits import Limits
from touchdown.collect.wire import (
    JSON,
    PROTOBUF,
    SIGNALS,
    Export,
    Refused,
    Signal,
    answer,
    read_export,
    refusal,
)
from touchdown.runtime.carried import start_apart
from touchdown.runtime.guard import failed

PATHS: dict[str, Signal] = {f"/v1/{signal}": signal for signal in SIGNALS}

POLL_S, STOP_S = 0.25, 0.5

Take = Callable[[Export], None]
"""Takes one request in, or raises :class:`Refused`."""


class HttpServer(socketserver.ThreadingTCPServer):
    """Listens, and hands each whole request on. A thread for each connection, of which there is a bound.

    Errors: ``OSError`` where the address is taken.
    """

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128
    block_on_close = False

    def __init__(self, host: str, port: int, take: Take, counts: Counts, limits: Limits) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.take, self.counts, self.limits = take, counts, limits
        self._free = threading.BoundedSemaphore(limits.connections)
        self._due: dict[socket.socket, float] = {}
        self._ended = False
        self._thread = threading.Thread(target=self._serve, name="touchdown otlp", daemon=True)
        super().__init__((host, port), _Handler)

    def start(self) -> None:
        """Accept connections. Errors: ``RuntimeError`` where no thread can be started any more."""
        start_apart(self._thread)

    def _serve(self) -> None:
        """Until :meth:`stop`; the standard library's own loop would end up to a poll later."""
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self, selectors.EVENT_READ)
                while not self._ended:
                    if selector.select(POLL_S) and not self._ended:
                        self._handle_request_noblock()  # type: ignore[attr-defined]
                    self.service_actions()
        except (OSError, ValueError):
            if not self._ended:
                failed("collect.serve")

    def stop(self) -> None:
        """End at once; connections are cut."""
        self._ended = True
        host, port = self.server_address[:2]
        with contextlib.suppress(OSError):
            socket.create_connection((_near(str(host)), int(port)), POLL_S).close()
        if self._thread.ident is not None:
            self._thread.join(STOP_S)
        self.server_close()
        for connection in list(self._due):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def forget(self) -> None:
        """Let go of the socket, in this process alone."""
        self._ended = True
        self.server_close()

    def due(self, connection: socket.socket, seconds: float) -> None:
        """The connection is cut after so many seconds, unless this is called again."""
        self._due[connection] = time.monotonic() + seconds

    def service_actions(self) -> None:
        """Cut connections whose time is up. Called about twice a second."""
        now = time.monotonic()
        for connection, until in list(self._due.items()):
            if until < now:
                self._due.pop(connection, None)
                self.counts.add("connections cut")
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def verify_request(self, request: object, client_address: object) -> bool:
        """Whether there is room for one more connection."""
        if self._free.acquire(blocking=False):
            return True
        self.counts.add("connections refused")
        return False

    def process_request_thread(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        """Serve one connection to its end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._due.pop(request, None)
            self._free.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no error of ours."""
        failed("collect.connection")


def _near(host: str) -> str:
    """Where this machine reaches an address that stands for all of its own."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)


class _Handler(BaseHTTPRequestHandler):
    server: HttpServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "touchdown", ""
    disable_nagle_algorithm = True
    wbufsize = -1

    def setup(self) -> None:
        super().setup()
        self.connection.settimeout(self.server.limits.idle_s)

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            super().handle()

    def handle_one_request(self) -> None:
        self.server.due(self.connection, self.server.limits.idle_s)
        super().handle_one_request()

    def parse_request(self) -> bool:
        self.server.due(self.connection, self.server.limits.request_s)
        return super().parse_request()

    def do_POST(self) -> None:
        is_json = self.headers.get("content-type", "").strip().lower().startswith(JSON)
        try:
            export = self._read()
            self.server.take(export)
        except Refused as refused:
            self._refuse(refused, is_json)
            return
        self._reply(200, answer(export.signal, is_json, export.rejected), is_json)

    def _read(self) -> Export:
        signal = PATHS.get(self.path.partition("?")[0].rstrip("/"))
        if signal is None:
            raise Refused(404, f"OTLP goes to {', '.join(PATHS)}")
        limits = self.server.limits
        until = time.monotonic() + limits.request_s

        def in_time() -> None:
            if time.monotonic() > until:
                raise Refused(408, f"the body took longer than {limits.request_s:g} s")

        try:
            body = read_body(self.headers, self.rfile, limits.request_bytes, in_time)  # type: ignore[arg-type]
        except TimeoutError:
            raise Refused(408, "the body did not come") from None
        self.close_connection = self.headers.get("connection", "").lower() == "close"
        kind = self.headers.get("content-type", "")
        coding = self.headers.get("content-encoding", "").strip().lower()
        return read_export(signal, body, kind, coding, limits.request_bytes)

    def _refuse(self, refused: Refused, is_json: bool) -> None:
        self.server.counts.add(f"refused {refused.status}")
        # What is left of the body, if anything, would be taken for the next request.
        keeps = refused.status in (400, 415, 503) and not self.close_connection
        self.close_connection = not keeps
        self._reply(refused.status, refusal(refused, is_json), is_json)

    def _reply(self, status: int, body: bytes, is_json: bool) -> None:
        self.send_response(status)
        self.send_header("Content-Type", JSON if is_json else PROTOBUF)
        self.send_header("Content-Length", str(len(body)))
        if status == 503:
            self.send_header("Retry-After", "1")
        if status == 405:
            self.send_header("Allow", "POST")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def _other(self) -> None:
        if self.path.partition("?")[0].rstrip("/") in PATHS:
            refused = Refused(405, "OTLP is sent with POST")
        else:
            refused = Refused(404, f"OTLP goes to {', '.join(PATHS)}")
        self._refuse(refused, is_json=True)

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):
            return self._other
        raise AttributeError(name)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed."""
