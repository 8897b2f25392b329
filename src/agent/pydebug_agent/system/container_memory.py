"""What the application's container uses over time, as its limit counts it: for everything that foretells the limit."""

from __future__ import annotations

import time
from typing import Any, Dict, List, Optional, Tuple

from .cgroups import directories, read
from .memory_limit import Memory, read_memory
from .proc import Proc

_MOST_POINTS = 4000
_MOST_SENT = 240
# So often, at most, it is worth a look.
_EVERY_SECONDS = 0.2
_FILES = (b"shmem", b"total_shmem")


class Container:
    """Points of time and bytes. Page cache that can be taken back is left out; files in memory are counted."""

    def __init__(self, proc: Proc) -> None:
        self._proc = proc
        self._points: List[Tuple[float, Memory, Optional[int]]] = []

    def note(self, whatever: bool = False) -> None:
        """Take in what it uses now, unless that was done just before."""
        now = time.monotonic()
        recent = self._points and now - self._points[-1][0] < _EVERY_SECONDS
        if len(self._points) < _MOST_POINTS and (whatever or not recent):
            self._points.append((now, read_memory(self._proc), self._files()))

    def as_json(self, begun: float) -> Dict[str, Any]:
        """Return limit and points, as seconds from ``begun`` on the monotonic clock; files in memory beside them."""
        if not self._points:
            self.note()
        step = max(1, -(-len(self._points) // _MOST_SENT))
        kept = self._points[::step]
        if kept[-1] is not self._points[-1]:
            kept.append(self._points[-1])
        memory = self._points[-1][1]
        return {
            "limit": memory.limit,
            "used": memory.used,
            "points": [[round(at - begun, 3), each.used, files] for at, each, files in kept if each.used is not None],
        }

    def _files(self) -> Optional[int]:
        """The bytes of files in memory (tmpfs) that are the container's; None where its group is out of sight."""
        try:
            for directory, _ in directories(self._proc, "1", self._proc.path("1", "root"), "memory"):
                for line in read(directory, "memory.stat", 1 << 14).splitlines():
                    words = line.split()
                    if len(words) == 2 and words[0] in _FILES:
                        return int(words[1])
        except (OSError, ValueError):
            pass
        return None
