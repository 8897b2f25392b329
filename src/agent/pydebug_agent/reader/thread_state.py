"""What the kernel says of one thread: its turns on a processor, whether it is off it, and so proof that it did not run.

The kernel counts how often a thread got a processor. A thread that was off the processor at one moment, and whose
count has not moved since, has not run since. That it was off is told by /proc's ``syscall``, for which the kernel
makes sure that the thread is not running, or by ``wchan``, which is empty for a thread in the run queue. The state
letter alone would not do: a thread carries S for some instructions before it leaves the processor.
"""

from __future__ import annotations

import os
from typing import Dict, NamedTuple, Optional

from ..system.proc import Proc

SCHEDSTAT = "schedstat"
SYSCALL = "syscall"
WCHAN = "wchan"


class Counters(NamedTuple):
    """Seconds on the processor and in its queue, and turns on it, since the thread began."""

    cpu: float
    runnable: Optional[float]
    switches: Optional[int]


def counters_of(schedstat: Optional[bytes]) -> Optional[Counters]:
    """Return the counters in a line of ``schedstat``; None without a turn, or from a kernel that does not count."""
    words = (schedstat or b"").split()
    if len(words) < 3 or words[2] == b"0":
        return None
    return Counters(int(words[0]) / 1e9, int(words[1]) / 1e9, int(words[2]))


def turns_of(schedstat: Optional[bytes]) -> Optional[bytes]:
    """Return the count of turns in a line of ``schedstat``.

    None from a kernel that does not count, and says 0 for all.
    """
    words = (schedstat or b"").split()
    return words[2] if len(words) > 2 and words[2] != b"0" else None


def is_off(line: Optional[bytes], wchan: Optional[bytes]) -> Optional[bool]:
    """Say whether a thread is off the processor, by its ``syscall`` or, where that is hidden, by its ``wchan``.

    None where both are hidden: nothing tells it then.
    """
    if line is not None:
        return bool(line) and not line.startswith(b"running")
    return None if wchan is None else wchan not in (b"", b"0")


def state_of(letter: str) -> Optional[str]:
    """Return "running", "stopped" or "idle" for the kernel's letter, None for that of a thread that ended."""
    if letter in "ZX":
        return None
    return "running" if letter == "R" else "stopped" if letter in "Tt" else "idle"


class Mark(NamedTuple):
    """A moment at which a thread was off the processor, and what it waits in."""

    tid: int
    turns: bytes
    descriptor: int
    syscall: Optional[bytes]
    wchan: Optional[str]


class Prover:
    """Marks threads and tells whether they have run since."""

    def __init__(self, proc: Proc, pid: int) -> None:
        self._proc = proc
        self._pid = pid
        self._hidden: Dict[str, bool] = {}

    def mark(self, tid: int) -> Optional[Mark]:
        """Mark a thread that is off the processor; None for one that runs, or of which nothing can be proven."""
        try:
            descriptor = os.open(self._proc.path(self._pid, "task", tid, SCHEDSTAT), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        turns = _turns(descriptor)
        syscall = wchan = None
        if turns is not None:
            syscall = self._read(tid, SYSCALL)
            if syscall is None:
                wchan = self._read(tid, WCHAN)
        if turns is None or not is_off(syscall, wchan):
            os.close(descriptor)
            return None
        return Mark(tid, turns, descriptor, syscall, wchan.decode("ascii", "replace") if wchan else None)

    @staticmethod
    def held(mark: Mark) -> bool:
        """Say whether the thread has not run since the mark. A mark can be asked again until it is dropped."""
        return _turns(mark.descriptor) == mark.turns

    @staticmethod
    def drop(mark: Mark) -> None:
        """Release a mark."""
        os.close(mark.descriptor)

    def _read(self, tid: int, name: str) -> Optional[bytes]:
        if self._hidden.get(name):
            return None
        try:
            return self._proc.read(self._pid, "task", tid, name, limit=256).strip()
        except PermissionError:
            # 'syscall' is its owner's alone; that stays so for all threads.
            self._hidden[name] = True
        except FileNotFoundError:
            self._hidden[name] = self._proc.exists(self._pid)
        except OSError:
            pass
        return None


def _turns(descriptor: int) -> Optional[bytes]:
    try:
        return turns_of(os.pread(descriptor, 80, 0))
    except OSError:
        return None
