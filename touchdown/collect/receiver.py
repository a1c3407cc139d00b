"""The receiver: servers, the queue that is read, and what is forwarded, started and ended as one."""

import ipaddress
from collections.abc import Mapping

from touchdown.collect.asked import LOOPBACK
from touchdown.collect.counts import Counts
from touchdown.collect.forwarding import Forward
from touchdown.collect.grpc_server import GrpcServer
from touchdown.collect.http_server import HttpServer
from touchdown.collect.intake import Intake, Reader
from touchdown.collect.limits import Limits
from touchdown.collect.wire import Export
from touchdown.runtime.collecting import DEFAULT_PORT

GRPC_PORT = 4317
"""OTLP's own over gRPC."""


class Receiver:
    """Takes OTLP and hands it to a reader, and on to a next backend where one is named.

    ``http_port`` 0 is any that is free. Errors: ``OSError`` where the address is taken, ``ValueError`` for
    a wrong address to forward to, ``RuntimeError`` where no thread can be started any more.
    """

    def __init__(
        self,
        reader: Reader,
        *,
        host: str = LOOPBACK,
        http_port: int = DEFAULT_PORT,
        grpc_port: int | None = None,
        forward: str = "",
        forward_headers: Mapping[str, str] | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.counts = Counts()
        self.host = host
        self.forward = (
            Forward(forward, forward_headers or {}, self.counts, self.limits.forward_bytes)
            if forward
            else None
        )
        self._intake = Intake(reader, self.counts, self.limits.waiting_bytes, self.limits.busy_s)
        self._http = HttpServer(host, http_port, self.take, self.counts, self.limits)
        self._grpc: GrpcServer | None = None
        self.grpc_problem = ""
        """Why there is no gRPC though a port was named; empty when there is."""
        if grpc_port is not None:
            self._open_grpc(grpc_port)

    def _open_grpc(self, port: int) -> None:
        try:
            self._grpc = GrpcServer(self.host, port, self.take, self.counts, self.limits)
        except ImportError:
            self.grpc_problem = "it needs the extra \"grpc\" (pip install 'touchdown-agents[grpc]')"
        except OSError as error:
            self.grpc_problem = str(error)

    @property
    def grpc_port(self) -> int | None:
        """Where it listens for gRPC, if it does."""
        return self._grpc.port if self._grpc is not None else None

    @property
    def http_port(self) -> int:
        """Where it listens."""
        return int(self._http.server_address[1])

    @property
    def endpoint(self) -> str:
        """For ``OTEL_EXPORTER_OTLP_ENDPOINT``."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.http_port}"

    def start(self) -> None:
        """Begin to listen."""
        self._intake.start()
        if self.forward is not None:
            self.forward.start()
        self._http.start()
        if self._grpc is not None:
            self._grpc.start()

    def take(self, export: Export) -> None:
        """One whole request. Errors: ``Refused`` when there is no room."""
        self._intake.put(export)
        if self.forward is not None:
            self.forward.put(export)
        counts = self.counts
        counts.add(f"{export.signal} requests")
        counts.add("spans", export.spans - export.rejected)
        counts.add("spans rejected", export.rejected)

    def drain(self, now_s: float) -> None:
        """Read what has come so far, and let the reader look after what waits."""
        self._intake.drain()
        self._intake.tick(now_s)

    def forget(self) -> None:
        """In a forked child: nothing listens here, and nothing is read."""
        self._http.forget()

    def close(self, timeout_s: float = 2.0) -> list[str]:
        """Stop listening, read and forward what waits; what was lost, in a few words each."""
        self._http.stop()
        if self._grpc is not None:
            self._grpc.close(timeout_s)
        unread = self._intake.close(timeout_s)
        unsent = self.forward.close(timeout_s) if self.forward is not None else 0
        lost = [f"{unread:,} requests (not read within {timeout_s:g} s)"] if unread else []
        lost += [f"{unsent:,} requests (not forwarded within {timeout_s:g} s)"] if unsent else []
        return lost


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches this address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
