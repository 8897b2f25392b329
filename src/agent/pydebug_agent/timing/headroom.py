"""Whether a processor is idle, so that what is done here takes nothing from others."""

from __future__ import annotations

import os
import time
from typing import Dict, Optional, Tuple

from ..system.proc import Proc

# Of one processor.
_ENOUGH = 0.5


class Headroom:
    """Tells by the counters of /proc/stat, over the processors that this process may use."""

    def __init__(self, proc: Proc) -> None:
        self._proc = proc
        self._last: Optional[Tuple[float, Dict[int, float]]] = None
        self.is_there = False

    def read(self) -> None:
        """Judge the time since the last call; until the second, and where nothing is known, there is no room."""
        before, self._last = self._last, self._idle()
        self.is_there = False
        if before is not None and self._last is not None:
            seconds = self._last[0] - before[0]
            idle = sum(value - before[1].get(cpu, value) for cpu, value in self._last[1].items())
            self.is_there = seconds > 0 and idle >= _ENOUGH * seconds

    def _idle(self) -> Optional[Tuple[float, Dict[int, float]]]:
        """When, and the seconds that each processor has been idle."""
        try:
            usable = os.sched_getaffinity(0)
            ticks = os.sysconf("SC_CLK_TCK")
            lines = self._proc.text("stat").splitlines()
            found: Dict[int, float] = {}
            for line in lines[1:]:
                name, *values = line.split()
                if not name.startswith("cpu"):
                    break
                if int(name[3:]) in usable:
                    found[int(name[3:])] = (int(values[3]) + int(values[4])) / ticks
        except (OSError, ValueError, IndexError):
            return None
        return time.monotonic(), found
