"""What the processes below tell, taken in as it comes: from sockets, and from files where those fail."""

import contextlib
import os
import secrets
import selectors
import shutil
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from touchdown.live.peers import is_ours
from touchdown.live.teller import Teller, Told
from touchdown.live.uplink import FILES, TOLD
from touchdown.runtime.carried import start_apart
from touchdown.runtime.guard import failed, warn_once
from touchdown.runtime.private_folder import let_go, new_folder, sweep

LONGEST_PATH = 100
"""Bytes of a socket's path; systems allow 104 to 108 with the zero at its end."""

WAIT_S = 0.5
READ_BYTES = 1 << 18
BACKLOG = 256
MOST_READS = 4_096
"""Reads of one line before the others have their turn."""


class Reception:
    """A socket in a private folder, and all who tell something through it. Safe from any thread."""

    def __init__(self, folder: Path | None, receive: Callable[[Told], None]) -> None:
        self._receive = receive
        self._lock = threading.RLock()
        self._process = os.getpid()
        self._tellers: dict[str, Teller] = {}
        self._lines: dict[socket.socket, Teller] = {}
        self._closed = False
        self.is_own = folder is None
        self.folder = folder or new_folder()
        self.name = secrets.token_hex(6)
        self._selector = selectors.DefaultSelector()
        self._listener = self._listen()

    @property
    def path(self) -> str:
        """What a child is told: the socket, or that there are only files."""
        return str(self.folder / (self.name + (FILES if self._listener is None else ".sock")))

    def _listen(self) -> socket.socket | None:
        path = str(self.folder / f"{self.name}.sock")
        if not hasattr(socket, "AF_UNIX"):
            return None
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            if len(os.fsencode(path)) > LONGEST_PATH:
                raise OSError("its path would be too long")
            listener.bind(path)
            listener.listen(BACKLOG)
            listener.setblocking(False)
            self._selector.register(listener, selectors.EVENT_READ)
        except OSError as error:
            listener.close()
            warn_once(
                "reception",
                "touchdown: no socket for the processes below (%s); they tell by files in %s",
                error.strerror or error,
                self.folder,
            )
            return None
        start_apart(threading.Thread(target=self._watch, name="touchdown family", daemon=True))
        return listener

    def _watch(self) -> None:
        sweep()
        while not self._closed:
            try:
                self._selector.select(WAIT_S)
                self.catch_up()
            except (OSError, ValueError, RuntimeError):
                if not self._closed:
                    threading.Event().wait(WAIT_S)  # the set changed while it was looked at

    def catch_up(self) -> None:
        """Take in all that lies ready; what a process told before it ended is taken in when this returns."""
        with self._lock:
            if self._closed or self._process != os.getpid():
                return
            try:
                self._accept()
                for line, teller in list(self._lines.items()):
                    self._read(line, teller)
                self._read_files()
            except Exception:
                failed("reception")

    def _accept(self) -> None:
        while self._listener is not None:
            try:
                line, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                return
            if not is_ours(line):
                warn_once(
                    "reception:peer", "touchdown: a process of another user is not listened to"
                )
                line.close()
                continue
            line.setblocking(False)
            self._lines[line] = Teller()
            self._selector.register(line, selectors.EVENT_READ)

    def _read(self, line: socket.socket, teller: Teller) -> None:
        for _ in range(MOST_READS):
            try:
                data = line.recv(READ_BYTES)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                data = b""
            if not data:
                break
            self._take(teller, data)
        else:
            return
        self._selector.unregister(line)
        line.close()
        del self._lines[line]
        teller.line_ended()
        file = self.folder / (teller.name + TOLD)
        if teller.name and file.exists():
            self._tellers[teller.name] = teller  # it goes on there
        else:
            self._end(teller)

    def _take(self, teller: Teller, data: bytes) -> None:
        for told in teller.take(data):
            self._receive(told)

    def _end(self, teller: Teller) -> None:
        for told in teller.end():
            self._receive(told)

    def _read_files(self) -> None:
        for entry in os.scandir(self.folder):
            name = entry.name.removesuffix(TOLD)
            if name != entry.name and name.startswith(self.name):
                teller = self._tellers.setdefault(name, Teller())
                if not teller.ended and name not in {t.name for t in self._lines.values()}:
                    self._read_file(Path(entry.path), teller)

    def _read_file(self, path: Path, teller: Teller) -> None:
        was_alive = teller.is_alive()
        with open(path, "rb") as file:
            file.seek(teller.read_bytes)
            while data := file.read(READ_BYTES):
                teller.read_bytes += len(data)
                self._take(teller, data)
        if not was_alive:
            self._end(teller)

    def close(self) -> None:
        """Take in what lies ready and end; a folder of our own goes."""
        self.catch_up()
        sweep()  # where nobody watches: by files
        with self._lock:
            self._let_go()
        if self.is_own and self._process == os.getpid():
            let_go(self.folder)
            shutil.rmtree(self.folder, ignore_errors=True)

    def forget(self) -> None:
        """In a forked child: the parent goes on listening, this process does not."""
        self._lock = threading.RLock()
        self._let_go()

    def _let_go(self) -> None:
        self._closed = True
        with contextlib.suppress(OSError):
            self._selector.close()
        for line in [*self._lines, *([self._listener] if self._listener else [])]:
            with contextlib.suppress(OSError):
                line.close()
        self._lines.clear()
