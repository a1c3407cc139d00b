"""OpenTelemetry spans as a source: OTLP files, touchdown's own spans and those of other instrumentations."""

import re
from collections.abc import Iterator

from touchdown.sessions.source import Found, Head, Problems, Session, Source

_SIGNALS = re.compile(rb'"(resource_?[sS]pans|resource_?[lL]ogs)"\s*:\s*\[')
_BEFORE = re.compile(rb'[\s\[{\xef\xbb\xbf]*"(resource_?[sS]pans|resource_?[lL]ogs)"')
_LENGTH_BYTES = 4


class OtlpReader:
    """Reads OTLP JSON and protobuf: one session for each trace, or for each root task of touchdown's own."""

    name = "otlp"
    title = "OpenTelemetry spans in OTLP files, touchdown's own and others'"

    def recognise(self, head: Head) -> Found | None:
        """The first key of the JSON, or a protobuf request with a resource."""
        data = head.data
        if _BEFORE.match(data) and _SIGNALS.search(data):
            return Found()
        return Found() if _is_request(data) or _is_request(data[_LENGTH_BYTES:]) else None

    def read(self, source: Source, problems: Problems) -> Iterator[Session]:
        """Each trace, or each task of touchdown's, once all its spans are there."""
        # OpenTelemetry is loaded where there are spans to read, and not for every transcript.
        from touchdown.sessions.otlp_sessions import read_sessions

        for path in source.paths:
            try:
                yield from read_sessions(path, problems)
            except OSError as error:
                problems.refused(path, error)


def _is_request(data: bytes) -> bool:
    """Whether a protobuf request begins here: spans or logs of a resource that has an attribute."""
    for _ in range(4):  # the group, its resource, an attribute, the attribute's name
        if data[:1] != b"\x0a":
            return False
        size, data = _length(data[1:])
        if size <= 0:
            return False
    name = data[:size]
    return len(name) == size and name.isascii() and name.decode().isprintable()


def _length(data: bytes) -> tuple[int, bytes]:
    size = 0
    for index, byte in enumerate(data[:5]):
        size |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return size, data[index + 1 :]
    return 0, b""
