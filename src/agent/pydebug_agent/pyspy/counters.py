"""What the kernel counts of a process's CPU time, to hold a tool's samples against."""

from __future__ import annotations

from typing import Dict, Optional, Tuple

from ..system.proc import Proc
from ..target.parents import process_cpu

_MOST_THREADS = 5000


class Counters:
    """The CPU time of a process and of each of its threads from now on."""

    def __init__(self, proc: Proc, pid: int) -> None:
        self._proc = proc
        self._pid = pid
        self._threads = self._read()
        self._process = process_cpu(proc, pid)
        self._used: Optional[Tuple[float, Dict[int, float]]] = None

    def stop(self) -> None:
        """Take the readings at the end, once."""
        if self._used is None:
            last = self._read()
            threads = {tid: used - self._threads.get(tid, 0.0) for tid, used in last.items()}
            self._used = (max(0.0, process_cpu(self._proc, self._pid) - self._process), threads)

    @property
    def process(self) -> Optional[float]:
        """The seconds of the process, None before the end or where it is gone."""
        return None if self._used is None or not self._used[1] else round(self._used[0], 6)

    @property
    def threads(self) -> Dict[str, float]:
        """The seconds of the threads that are there at the end."""
        return {} if self._used is None else {str(tid): round(used, 6) for tid, used in self._used[1].items()}

    def _read(self) -> Dict[int, float]:
        result: Dict[int, float] = {}
        try:
            tids = self._proc.threads(self._pid)
        except OSError:
            return result
        for tid in tids[:_MOST_THREADS]:
            try:
                result[tid] = int(self._proc.read(self._pid, "task", tid, "schedstat", limit=96).split()[0]) / 1e9
            except (OSError, ValueError, IndexError):
                continue
        return result
