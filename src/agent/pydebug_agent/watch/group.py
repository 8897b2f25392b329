"""What the control group of a container says: its CPU quota, its memory and its limit, and the pressure in it."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

from ..system import cgroups
from ..system.memory_limit import of_group
from ..system.proc import Proc

_RESOURCES = ("cpu", "memory", "io")


class Group:
    """The groups of one container, as they are seen through one of its processes."""

    def __init__(self, proc: Proc, pid: int, top: str = "/") -> None:
        self.pid = pid
        self._cpu = _found(proc, pid, "cpu", top)
        self._memory = _found(proc, pid, "memory", top)
        self._periods: Dict[str, Tuple[int, int]] = {}
        self._stalls: Dict[str, int] = {}
        self.read(1.0)

    def read(self, seconds: float) -> Dict[str, Any]:
        """Return what it says now, with what was counted in the ``seconds`` since the last time.

        ``quota`` are processors, the tightest limit in sight; ``throttled`` is the share of its periods in which it was
        used up; ``pressure`` has the share of the time in which some task waited for a resource. What cannot be seen is
        None: there is no pressure in version 1, and where the kernel does not count it.
        """
        quotas: List[float] = []
        throttled: List[float] = []
        for directory, _ in self._cpu:
            quota = cgroups.quota(directory)
            if quota is None:
                continue
            quotas.append(quota)
            share = self._throttled(directory)
            if share is not None:
                throttled.append(share)
        memory = [found for found in (of_group(directory, version) for directory, version in self._memory) if found]
        limited = [found for found in memory if found.limit is not None]
        tightest = min(limited, key=lambda found: found.headroom or 0) if limited else memory[0] if memory else None
        return {
            "quota": min(quotas, default=None),
            "throttled": max(throttled, default=None),
            "memory": tightest.used if tightest else None,
            "memoryLimit": tightest.limit if tightest else None,
            "pressure": {name: self._pressure(name, seconds) for name in _RESOURCES},
        }

    def _throttled(self, directory: str) -> Optional[float]:
        counted = _periods(directory)
        if counted is None:
            return None
        before = self._periods.get(directory)
        self._periods[directory] = counted
        if before is None or counted[0] <= before[0]:
            return 0.0 if before is not None else None
        return min(1.0, max(0.0, (counted[1] - before[1]) / (counted[0] - before[0])))

    def _pressure(self, name: str, seconds: float) -> Optional[float]:
        # Those above hold other containers as well: the innermost is the container's own.
        first = (self._memory if name == "memory" else self._cpu)[:1]
        own = [directory for directory, version in first if version == 2]
        total = _stalled(own[0], f"{name}.pressure") if own else None
        if total is None:
            return None
        before = self._stalls.get(name)
        self._stalls[name] = total
        if before is None or seconds <= 0:
            return None
        return min(1.0, max(0, total - before) / 1e6 / seconds)


def _found(proc: Proc, pid: int, controller: str, top: str) -> List[Tuple[str, int]]:
    # The target's own view holds its container's group; ours the groups of the whole node, where it is seen.
    views = [(str(pid), proc.path(pid, "root"))]
    if not _is_elsewhere(proc, pid):
        views.append(("self", top))
    for mounts, prefix in views:
        try:
            found = dict(cgroups.directories(proc, str(pid), prefix, controller, mounts))
        except OSError:
            continue
        if found:
            return list(found.items())
    return []


def _is_elsewhere(proc: Proc, pid: int) -> bool:
    """Say whether a process's group lies outside of what our own mounts can show: they would show ours instead."""
    try:
        theirs = proc.text(pid, "cgroup")
        return "/.." in theirs and theirs != proc.text("self", "cgroup")
    except OSError:
        return True


def _periods(directory: str) -> Optional[Tuple[int, int]]:
    """The periods in which somebody ran, and those in which the quota was used up."""
    try:
        lines = cgroups.read(directory, "cpu.stat", 1 << 14).splitlines()
        fields = {key: value for key, value, *_ in (line.split() for line in lines if line)}
        return int(fields[b"nr_periods"]), int(fields[b"nr_throttled"])
    except (OSError, ValueError, KeyError):
        return None


def _stalled(directory: str, name: str) -> Optional[int]:
    """The microseconds in which some task waited."""
    try:
        for line in cgroups.read(directory, name, 1 << 10).splitlines():
            words = line.split()
            if words and words[0] == b"some":
                return next((int(word[6:]) for word in words if word.startswith(b"total=")), None)
    except (OSError, ValueError):
        pass
    return None
