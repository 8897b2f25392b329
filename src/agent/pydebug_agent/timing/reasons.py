"""Why a thread is off the processor: the reason and the system call it waits in."""

from __future__ import annotations

from typing import List, NamedTuple, Optional, Sequence

from ..reader.waits import RESTART, called, function_call, is_gil, system_calls
from .recording import FAULT, GIL, IO, LOCK, OTHER, POLL, SLEEP, STOPPED

_SLEEPS = frozenset(("clock_nanosleep", "nanosleep", "pause"))
# Where the argument that counts descriptors stands; the calls without one always wait for some.
_POLLS = {
    "poll": 1, "ppoll": 1, "select": 0, "pselect6": 0, "epoll_wait": -1, "epoll_pwait": -1, "epoll_pwait2": -1,
}


class Why(NamedTuple):
    """A reason of recording.py and the name of the system call, None outside of one."""

    reason: str
    call: Optional[str]


class Calls:
    """Tells reasons from what /proc says of a waiting thread."""

    def __init__(self) -> None:
        self._names = system_calls()

    def by_line(self, line: bytes, gils: Sequence[int]) -> Optional[Why]:
        """Tell from ``syscall``; None where only the kernel's function tells, after an interruption.

        ``gils`` are the addresses of the locks that it may wait for. Outside of a call it is a page fault, or a stop,
        which only the state's letter tells apart.
        """
        words = called(line)
        if words is None:
            return Why(OTHER, None)
        if words[0] < 0:
            return Why(FAULT, None)
        name = self._names.get(words[0])
        if name == RESTART:
            return None
        return self.by_name(name or "system call %d" % words[0], words[1:], gils)

    def may_wait(self, line: bytes) -> bool:
        """Say whether a thread whose ``syscall`` this is may have waited there."""
        words = called(line)
        return words is None or words[0] in self._names

    @staticmethod
    def by_name(name: str, arguments: List[int], gils: Sequence[int]) -> Why:
        """Tell from a system call and its arguments."""
        if name in ("futex", "futex_waitv"):
            return Why(GIL if arguments and is_gil(arguments[0], gils) else LOCK, name)
        if name in _SLEEPS:
            return Why(SLEEP, name)
        place = _POLLS.get(name)
        if place is None:
            return Why(IO, name)
        without = 0 <= place < len(arguments) and not arguments[place]
        return Why(SLEEP if without else POLL, name)

    @staticmethod
    def by_function(function: str, gil_taken: Optional[bool]) -> Why:
        """Tell from ``wchan``. A lock is the GIL or another one: that is known only where nobody holds the GIL."""
        name = function_call(function)
        if name is None:
            return Why(OTHER, None)
        if name == "stopped":
            return Why(STOPPED, None)
        if name == "lock":
            return Why(OTHER if gil_taken else LOCK, "futex")
        if name in _SLEEPS:
            return Why(SLEEP, name)
        return Why(POLL if name in _POLLS else IO, name)
