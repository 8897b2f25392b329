"""Parents of workers: most of them only wait, and some work themselves. Those that do not are left out, and named."""

from __future__ import annotations

import time
from typing import Dict, List, Sequence

from .. import wire
from ..system.proc import Proc
from .processes import Processes
from .request import Request

_LOOK_SECONDS = 0.3
# Of a processor; a parent that looks at its workers once a second takes less.
_NOTABLE = 0.02


class Parents:
    """The parents of a target, and what they use of a processor."""

    def __init__(self, request: Request, found: Processes) -> None:
        self._request = request
        self.pids = found.parents()
        self._begun = time.monotonic()
        self._first = {pid: process_cpu(request.proc, pid) for pid in self.pids}

    @property
    def lasted(self) -> float:
        """How many seconds ago their use began to be counted."""
        return time.monotonic() - self._begun

    def used(self) -> Dict[int, float]:
        """Return the seconds of CPU that each has used so far."""
        return {pid: max(0.0, process_cpu(self._request.proc, pid) - first) for pid, first in self._first.items()}

    def working(self) -> List[int]:
        """Return those that work just now."""
        if not self.pids:
            return []
        time.sleep(_LOOK_SECONDS)
        lasted = self.lasted
        return [pid for pid, used in self.used().items() if is_work(used, lasted)]

    def name_left_out(self, pids: Sequence[int], used: Dict[int, float], seconds: float, does: str) -> None:
        """Say which parents are left out, and what that means; ``does`` is what -ProcessId would do."""
        for pid in pids:
            cpu = used.get(pid, 0.0)
            text = "It is a parent of others, used %.2f s of CPU in %.1f s" % (cpu, seconds)
            text += ", which is in no result," if is_work(cpu, seconds) else ""
            text = f"{text} and is left out; -ProcessId {pid} {does} it."
            self._request.channel.warn(wire.PARENT_LEFT_OUT, text, pid)


def is_work(used: float, seconds: float) -> bool:
    """Say whether so much CPU in so much time is work of its own."""
    return used > _NOTABLE * seconds


def process_cpu(proc: Proc, pid: int) -> float:
    """Return the CPU seconds of a process, its ended threads included; 0 where it is gone."""
    try:
        # The kernel's clock of another process, in nanoseconds where /proc counts ticks.
        return time.clock_gettime(~pid << 3 | 2)
    except (OSError, ValueError, OverflowError):
        pass
    try:
        return proc.stat(pid).cpu
    except (OSError, ValueError):
        return 0.0
