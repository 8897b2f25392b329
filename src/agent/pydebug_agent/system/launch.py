"""Starts children that are somebody else: a user, without any right, and nothing of ours before them."""

from __future__ import annotations

import _socket
import os
import resource
import signal
import time
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence

from .guard import child_limit
from .proc import Proc
from .ready import readable
from .spawn import Child, Limit, begin

_MOST_WORDS = 1 << 14
_POLL_SECONDS = 0.01
_STACK_BYTES = 9 << 20


class Credentials(NamedTuple):
    """Whose rights a process has: ids of its user, its group and its other groups."""

    user: int
    group: int
    groups: List[int]


class Heard(Child):
    """A child whose output and errors come through sockets: nobody else can open those."""

    def __init__(self, pid: int, output: int, errors: int) -> None:
        super().__init__(pid)
        self.output = output
        self.errors = errors
        self._said = b""

    def end(self) -> None:
        """Kill it where it still runs, and bury it."""
        if self.poll() is None:
            try:
                os.kill(self.pid, signal.SIGKILL)
            except OSError:
                pass
        while self.poll() is None:
            time.sleep(_POLL_SECONDS)
        for descriptor in (self.output, self.errors):
            os.close(descriptor)

    def line(self, seconds: float, check: Callable[[], None], most: int = 256) -> Optional[bytes]:
        """Return its next line of output, None where none comes in time, or one that is longer."""
        line = b""
        until = time.monotonic() + seconds
        while not line.endswith(b"\n"):
            byte = self.take(1, until - time.monotonic(), check)
            if byte is None or len(line) > most:
                return None
            line += byte
        return line

    def take(self, size: int, seconds: float, check: Callable[[], None]) -> Optional[bytes]:
        """Return so many bytes of its output, None where they do not come in time."""
        until = time.monotonic() + seconds
        parts: List[bytes] = []
        while size > 0:
            check()
            if time.monotonic() > until:
                return None
            if readable([self.output], 0.05):
                part = os.read(self.output, min(size, 1 << 16))
                if not part:
                    return None
                parts.append(part)
                size -= len(part)
        return b"".join(parts)

    def drain(self, seconds: float, check: Callable[[], None], most: int) -> bytes:
        """Return its output to the end; what is more than ``most``, or comes later, is left."""
        until = time.monotonic() + seconds
        parts: Dict[int, bytes] = {self.output: b"", self.errors: b""}
        left = list(parts)
        while left and len(parts[self.output]) <= most and time.monotonic() < until:
            check()
            for descriptor in readable(left, 0.1):
                part = os.read(descriptor, 1 << 16)
                if not part:
                    left.remove(descriptor)
                elif descriptor == self.output:
                    parts[descriptor] += part
                else:
                    parts[descriptor] = (parts[descriptor] + part)[-_MOST_WORDS:]
        while not left and self.poll() is None and time.monotonic() < until:
            check()
            time.sleep(_POLL_SECONDS)
        self._said = parts[self.errors]
        return parts[self.output]

    def words(self) -> str:
        """Return what it has said of errors."""
        os.set_blocking(self.errors, False)
        try:
            self._said += os.read(self.errors, _MOST_WORDS)
        except OSError:
            pass
        return self._said.decode("utf-8", "replace")


def launch(
    credentials: Credentials,
    run: Dict[str, Any],
    keep: Sequence[int] = (),
    root: Optional[str] = None,
    hidden: bool = False,
    limits: Sequence[Limit] = (),
    padding: str = "",
    threads: int = 0,
) -> Heard:
    """Start a child with credentials, without any capability; ``keep`` stays open in it. It ends with this thread.

    ``run`` has "path", "arguments" and "environment" of a program, or "source" for the child's own interpreter, in
    which nothing may be read by others of that user where it is ``hidden``. ``root`` becomes its root. It may start
    ``threads`` besides its own: their stacks count, in full, against the limit that it gets.
    """
    told = {
        "credentials": [os.geteuid() == 0, credentials.user, credentials.group, credentials.groups],
        "root": root,
        "hidden": hidden,
        "limits": _held(limits, threads * _STACK_BYTES),
        **run,
    }
    opened: List[int] = []
    try:
        output, output_end = _sockets(opened)
        errors, errors_end = _sockets(opened)
        child = Heard(begin(told, output_end, errors_end, keep, padding), output, errors)
        opened.remove(output)
        opened.remove(errors)
        return child
    finally:
        for descriptor in opened:
            os.close(descriptor)


def _sockets(opened: List[int]) -> "tuple[int, int]":
    first, second = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    ends = (first.detach(), second.detach())
    opened.extend(ends)
    return ends


def _held(limits: Sequence[Limit], more: int) -> List[Limit]:
    """Return limits for a child, which fails then where the application would be killed for want of memory."""
    unlimited = resource.RLIM_INFINITY
    most = child_limit(Proc())
    soft, hard = next((limit[1:] for limit in limits if limit[0] == resource.RLIMIT_DATA), (unlimited, unlimited))
    if most is not None:
        soft = most + more if soft == unlimited else min(soft, most + more)
    return [*(limit for limit in limits if limit[0] != resource.RLIMIT_DATA), (resource.RLIMIT_DATA, soft, hard)]
