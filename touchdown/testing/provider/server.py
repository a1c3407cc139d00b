"""HTTP/1.1 on the loopback interface: bytes in, answers out. Knows nothing of models."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextvars import Context
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from msgspec import Struct

from touchdown.testing.provider.answer import Answer

_HOST = "127.0.0.1"
_POLL_S = 0.02


class Received(Struct, frozen=True):
    """One HTTP request as read from the socket; header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class LoopbackServer:
    """Serves `respond` on an ephemeral port, one daemon thread per connection.

    Closing it also closes the connections that clients keep alive, and ends all delays.
    """

    def __init__(self, respond: Callable[[Received], Answer]) -> None:
        self._server = _Server((_HOST, 0), _Handler)
        self._server.respond = respond
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            args=(_POLL_S,),
            name="touchdown-loopback",
            daemon=True,
        )

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"http://{_HOST}:{self._server.server_address[1]}"

    def start(self) -> None:
        """Begin to answer."""
        Context().run(self._thread.start)  # it serves all, not the one who starts it

    def close(self) -> None:
        """Stop at once."""
        self._server.closing.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(timeout=2)
        self._server.server_close()
        self._server.drop_connections()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    respond: Callable[[Received], Answer]

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.closing = threading.Event()
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(address, handler)

    def server_bind(self) -> None:
        """Bind without the reverse name look-up of `HTTPServer`, which can take seconds."""
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = _HOST, self.server_address[1]

    def register(self, connection: socket.socket) -> None:
        """Remember an open connection, to drop it when the server closes."""
        with self._open_lock:
            self._open.add(connection)

    def forget(self, connection: socket.socket) -> None:
        """The connection is done."""
        with self._open_lock:
            self._open.discard(connection)

    def drop_connections(self) -> None:
        """Wake every handler that waits for a client's next request."""
        with self._open_lock:
            still_open = list(self._open)
        for connection in still_open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news: nothing is printed."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server
    connection: socket.socket

    def setup(self) -> None:
        super().setup()
        self.server.register(self.connection)

    def finish(self) -> None:
        self.server.forget(self.connection)
        super().finish()

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: object) -> None:
        """Tests read their own output, not ours."""

    def version_string(self) -> str:
        return "touchdown-loopback"

    def _serve(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        received = Received(self.command, self.path, headers, self._read_body())
        self._send(self.server.respond(received))

    def _read_body(self) -> bytes:
        if "chunked" in (self.headers.get("Transfer-Encoding") or "").lower():
            return self._read_chunks()
        length = self.headers.get("Content-Length") or "0"
        return self.rfile.read(int(length)) if length.isdigit() else b""

    def _read_chunks(self) -> bytes:
        parts: list[bytes] = []
        while True:
            size = int(self.rfile.readline().partition(b";")[0] or b"0", 16)
            if size == 0:
                while self.rfile.readline().strip():
                    continue
                return b"".join(parts)
            parts.append(self.rfile.read(size))
            self.rfile.readline()

    def _send(self, answer: Answer) -> None:
        if not self._pause(answer.first_delay_s) or answer.drop:
            self.close_connection = True
            return
        answer.on_begin()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.chunks is None:
            self._send_body(answer)
        else:
            self._send_chunks(answer)

    def _send_body(self, answer: Answer) -> None:
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if answer.cut_after_chunks is None:
            self.wfile.write(answer.body)
        else:
            self.wfile.write(answer.body[: len(answer.body) // 2])
            self.close_connection = True

    def _send_chunks(self, answer: Answer) -> None:
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number, chunk in enumerate(answer.chunks or ()):
            stopped = number > 0 and not self._pause(answer.pause_before_s(number))
            if stopped or number == answer.cut_after_chunks:
                self.close_connection = True
                return
            self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        self.wfile.write(b"0\r\n\r\n")

    def _pause(self, seconds: float) -> bool:
        """Wait; False if the server closed meanwhile."""
        return seconds <= 0 or not self.server.closing.wait(seconds)
