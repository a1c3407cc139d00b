"""A collector for measurements: takes what is sent to it and says yes. Prints the port it listens on.

With ``--stuck`` it takes a request and never answers.
"""

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STUCK = "--stuck" in sys.argv


class Sink(BaseHTTPRequestHandler):
    """Reads the body of each POST and answers 200."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Take it."""
        self.rfile.read(int(self.headers["Content-Length"]))
        if STUCK:
            threading.Event().wait()
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    server.daemon_threads = True
    print(server.server_address[1], flush=True)
    server.serve_forever()
