"""Who can reach the receiver: this machine alone, unless told otherwise; seen in the system's own table."""

import socket
from pathlib import Path

import pytest

from tests.collect.exported import Collected, collecting

TABLES = [Path("/proc/net/tcp"), Path("/proc/net/tcp6")]
LISTENS = "0A"
LOOPBACK = {
    "0100007F",
    "00000000000000000000000001000000",
    "0000000000000000FFFF00000100007F",  # IPv4 as IPv6 writes it
}

linux = pytest.mark.skipif(not TABLES[0].exists(), reason="the table of sockets is Linux's")


def listeners(port: int) -> set[str]:
    """The addresses at which this machine listens at a port."""
    found = set()
    for table in TABLES:
        for line in table.read_text().splitlines()[1:] if table.exists() else ():
            _, local, _, state, *_ = line.split()
            address, _, number = local.partition(":")
            if state == LISTENS and int(number, 16) == port:
                found.add(address)
    return found


@linux
def test_nothing_listens_beyond_this_machine() -> None:
    pytest.importorskip("grpc")
    with collecting(grpc_port=0) as collected:
        ports = [collected.receiver.http_port, collected.receiver.grpc_port]
        for port in ports:
            assert port
            assert listeners(port)
            assert listeners(port) <= LOOPBACK
    for port in ports:
        assert port
        assert listeners(port) == set()


@linux
def test_it_does_where_that_is_asked_for() -> None:
    with collecting(host="0.0.0.0") as collected:
        assert listeners(collected.receiver.http_port) == {"00000000"}


def test_ipv6() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    try:
        with collecting(host="::1") as collected:
            assert collected.endpoint.startswith("http://[::1]:")
            socket.create_connection(("::1", collected.receiver.http_port), 5).close()
    except OSError as error:
        pytest.skip(f"no IPv6 here ({error})")


def test_a_taken_port_is_an_error_and_nothing_is_left_open() -> None:
    with collecting() as first, pytest.raises(OSError, match="in use"):
        Collected(http_port=first.receiver.http_port)
