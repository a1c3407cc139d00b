"""How long an answer lay unread: the kernel knows when its last byte came, the SDK's response its socket."""

import socket
import struct
import sys
from typing import Any

from touchdown.runtime.clocks import CallClocks
from touchdown.runtime.guard import pass_on

LEAST_WAIT_NS = 20_000_000
"""An answer that came sooner is not asked about."""

LEAST_NS = 10_000_000
"""Less is below what the kernel's own clock tells, which counts in ticks of up to 10 ms."""

_LENGTH = 56
_LAST_DATA_RECEIVED = 52
"""Of Linux's ``struct tcp_info``: where ``tcpi_last_data_recv`` stands, milliseconds since the last byte.
Source: linux/tcp.h, the same since 2.6."""


def unread_ns(response: Any, clocks: CallClocks) -> int | None:
    """How long the last byte of an answer that is received now had been there; ``None`` where nobody tells.

    It waited for a thread that others kept from running, or for an event loop that was busy.
    """
    sent_ns, received_ns = clocks.last_sent_ns, clocks.received_ns
    if sent_ns is None or received_ns is None or received_ns - sent_ns < LEAST_WAIT_NS:
        return None
    lay_ns = _lay_ns(response)
    if lay_ns is None or lay_ns > received_ns - sent_ns:
        return None  # what came last came before this was sent
    return lay_ns if lay_ns >= LEAST_NS else 0


def _lay_ns(response: Any) -> int | None:
    if sys.platform != "linux":
        return None
    try:
        line = response.extensions["network_stream"].get_extra_info("socket")
        told = line.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LENGTH)
        return int(struct.unpack_from("=I", told, _LAST_DATA_RECEIVED)[0]) * 1_000_000
    except Exception as error:  # another transport, a closed socket, no TCP
        pass_on(error)
        return None
