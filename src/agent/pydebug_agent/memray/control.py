"""The conversation with what runs in the target: it gets source and open files from here, and says what it does."""

from __future__ import annotations

import _socket
import os
import struct
import time
from typing import Callable, List, Optional, Sequence, Tuple

_LONGEST_LINE = 1 << 13
# What a thread of ours says first, and what is said on one of the application's where it can start none.
_BEGIN, _GREEN = b"begin\n", b"green\n"


class Control:
    """Waits for one process to connect, sends it what it is to run, and hears what it says.

    The name that it connects to is one of the network namespace, and leads to nothing else of ours.
    """

    def __init__(self) -> None:
        self.address = f"\0pydebug-memray-{os.urandom(16).hex()}"
        # The module socket brings much along for a few words.
        self._server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
        self._server.bind(self.address)
        self._server.listen(8)
        self._server.setblocking(False)
        self._expected = 0
        self._source = b""
        self._files: List[int] = []
        self._candidate: Optional[_socket.socket] = None
        self._connection: Optional[_socket.socket] = None
        self._buffer = b""
        self._lines: List[List[str]] = []
        self.ended = False
        self.is_green = False

    def expect(self, pid: int, source: str, files: Sequence[int]) -> None:
        """Take the next connection from this process and none of anybody else, and send it source and files."""
        self._hang_up()
        self._expected = pid
        self._source = source.encode("utf-8")
        self._files = list(files)
        self.ended = self.is_green = False

    def answered(self) -> bool:
        """Say whether the process has connected from a thread of ours."""
        while self._connection is None and self._connect():
            pass
        return self._connection is not None

    def _connect(self) -> bool:
        """Take one step towards a connection; say whether there may be another."""
        if self._candidate is None:
            try:
                self._candidate = _socket.socket(fileno=self._server._accept()[0])
            except (BlockingIOError, InterruptedError):
                return False
            self._candidate.setblocking(False)
        try:
            said = self._candidate.recv(16) if _peer_of(self._candidate) == self._expected else b""
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            said = b""
        candidate, self._candidate = self._candidate, None
        if said == _BEGIN and self._send(candidate):
            self._connection = candidate
        else:
            self.is_green = self.is_green or said == _GREEN
            candidate.close()
        return True

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

    def say(self, word: str) -> None:
        """Say a word: "go" on, or "stop"."""
        if self._connection is not None:
            try:
                self._connection.send(word.encode("ascii") + b"\n")
            except OSError:
                pass

    def hang_up(self) -> None:
        """End the conversation with this process: whoever still tracks there stops by itself."""
        self._expected = 0
        self._hang_up()

    def close(self) -> None:
        """End it for good."""
        self._hang_up()
        self._server.close()

    def _send(self, connection: _socket.socket) -> bool:
        descriptors = struct.pack(f"{len(self._files)}i", *self._files)
        rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, descriptors)] if descriptors else []
        try:
            connection.sendmsg([struct.pack(">Q", len(self._source))], rights)
            # It fits into what such a connection holds of itself.
            return connection.send(self._source) == len(self._source)
        except OSError:
            return False

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
        self._lines += [_words(line) for line in lines[:64]]

    def _hang_up(self) -> None:
        for connection in (self._connection, self._candidate):
            if connection is not None:
                connection.close()
        self._connection = self._candidate = None
        self._buffer = b""
        self._lines = []


def _peer_of(connection: _socket.socket) -> int:
    """Return the process at the other end."""
    return int(struct.unpack("3i", connection.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12))[0])


def _words(line: bytes) -> List[str]:
    parts: Tuple[str, str, str] = line[:_LONGEST_LINE].decode("utf-8", "replace").partition(" ")
    return [parts[0], parts[2]]
