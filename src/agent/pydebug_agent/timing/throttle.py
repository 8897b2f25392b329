"""How long a CPU quota kept a process from running, from its control group's ``cpu.stat``."""

from __future__ import annotations

from typing import Dict, List, Optional

from ..system.cgroups import directories, quota, read
from ..system.proc import Proc

# Microseconds in version 2, nanoseconds in version 1.
_FIELDS = {b"throttled_usec": 1e-6, b"throttled_time": 1e-9}


class Throttle:
    """The throttled seconds of a process since this was made."""

    def __init__(self, proc: Proc, pid: int, top: str = "/") -> None:
        self._first: Dict[str, float] = {}
        # The quotas in sight, in processors.
        self._quotas: List[float] = []
        # The target's own view holds its container's group; ours the groups of the whole node, where it is seen.
        for mounts, prefix in ((str(pid), proc.path(pid, "root")), ("self", top)):
            try:
                for directory, _ in directories(proc, str(pid), prefix, "cpu", mounts):
                    seconds = _read(directory)
                    if seconds is not None and directory not in self._first:
                        self._first[directory] = seconds
                        most = quota(directory)
                        if most is not None:
                            self._quotas.append(most)
            except OSError:
                continue

    def seconds(self) -> Optional[float]:
        """Return the seconds lost to the tightest quota in sight; None where none can be seen.

        A pod's quota is the sum of its containers', and their groups' view ends below it: where one alone is in sight
        and has cost nothing, the other may have.
        """
        found = []
        for directory, first in self._first.items():
            last = _read(directory)
            if last is not None:
                found.append(max(0.0, last - first))
        most = max(found, default=None)
        return None if most == 0.0 and len(self._quotas) == 1 else most

    @property
    def note(self) -> str:
        """Return what is not known of a pod's quota."""
        return (
            "The container may use %g of a CPU. Whether its pod's quota held it up cannot be seen from here: such time "
            "is part of runnable." % round(self._quotas[0], 3)
            if len(self._quotas) == 1
            else ""
        )


def _read(directory: str) -> Optional[float]:
    try:
        for line in read(directory, "cpu.stat", 1 << 14).splitlines():
            words = line.split()
            if len(words) == 2 and words[0] in _FIELDS:
                return int(words[1]) * _FIELDS[words[0]]
    except (OSError, ValueError):
        pass
    return None
