"""How long a CPU quota kept a process from running, from its control group's ``cpu.stat``."""

from __future__ import annotations

import os
from typing import Dict, Optional

from ..cgroups import directories
from ..proc import Proc

# Microseconds in version 2, nanoseconds in version 1.
_FIELDS = {b"throttled_usec": 1e-6, b"throttled_time": 1e-9}


class Throttle:
    """The throttled seconds of a process since this was made."""

    def __init__(self, proc: Proc, pid: int, top: str = "/") -> None:
        self._first: Dict[str, float] = {}
        # The target's own view holds its container's group; ours the groups of the whole node, where it is seen.
        for mounts, prefix in ((str(pid), proc.path(pid, "root")), ("self", top)):
            try:
                for directory, _ in directories(proc, str(pid), prefix, "cpu", mounts):
                    seconds = _read(directory)
                    if seconds is not None:
                        self._first[directory] = seconds
            except OSError:
                continue

    def seconds(self) -> Optional[float]:
        """Return the seconds lost to the tightest quota in sight; None where none can be seen."""
        found = []
        for directory, first in self._first.items():
            last = _read(directory)
            if last is not None:
                found.append(max(0.0, last - first))
        return max(found, default=None)


def _read(directory: str) -> Optional[float]:
    try:
        with open(os.path.join(directory, "cpu.stat"), "rb") as file:
            for line in file.read(1 << 14).splitlines():
                words = line.split()
                if len(words) == 2 and words[0] in _FIELDS:
                    return int(words[1]) * _FIELDS[words[0]]
    except (OSError, ValueError):
        pass
    return None
