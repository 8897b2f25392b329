"""One thread held for one read.

A thread is seized, interrupted, read and let go; no signal is sent to it. Where a signal of somebody else's arrives
first, the thread stops for its delivery instead, and that signal is handed on when the thread is let go. Letting go of
a thread that is in a group stop leaves it stopped. What a hold cannot hide: a thread that went to sleep in the few
microseconds before it may find its system call interrupted. The kernel restarts most calls; the ones that return EINTR
for a stop (epoll_wait, semop, sockets with a timeout) are restarted by CPython itself, but not by every C extension.
Should this process die in mid-hold, the kernel lets the thread go.
"""

from __future__ import annotations

import errno
import os
import time
from typing import Callable, List, Tuple, TypeVar

from ..system.libc import last_error, prototype
from .memory import Gone

_DETACH, _SEIZE, _INTERRUPT = 17, 0x4206, 0x4207
_WALL = 0x40000000
_SPIN_SECONDS = 0.0002

Result = TypeVar("Result")


class Refused(Exception):
    """The thread cannot be held; ``number`` is the errno."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.number = number


class Holder:
    """Holds threads of one process, one at a time. All calls must come from one thread."""

    def __init__(self, limit: float = 2.0) -> None:
        self._ptrace: Callable[..., int] = prototype("ptrace", "l", "llPP")
        self._limit = limit
        self._unsettled: List[int] = []
        self._status = 0
        self._alone = len(os.sched_getaffinity(0)) == 1 == os.cpu_count()

    def run(self, tid: int, action: Callable[[], Result]) -> Tuple[Result, float]:
        """Run ``action`` while the thread stands; return its result and for how many microseconds it stood at most."""
        self._call(_SEIZE, tid)
        stopped = False
        signal = 0
        try:
            self._call(_INTERRUPT, tid)
            signal, running = self._wait(tid)
            stopped = True
            result = action()
        finally:
            if stopped:
                self._let_go(tid, signal)
            else:
                self._abandon(tid)
        return result, (time.perf_counter() - running) * 1e6

    def settle(self, limit: float = 1.0) -> List[int]:
        """Let go of threads that stopped only after they had been given up; return those that have not yet."""
        deadline = time.monotonic() + limit
        while True:
            self._unsettled = [tid for tid in self._unsettled if not self._try_settle(tid)]
            if not self._unsettled or time.monotonic() > deadline:
                return list(self._unsettled)
            time.sleep(0.005)

    def _wait(self, tid: int) -> Tuple[int, float]:
        """Wait for the stop; return the signal to hand on, or 0, and when the thread was last seen not to stand."""
        pause = 0.0
        begin = running = time.perf_counter()
        while True:
            now = time.perf_counter()
            try:
                found, status = os.waitpid(tid, _WALL | os.WNOHANG)
            except ChildProcessError:
                raise Gone("thread %d ended" % tid) from None
            if found:
                break
            running = now
            waited = now - begin
            if waited > self._limit:
                raise Refused(errno.ETIMEDOUT, "it did not stop within %.1f s" % self._limit)
            if waited > _SPIN_SECONDS:
                pause = min(pause + 0.00002, 0.0002)
                time.sleep(pause)
            elif self._alone:
                # The thread needs our processor, to come to its stop.
                os.sched_yield()
        if not os.WIFSTOPPED(status):
            raise Gone("thread %d ended" % tid)
        self._status = status
        return _signal_of(status), running

    def _let_go(self, tid: int, signal: int) -> None:
        try:
            self._call(_DETACH, tid, signal)
        except Gone:
            # Killed while it stood: it stays a zombie until its end has been taken note of.
            self._unsettled.append(tid)

    def _abandon(self, tid: int) -> None:
        # Nothing to detach from while it runs; it is let go as soon as it stops, or by the kernel when we end.
        if not self._try_settle(tid):
            self._unsettled.append(tid)

    def _try_settle(self, tid: int) -> bool:
        try:
            found, status = os.waitpid(tid, _WALL | os.WNOHANG)
        except ChildProcessError:
            return True
        if not found:
            return False
        if os.WIFSTOPPED(status):
            try:
                self._call(_DETACH, tid, _signal_of(status))
            except (Gone, Refused):
                return False
        return True

    def _call(self, request: int, tid: int, data: int = 0, address: int = 0) -> None:
        if self._ptrace(request, tid, address or None, data or None) == -1:
            number = last_error()
            if number == errno.ESRCH:
                raise Gone("thread %d ended" % tid)
            raise Refused(number, "ptrace: %s" % os.strerror(number))


def _signal_of(status: int) -> int:
    """Return the signal a stop stands for: 0 for our own interruption and for a group stop."""
    return 0 if status >> 16 else os.WSTOPSIG(status)
