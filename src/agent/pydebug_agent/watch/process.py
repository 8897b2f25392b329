"""What the kernel counts of one process, from one reading to the next."""

from __future__ import annotations

import os
import resource
import time
from typing import Any, Dict, List, NamedTuple, Optional

from ..system.proc import Proc, text_of

_PAGE = resource.getpagesize()
# A limit changes seldom: it is read again after so many samples.
_LIMITS_EACH = 15


class Stat(NamedTuple):
    """Fields of /proc/PID/stat: seconds of CPU, resident bytes, and page faults since the process began."""

    name: str
    state: str
    parent: int
    minor: int
    major: int
    cpu: float
    threads: int
    start_ticks: int
    resident: int


class Reading(NamedTuple):
    """One reading. Of a thread that cannot be read, and of a kernel that does not count, there is nothing."""

    moment: float
    stat: Stat
    runnable: Dict[int, int]
    counted: bool
    tids: List[int]


class Process:
    """Reads one process again and again."""

    def __init__(self, proc: Proc, pid: int) -> None:
        self._proc = proc
        self.pid = pid
        self._limit: Optional[int] = None
        self._limit_due = 0
        self.last = self._read()
        self.started = proc.boot_time() + self.last.stat.start_ticks / proc.ticks

    @property
    def tids(self) -> List[int]:
        """Return the threads that the last reading found."""
        return self.last.tids

    def sample(self) -> Optional[Dict[str, Any]]:
        """Return what was counted since the last reading; None where the process is gone.

        ``seconds`` is the time between the readings. ``wait`` are the seconds in which its threads were runnable and
        had no processor, summed over threads: None from a kernel that does not count them.
        """
        before = self.last
        try:
            now = self._read()
        except (OSError, ValueError, IndexError):
            if self._proc.exists(self.pid):
                raise
            return None
        if now.stat.start_ticks != before.stat.start_ticks or now.stat.state in ("Z", "X"):
            return None
        self.last = now
        waits = [max(0, value - before.runnable.get(tid, 0)) for tid, value in now.runnable.items()]
        return {
            "pid": self.pid,
            "started": self.started,
            "name": now.stat.name,
            "state": now.stat.state,
            "seconds": now.moment - before.moment,
            "cpu": max(0.0, now.stat.cpu - before.stat.cpu),
            "wait": sum(waits) / 1e9 if now.counted else None,
            "rss": now.stat.resident,
            "threads": now.stat.threads,
            "minor": max(0, now.stat.minor - before.stat.minor),
            "major": max(0, now.stat.major - before.stat.major),
            "files": self._files(),
            "filesLimit": self._files_limit(),
        }

    def _read(self) -> Reading:
        stat = stat_of(self._proc, self.pid)
        moment = time.monotonic()
        tids = self._proc.threads(self.pid)
        runnable: Dict[int, int] = {}
        counted = False
        for tid in tids:
            try:
                words = self._proc.read(self.pid, "task", tid, "schedstat", limit=96).split()
                runnable[tid] = int(words[1])
                counted = counted or words[2] != b"0"
            except (OSError, ValueError, IndexError):
                continue
        return Reading(moment, stat, runnable, counted, tids)

    def _files(self) -> Optional[int]:
        """The open files. The kernel says how many since 6.2; before that they are counted one by one."""
        path = self._proc.path(self.pid, "fd")
        try:
            size = os.stat(path).st_size
            if size:
                return size
            with os.scandir(path) as entries:
                return sum(1 for _ in entries)
        except OSError:
            return None

    def _files_limit(self) -> Optional[int]:
        self._limit_due -= 1
        if self._limit_due < 0:
            self._limit_due = _LIMITS_EACH
            self._limit = _soft_limit(self._proc, self.pid)
        return self._limit


def stat_of(proc: Proc, pid: int) -> Stat:
    """Return what /proc/PID/stat says."""
    raw = proc.read(pid, "stat", limit=1 << 14)
    opening, closing = raw.index(b"("), raw.rindex(b")")
    fields = raw[closing + 1 :].split()
    return Stat(
        text_of(raw[opening + 1 : closing]),
        fields[0].decode("ascii", "replace"),
        int(fields[1]),
        int(fields[7]),
        int(fields[9]),
        (int(fields[11]) + int(fields[12])) / proc.ticks,
        int(fields[17]),
        int(fields[19]),
        int(fields[21]) * _PAGE,
    )


def _soft_limit(proc: Proc, pid: int) -> Optional[int]:
    try:
        for line in proc.text(pid, "limits", limit=1 << 13).splitlines():
            if line.startswith("Max open files"):
                word = line[len("Max open files") :].split()[0]
                return int(word) if word.isdigit() else None
    except (OSError, IndexError):
        pass
    return None
