"""The stacks of all Python threads of a process, as the client gets them."""

from __future__ import annotations

import time
from typing import Any, Dict, List, Optional, Tuple

from ..proc import Proc
from .failures import explained
from .frames import Thread
from .rooted import TargetRoot
from .take import Taken, Taker
from .target import Target, check_ctypes

_MOST_SHOWN = 5000
_MOST_SHOWN_TOGETHER = 60000


def read_stacks(pid: int, *, stop: bool = True, proc: Optional[Proc] = None) -> Dict[str, Any]:
    """Return the "stack" result of a process. ``stop=False`` never holds a thread. Failures are AgentErrors."""
    check_ctypes(pid)
    proc = proc or Proc()
    target = Target(pid, proc)
    with explained(pid, proc, "stacks"):
        return _StackResult(target, stop).build()


class _StackResult:
    def __init__(self, target: Target, stop: bool) -> None:
        self._target = target
        self._proc = target.proc
        self._pid = target.pid
        self._stop = stop
        self._notes = list(target.notes)
        self._left = _MOST_SHOWN_TOGETHER

    def build(self) -> Dict[str, Any]:
        names = self._target.names()
        threads = sorted(self._target.threads(), key=lambda thread: thread.tid)
        taker = Taker(self._target, self._stop)
        try:
            taken = {thread: taker.name(thread, had) for thread, had in taker.take(threads).items()}
        finally:
            pending = taker.finish()
        for tid in pending:
            self._notes.append("Thread %d has not stopped yet; it is let go when the agent ends." % tid)
        rows = [self._row(thread, taken[thread], names) for thread in threads if thread in taken]
        self._mark_changed(rows)
        self._count(rows)
        return {
            "kind": "stack",
            "pid": self._pid,
            "version": self._target.version,
            "freeThreaded": self._target.layout.free_threaded,
            "started": self._started(),
            "running": sum(row["state"] == "running" for row in rows),
            "held": max((row["held"] for row in rows if row["held"] is not None), default=None),
            "found": self._target.found.how,
            "notes": self._notes,
            "threads": rows,
        }

    def _started(self) -> Optional[float]:
        try:
            return self._proc.started(self._pid)
        except (OSError, ValueError):
            return None

    def _row(self, thread: Thread, taken: Taken, names: Dict[int, str]) -> Dict[str, Any]:
        comm, letter, cpu = self._kernel(thread)
        frames, error, how = self._frames(taken)
        return {
            "tid": thread.tid,
            "name": names.get(thread.ident) or comm,
            "state": taken.state,
            "kernelState": letter,
            "waitsFor": taken.waits_for,
            "gil": taken.gil,
            "cpu": cpu,
            "how": how,
            "held": None if taken.held is None else round(taken.held, 1),
            "error": error,
            "frames": frames,
        }

    def _kernel(self, thread: Thread) -> Tuple[str, Optional[str], Optional[float]]:
        try:
            stat = self._proc.stat(self._pid, "task", thread.tid)
        except (OSError, ValueError):
            return "", None, None
        return stat.comm, stat.state, stat.cpu

    def _frames(self, taken: Taken) -> Tuple[List[Dict[str, Any]], Optional[str], str]:
        if taken.places is None:
            return [], taken.error, taken.how
        rows = [{"name": place.name, "file": place.file, "line": place.line, "changed": False}
                for place in taken.places]  # fmt: skip
        error = taken.error
        most = min(_MOST_SHOWN, max(self._left, 1))
        if len(rows) > most:
            error = "its outermost %d of %d frames are left out" % (len(rows) - most, len(rows))
            rows = rows[:most]
        self._left -= len(rows)
        return rows, error, taken.how

    def _mark_changed(self, rows: List[Dict[str, Any]]) -> None:
        try:
            started = _start(self._proc, self._pid)
        except (OSError, ValueError):
            return
        root = TargetRoot(self._proc, self._pid)
        try:
            changed: Dict[str, bool] = {}
            for row in rows:
                for frame in row["frames"]:
                    path = frame["file"]
                    if path not in changed:
                        modified = root.modified(path)
                        changed[path] = modified is not None and modified > started
                    frame["changed"] = changed[path]
            if not root.usable:
                self._notes.append("Whether source files changed since the process started could not be checked.")
        finally:
            root.close()

    def _count(self, rows: List[Dict[str, Any]]) -> None:
        missing = sum(row["how"] == "none" for row in rows)
        if missing:
            self._notes.append("%d of %d threads gave no stack." % (missing, len(rows)))
        if sum(row["gil"] is True for row in rows) > 1:
            self._notes.append("The GIL changed hands while the threads were read, one after another.")


def _start(proc: Proc, pid: int) -> float:
    """When the process started, to a tick: /proc's own time of the boot is cut to whole seconds."""
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - proc.stat(pid).start_ticks / proc.ticks
    return time.time() - age + 2 / proc.ticks
