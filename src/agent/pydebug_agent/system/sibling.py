"""Lets the agent live on where the runtime kills the process that it started.

Where a connection drops, a container runtime kills the process of the exec at once. What that one had begun in the
target would stay as it is, and its tools, killed with it, would come to the application's PID 1 and stay zombies there.
So that process only waits, and a sibling of it does the work: a child of the runtime's, which buries it, too. The
sibling sees that the other one is gone and ends in good order.
"""

from __future__ import annotations

import os
import signal
import time
from typing import Callable, NamedTuple, Optional

from .libc import function
from .proc import Proc

_CLONE_PARENT = 0x8000
_CLONE = {"x86_64": 56, "aarch64": 220}
_NAME = "python3-waits"
_FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_EXIT_KILLED = 137
_END_SECONDS = 1.0
_POLL_SECONDS = 0.001


class _Waiting(NamedTuple):
    """The process that the runtime started: where to say how this one ends, and where its end is seen."""

    says: int
    seen: int


_waiting: Optional[_Waiting] = None


def step_aside() -> None:
    """Go on in a sibling of this process, where the runtime's process is the parent: outside of our namespace.

    Before there are threads, and before more is loaded: what one of the two writes to after that is there twice.
    Without ctypes, or where the kernel refuses, all stays as it was.
    """
    global _waiting
    if os.getppid() != 0 or os.getpid() == 1:
        return
    clone = _load_clone()
    if clone is None:
        return
    said, says = os.pipe()
    seen, open_end = os.pipe()
    sibling = clone()
    if sibling == 0:
        os.close(said)
        os.close(open_end)
        os.set_blocking(seen, False)
        _waiting = _Waiting(says, seen)
        return
    os.close(says)
    os.close(seen)
    if sibling > 0:
        _wait(sibling, said)
    os.close(said)
    os.close(open_end)


def only_waits(proc: Proc, pid: int) -> bool:
    """Say whether a process only waits for an agent that is another process."""
    try:
        return proc.text(pid, "comm").strip() == _NAME
    except OSError:
        return False


def is_left() -> bool:
    """Say whether the process that waited for this one is gone."""
    if _waiting is None:
        return False
    try:
        return not os.read(_waiting.seen, 1)
    except BlockingIOError:
        return False


def leave(code: int) -> None:
    """End this process, and with the same code the one that waits for it. Threads are not waited for."""
    if _waiting is not None:
        try:
            os.write(_waiting.says, bytes([code & 0xFF]))
        except OSError:
            pass
    os._exit(code)


def _wait(sibling: int, said: int) -> None:
    """Wait for the sibling's end, and pass on what this process is told; never returns."""

    def forward(number: int, _: object) -> None:
        try:
            os.kill(sibling, number)
        except OSError:
            pass

    try:
        # What tells it from the agent itself: its command line is the same. A thread's own name is its process's to
        # write whoever else may not look at it.
        with open("/proc/self/task/%d/comm" % os.getpid(), "w", encoding="ascii") as file:
            file.write(_NAME)
    except OSError:
        pass
    for number in _FORWARDED:
        signal.signal(number, forward)
    code = os.read(said, 1)
    # A runtime that goes when this process does buries what has ended by then.
    until = time.monotonic() + _END_SECONDS
    while not _has_ended(sibling) and time.monotonic() < until:
        time.sleep(_POLL_SECONDS)
    os._exit(code[0] if code else _EXIT_KILLED)


def _has_ended(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            state = file.read().rpartition(b")")[2].split()[0]
        # It can be buried once its last thread is gone, too.
        return state in (b"Z", b"X") and len(os.listdir(f"/proc/{pid}/task")) < 2
    except OSError:
        return True


def _load_clone() -> Optional[Callable[[], int]]:
    number = _CLONE.get(os.uname().machine)
    call = function("syscall")
    if number is None or call is None:
        return None
    clone = call
    return lambda: clone(number, _CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0)
