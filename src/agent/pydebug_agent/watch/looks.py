"""Looks at the threads of a process between two samples: by the kernel's file of each thread, and nothing else.

Of a thread the kernel says in which system call it is, and with which arguments. So it is seen who waits for the GIL,
whose address is known, and which event loop is away from its selector.
"""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Optional, Tuple

from ..reader.thread_state import SYSCALL, WCHAN
from ..reader.waits import is_gil, is_restarted, resolved, system_calls
from ..system.proc import Proc
from ..timing.kernel_thread import Hidden, KernelThread, Shared

_EPOLL = frozenset(("epoll_wait", "epoll_pwait", "epoll_pwait2"))
_OTHERS = frozenset(("poll", "ppoll", "select", "pselect6"))
_NUMBERS = {name: b"%d" % number for number, name in system_calls().items()}


def _numbers(names: Iterable[str]) -> "frozenset[bytes]":
    return frozenset(_NUMBERS[name] for name in names if name in _NUMBERS)


_EPOLL_NUMBERS = _numbers(_EPOLL)
_POLL_NUMBERS = _numbers(_EPOLL | _OTHERS)
_FUTEX_NUMBERS = _numbers(("futex", "futex_waitv"))


class Loop:
    """A thread that runs an event loop, and how often it was found away from its selector."""

    def __init__(self, tid: int) -> None:
        self.tid = tid
        self._selects: "frozenset[bytes]" = _POLL_NUMBERS
        # When the row of looks at which it is away began; None while it is in its selector.
        self._since: Optional[float] = None
        self.looks = self.away = 0
        self.longest = 0.0

    def see(self, number: bytes, moment: float) -> None:
        """Note in which system call it was found; empty where it is in none."""
        self.looks += 1
        if number in _EPOLL_NUMBERS:
            # It has such a selector: what it polls otherwise is a callback's, that holds the loop up.
            self._selects = _EPOLL_NUMBERS
        if number in self._selects:
            self._since = None
            return
        self.away += 1
        if self._since is None:
            self._since = moment
        self.longest = max(self.longest, moment - self._since)

    def forget(self) -> None:
        """Begin to count anew; a row goes on."""
        self.looks = self.away = 0
        self.longest = 0.0


class Looks:
    """The looks at one process since the last sample."""

    def __init__(self, proc: Proc, pid: int, shared: Shared) -> None:
        self._proc = proc
        self._pid = pid
        self._shared = shared
        self._threads: Dict[int, KernelThread] = {}
        self.loops: Dict[int, Loop] = {}
        # The addresses of the GILs; None while they are not known.
        self.gils: Optional[List[int]] = None
        self.hidden = False
        self._looks = self._waited = 0

    @property
    def is_of_use(self) -> bool:
        """Say whether there is anything to look for."""
        return not self.hidden and bool(self.gils or self.loops)

    def follow(self, tids: List[int]) -> None:
        """Look at these threads from now on."""
        there = set(tids)
        for tid in [tid for tid in self._threads if tid not in there]:
            self._threads.pop(tid).close()
            self.loops.pop(tid, None)
        for tid in tids:
            if tid not in self._threads:
                self._threads[tid] = KernelThread(self._proc, self._pid, tid, self._shared)

    def set_loops(self, tids: List[int]) -> None:
        """Take these threads for those that run event loops."""
        for tid in [tid for tid in self.loops if tid not in tids]:
            del self.loops[tid]
        for tid in tids:
            self.loops.setdefault(tid, Loop(tid))

    def look(self, moment: float) -> None:
        """Look once at each thread."""
        gils, loops = self.gils, self.loops
        waited = False
        for tid, thread in self._threads.items():
            loop = loops.get(tid)
            if not gils and loop is None:
                continue
            try:
                line = thread.read(SYSCALL)
                if line is not None and is_restarted(line):
                    wchan = thread.read_if_shown(WCHAN) or b""
                    line = resolved(line, wchan.decode("ascii", "replace"))
            except Hidden:
                self.hidden = True
                return
            if line is None:
                continue
            number, _, rest = line.partition(b" ")
            if loop is not None:
                loop.see(number, moment)
            if gils and number in _FUTEX_NUMBERS and not waited:
                waited = is_gil(int(rest.split(b" ", 1)[0], 16), gils)
        self._looks += 1
        self._waited += waited

    def take(self) -> Dict[str, Any]:
        """Return what was seen since the last time, and begin anew.

        ``gil`` is the share of the looks at which a thread waited for a GIL; ``loop`` is that of the thread whose loop
        was away most. None where nothing can be said.
        """
        looks, waited = self._looks, self._waited
        self._looks = self._waited = 0
        loop = max((loop for loop in self.loops.values() if loop.looks), key=_order, default=None)
        answer = {
            "looks": looks,
            "gil": waited / looks if looks and self.gils and not self.hidden else None,
            "loop": loop
            and {"tid": loop.tid, "away": loop.away / loop.looks, "longest": loop.longest, "looks": loop.looks},
        }
        for loop in self.loops.values():
            loop.forget()
        return answer

    def close(self) -> None:
        """Close the files that are kept open."""
        for thread in self._threads.values():
            thread.close()
        self._threads.clear()


def _order(loop: Loop) -> Tuple[float, float]:
    return loop.away / loop.looks, loop.longest
