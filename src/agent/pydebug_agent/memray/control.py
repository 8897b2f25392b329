"""The conversation with the tracker in the target."""

from __future__ import annotations

import socket
import time
from typing import Callable, List, Optional, Tuple

from .place import Place, peer_of

_LONGEST_LINE = 1 << 13


class Control:
    """Waits for one process to connect and hears what it says."""

    def __init__(self, place: Place) -> None:
        self._server = place.listen()
        self._expected = 0
        self._connection: Optional[socket.socket] = None
        self._buffer = b""
        self._lines: List[List[str]] = []
        self.ended = False

    def expect(self, pid: int) -> None:
        """Take the next connection from this process, and none of anybody else."""
        self._hang_up()
        self._expected = pid
        self.ended = False

    def answered(self) -> bool:
        """Say whether the process has connected."""
        if self._connection is not None:
            return True
        while True:
            try:
                connection, _ = self._server.accept()
            except (BlockingIOError, InterruptedError):
                return False
            if peer_of(connection) == self._expected:
                connection.setblocking(False)
                self._connection = connection
                return True
            connection.close()

    def next(self) -> Optional[List[str]]:
        """Return what was said next: a word, then the rest of its line; None where nothing is there yet."""
        self._receive()
        return self._lines.pop(0) if self._lines else None

    def wait(self, seconds: float, tick: Callable[[], None]) -> Optional[List[str]]:
        """Return what is said next, None where the time is over or the other end is gone."""
        until = time.monotonic() + seconds
        while True:
            said = self.next()
            if said is not None or self.ended or time.monotonic() > until:
                return said
            tick()
            time.sleep(0.005)

    def stop(self) -> None:
        """Ask the tracker to stop."""
        if self._connection is not None:
            try:
                self._connection.send(b"stop\n")
            except OSError:
                pass

    def close(self) -> None:
        """End the conversation: whoever still tracks stops by itself."""
        self._hang_up()
        self._server.close()

    def _receive(self) -> None:
        if not self.answered() or self.ended:
            return
        assert self._connection is not None
        try:
            data = self._connection.recv(1 << 16)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self.ended = True
            return
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        if len(self._buffer) > _LONGEST_LINE:
            self.ended = True
        self._lines += [_words(line) for line in lines]

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._buffer = b""
        self._lines = []


def _words(line: bytes) -> List[str]:
    parts: Tuple[str, str, str] = line[:_LONGEST_LINE].decode("utf-8", "replace").partition(" ")
    return [parts[0], parts[2]]
