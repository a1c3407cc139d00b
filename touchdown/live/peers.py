"""Who is at the other end of a local socket."""

import os
import socket
import struct

LOCAL_PEERCRED = 1
"""The BSDs' and macOS's own, without a name in Python. Source: sys/un.h."""


def is_ours(line: socket.socket) -> bool:
    """Whether the process at the other end runs as our user; where nobody tells, the folder is ours alone."""
    if hasattr(socket, "SO_PEERCRED"):
        told = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return bool(struct.unpack("3i", told)[1] == os.geteuid())
    try:
        told = line.getsockopt(0, LOCAL_PEERCRED, 76)
        return bool(struct.unpack("II", told[:8])[1] == os.geteuid())
    except (OSError, struct.error):
        return True
