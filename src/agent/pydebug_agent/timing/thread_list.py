"""The threads of a process over a window of time: when they began and ended, and what the kernel counted of each."""

from __future__ import annotations

import os
import time
from typing import Callable, Dict, Optional

from ..reader.memory import Gone
from ..reader.target import Target
from ..reader.thread_state import SCHEDSTAT, Counters
from .kernel_thread import KernelThread, Shared
from .looks import Look, Watched
from .recording import Count, Recording, ThreadTimes


class WatchedThread:
    """One thread of the target, from its first reading to its last."""

    __slots__ = (
        "watched", "times", "first", "began", "last", "counted", "wanted", "look", "count", "still", "rest", "rested",
    )

    def __init__(self, kernel: KernelThread, times: ThreadTimes, first: Counters, began: float) -> None:
        self.watched = Watched(kernel)
        self.times = times
        self.first = first
        self.began = began
        self.last = began
        self.counted: Optional[bytes] = None
        self.wanted = True
        self.look: Optional[Look] = None
        self.count: Optional[Count] = None
        # The looks since it last moved; how many it is to be left out of, and has been.
        self.still = self.rest = self.rested = 0


class ThreadList:
    """The threads that are there now; what each used is added up in the recording as it ends.

    ``wanted`` picks by name those to be looked at.
    """

    def __init__(self, target: Target, recording: Recording, wanted: Callable[[str], bool]) -> None:
        self._target = target
        self._proc = target.proc
        self._pid = target.pid
        self._recording = recording
        self._wanted = wanted
        self._shared = Shared()
        self._links = -1
        self._listed = 0.0
        self.by_tid: Dict[int, WatchedThread] = {}

    def has_changed(self) -> bool:
        """Say whether threads began or ended since they were listed."""
        return os.stat(self._proc.path(self._pid, "task")).st_nlink != self._links

    def doubt(self) -> None:
        """Have the next question say that they have changed."""
        self._links = -1

    def list(self, first: bool = False) -> None:
        """Take note of threads that began and ended."""
        path = self._proc.path(self._pid, "task")
        links = os.stat(path).st_nlink
        before, self._listed = self._listed, time.perf_counter()
        tids = {int(name) for name in os.listdir(path)}
        for tid in [tid for tid in self.by_tid if tid not in tids]:
            self.end(self.by_tid.pop(tid), ended=True)
        # The first one has run in any case: by it is known whether turns are counted.
        for tid in sorted(tids):
            if tid not in self.by_tid:
                self._begin(tid, None if first else before)
        self._links = links
        if not tids:
            raise Gone("no thread is left")

    def _begin(self, tid: int, before: Optional[float]) -> None:
        kernel = KernelThread(self._proc, self._pid, tid, self._shared)
        schedstat = kernel.read(SCHEDSTAT, 96)
        counters = kernel.counters(schedstat)
        now = time.perf_counter()
        if counters is None or kernel.letter() in "ZX":
            kernel.close()
            return
        times = ThreadTimes(tid, self.comm(tid))
        if before is not None:
            # All that it has used since it began is of this window.
            times.began = True
            begin = self._birth(tid, before, now - counters.cpu - (counters.runnable or 0.0))
            counted = counters.switches is not None
            counters = Counters(0.0, 0.0 if counted else None, 0 if counted else None)
        else:
            begin = now
        thread = WatchedThread(kernel, times, counters, begin)
        thread.counted, thread.last = schedstat, now
        thread.wanted = self._wanted(times.name)
        self.by_tid[tid] = thread
        # A number that was used before in this window belongs to another thread now: both are kept together.
        known = self._recording.threads.get(tid)
        if known is not None:
            thread.times = known
            known.ended = False
        else:
            self._recording.threads[tid] = times

    def _birth(self, tid: int, earliest: float, latest: float) -> float:
        """When a thread began: known to a clock tick, and not before it was looked for in vain."""
        try:
            stat = self._proc.stat(self._pid, "task", tid)
        except (OSError, ValueError):
            return max(earliest, latest)
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - (stat.start_ticks + 0.5) / self._proc.ticks
        return max(earliest, min(latest, time.perf_counter() - age))

    def end(self, thread: WatchedThread, ended: bool = False) -> None:
        """Add up what a thread used, and close its files; ``ended`` says that it is gone."""
        self.add_up(thread, thread.times)
        thread.times.ended = ended
        thread.watched.kernel.close()

    def add_up(self, thread: WatchedThread, times: ThreadTimes) -> None:
        """Add up what a thread used until it was read last."""
        counters = thread.watched.kernel.counters(thread.counted)
        if counters is None:
            counters = thread.first
        times.wall += max(thread.last - thread.began, 0.0)
        times.cpu += counters.cpu - thread.first.cpu
        if counters.runnable is not None and thread.first.runnable is not None:
            times.runnable = (times.runnable or 0.0) + counters.runnable - thread.first.runnable
        if counters.switches is not None and thread.first.switches is not None:
            times.switches = (times.switches or 0) + counters.switches - thread.first.switches

    def comm(self, tid: int) -> str:
        """Return the name that the kernel has for a thread."""
        try:
            return self._target.kernel_name(tid, self._proc.stat(self._pid, "task", tid).comm)
        except (OSError, ValueError):
            return ""

    def close(self) -> None:
        """Close the files that are kept open."""
        for thread in self.by_tid.values():
            thread.watched.kernel.close()
