"""OTLP over gRPC, where the extra ``grpc`` is there: the bytes of each message as they came."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from google.rpc.code_pb2 import UNAVAILABLE  # type: ignore[import-untyped]

from touchdown.collect.counts import Counts
from touchdown.collect.http_server import Take
from touchdown.collect.limits import Limits
from touchdown.collect.wire import PROTOBUF, Refused, Signal, answer, of_protobuf

METHODS: dict[str, Signal] = {
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export": "traces",
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export": "metrics",
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export": "logs",
}
THREADS = 8


class GrpcServer:
    """Listens once it is made. Errors: ``ImportError`` without the extra, ``OSError`` for a taken address."""

    def __init__(self, host: str, port: int, take: Take, counts: Counts, limits: Limits) -> None:
        import grpc  # type: ignore[import-untyped]

        self._grpc: Any = grpc
        self._take, self._counts = take, counts
        options = [
            ("grpc.max_receive_message_length", limits.request_bytes),
            ("grpc.so_reuseport", 0),
            ("grpc.max_concurrent_streams", limits.connections),
        ]
        self._server = grpc.server(
            ThreadPoolExecutor(THREADS, thread_name_prefix="touchdown grpc"), options=options
        )
        self._server.add_generic_rpc_handlers((_Handlers(self),))
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            self.port = int(self._server.add_insecure_port(address))
        except RuntimeError as error:
            raise OSError(f"{address} cannot be listened on by gRPC") from error
        if not self.port:
            raise OSError(f"{address} cannot be listened on by gRPC")

    def start(self) -> None:
        """Begin to serve."""
        self._server.start()

    def handler(self, method: str) -> Any:
        """What serves this method; ``None`` for one that is not OTLP's."""
        signal = METHODS.get(method)
        if signal is None:
            return None
        return self._grpc.unary_unary_rpc_method_handler(self._serve(signal))

    def _serve(self, signal: Signal) -> Callable[[bytes, Any], bytes]:
        def serve(body: bytes, context: Any) -> bytes:
            try:
                export = of_protobuf(signal, body, body, {"content-type": PROTOBUF})
                self._take(export)
            except Refused as refused:
                self._counts.add(f"refused {refused.status}")
                context.abort(self._code(refused), refused.reason)
            return answer(signal, False, export.rejected)

        return serve

    def _code(self, refused: Refused) -> Any:
        code = self._grpc.StatusCode
        return code.UNAVAILABLE if refused.code == UNAVAILABLE else code.INVALID_ARGUMENT

    def close(self, timeout_s: float) -> None:
        """Stop listening; requests in hand have so many seconds."""
        self._server.stop(timeout_s).wait(timeout_s)


class _Handlers:
    def __init__(self, server: GrpcServer) -> None:
        self._server = server

    def service(self, details: Any) -> Any:
        return self._server.handler(details.method)
