"""The stacks of all Python threads of a process, as the client gets them."""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, Iterator, List, Optional, Set, Tuple

from ..system.proc import Proc
from ..system.target_root import TargetRoot
from ..target import greenlets
from . import bystanders
from .bystanders import Bystanders
from .failures import explained
from .frames import Thread
from .take import MOST_SHOWN, Taken, Taker
from .target import Target, check_ctypes, describe, targets

_MOST_SHOWN_TOGETHER = 60000
_MOST_COUNTED = 2_000_000
_STOPPED = "Tt"

Tell = Callable[[str], None]


def read_stacks(pid: int, *, stop: bool = True, proc: Optional[Proc] = None) -> Dict[str, Any]:
    """Return the "stack" result of a process's first Python. Failures are AgentErrors."""
    return next(all_stacks(pid, stop=stop, proc=proc))


def all_stacks(
    pid: int, *, stop: bool = True, proc: Optional[Proc] = None, tell: Tell = lambda text: None
) -> Iterator[Dict[str, Any]]:
    """Yield a "stack" result for each Python of a process. ``stop=False`` never holds a thread.

    ``tell`` is told how far the work is. Failures are AgentErrors.
    """
    check_ctypes(pid)
    proc = proc or Proc()
    others = Bystanders(proc, pid)
    tell("finding the interpreter")
    found = targets(pid, proc)
    if len(found) > 1:
        found[0].warnings.append("It runs %d Pythons, whose threads are listed one after the other: %s." % (
            len(found), " and ".join(describe(target.found) for target in found)))
    known: Set[int] = set()
    for number, target in enumerate(found):
        with explained(pid, proc, "stacks"):
            taken = _StackResult(target, stop, tell)
            taken.read()
            known |= target.python_tids
            busy = others.busy(known) if number == len(found) - 1 else []
            if busy:
                target.warnings.append(bystanders.note(busy))
            yield taken.build()


class _StackResult:
    def __init__(self, target: Target, stop: bool, tell: Tell) -> None:
        self._target = target
        self._proc = target.proc
        self._pid = target.pid
        self._stop = stop
        self._tell = tell
        self._notes = list(target.notes)
        self._rows: List[Dict[str, Any]] = []

    def read(self) -> None:
        """Read all threads."""
        names = self._target.names()
        threads = sorted(self._target.threads(), key=lambda thread: thread.tid)
        self._target.python_tids = {thread.tid for thread in threads}
        taker = Taker(self._target, self._stop)
        left: Dict[Thread, int] = {}
        try:
            taken = {
                thread: taker.name(thread, had)
                for thread, had in taker.take(threads, self._counted(len(threads), "read")).items()
            }
            budget = _MOST_COUNTED
            for thread, had in taken.items():
                if had.cut and had.places is not None and budget > 0:
                    deep = taker.count(thread, budget)
                    budget -= deep
                    left[thread] = max(deep - len(had.places), 1)
        finally:
            pending = taker.finish()
        for tid in pending:
            self._notes.append("Thread %d has not stopped yet; it is let go when the agent ends." % tid)
        most = _fair([len(had.places or ()) for had in taken.values()])
        self._rows = [
            self._row(thread, taken[thread], names, most, left.get(thread, int(taken[thread].cut)))
            for thread in threads
            if thread in taken
        ]
        self._mark_changed(self._rows)
        self._count(self._rows, taken)

    def build(self) -> Dict[str, Any]:
        """Return the result."""
        rows, target = self._rows, self._target
        if any(row["state"] == "stopped" for row in rows) and self._is_stopped():
            target.warnings.append("It is stopped (SIGSTOP, or a debugger): none of its threads runs or waits.")
        if not rows:
            target.warnings.append("No thread of it runs Python: none has begun to, or all of them have ended.")
        kind = greenlets.kind(self._proc, self._pid, target.locator.maps)
        if kind is not None:
            target.warnings.append(greenlets.note(kind))
        return {
            "kind": "stack",
            "pid": self._pid,
            "version": target.version,
            "freeThreaded": target.layout.free_threaded,
            "started": self._started(),
            "running": sum(row["state"] == "running" for row in rows),
            "held": max((row["held"] for row in rows if row["held"] is not None), default=None),
            "found": target.found.how,
            "notes": self._notes,
            "warnings": list(target.warnings),
            "greenlets": kind,
            "threads": rows,
        }

    def _counted(self, total: int, what: str) -> Callable[[int], None]:
        return lambda done: self._tell("%d of %d threads %s" % (done, total, what))

    def _started(self) -> Optional[float]:
        try:
            return self._proc.started(self._pid)
        except (OSError, ValueError):
            return None

    def _is_stopped(self) -> bool:
        try:
            return self._proc.stat(self._pid).state in _STOPPED
        except (OSError, ValueError):
            return False

    def _row(self, thread: Thread, taken: Taken, names: Dict[int, str], most: int, left: int) -> Dict[str, Any]:
        comm, letter, cpu = self._kernel(thread)
        stopped = letter is not None and letter in _STOPPED
        frames = [{"name": place.name, "file": place.file, "line": place.line, "changed": False}
                  for place in (taken.places or ())[:most]]
        return {
            "tid": thread.tid,
            "main": thread.tid == self._pid,
            "name": names.get(thread.ident) or self._target.kernel_name(thread.tid, comm) or None,
            "state": "stopped" if stopped else taken.state,
            "kernelState": letter,
            "waitsFor": None if stopped else taken.waits_for,
            "gil": taken.gil,
            "cpu": cpu,
            "how": taken.how,
            "held": None if taken.held is None else round(taken.held, 1),
            "error": taken.error,
            "left": left + len(taken.places or ()) - len(frames),
            "frames": frames,
        }

    def _kernel(self, thread: Thread) -> Tuple[str, Optional[str], Optional[float]]:
        try:
            stat = self._proc.stat(self._pid, "task", thread.tid)
        except (OSError, ValueError):
            return "", None, None
        return stat.comm, stat.state, stat.cpu

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

    def _count(self, rows: List[Dict[str, Any]], taken: Dict[Thread, Taken]) -> None:
        missing = sum(row["how"] == "none" for row in rows)
        if missing:
            self._notes.append("%d of %d threads gave no stack." % (missing, len(rows)))
        holders = [had.gil_address for had in taken.values() if had.gil_address]
        if len(holders) != len(set(holders)):
            self._notes.append("The GIL changed hands while the threads were read, one after another.")


def _fair(lengths: List[int]) -> int:
    """Return how many frames of each thread are shown, so that all together are not more than an answer holds."""
    most, left = MOST_SHOWN, _MOST_SHOWN_TOGETHER
    if sum(min(length, most) for length in lengths) <= left:
        return most
    for number, length in enumerate(sorted(lengths)):
        share = left // (len(lengths) - number)
        if length > share:
            return max(min(share, most), 1)
        left -= length
    return most


def _start(proc: Proc, pid: int) -> float:
    """When the process started, to a tick: /proc's own time of the boot is cut to whole seconds."""
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - proc.stat(pid).start_ticks / proc.ticks
    return time.time() - age + 2 / proc.ticks
