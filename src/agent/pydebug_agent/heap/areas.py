"""The areas of a process's address space, with what is resident of each."""

from __future__ import annotations

from typing import List

from .. import wire
from ..system.errors import AgentError
from ..system.proc import Proc, text_of

# The kernel's default is 65,530; twice that is read, and no more.
_MOST_AREAS = 131_072
_SHARED = ("/dev/shm/", "/SYSV", "/memfd:", "/dev/zero", "/dev/hugepages", "/[aio]")
_DEVICE = ("/dev/nvidia", "/dev/dri", "/dev/kfd")


class Area:
    """One mapping; sizes in bytes."""

    __slots__ = ("start", "end", "permissions", "path", "rss", "anonymous", "swap")

    def __init__(self, start: int, end: int, permissions: str, path: str) -> None:
        self.start = start
        self.end = end
        self.permissions = permissions
        self.path = path
        self.rss = 0
        self.anonymous = 0
        self.swap = 0

    @property
    def is_private(self) -> bool:
        """Whether it is anonymous memory of this process that can be written."""
        return self.permissions.startswith("rw-p") and (
            not self.path or self.path == "[heap]" or self.path.startswith("[anon")
        )

    @property
    def is_data(self) -> bool:
        """Whether it is the data of a program or library that can be written."""
        return self.permissions.startswith("rw-p") and self.path.startswith("/") and not self.is_shared

    @property
    def is_shared(self) -> bool:
        """Whether it is memory that several processes may have, and no file on a disk."""
        return self.path.startswith(_SHARED)

    @property
    def is_device(self) -> bool:
        """Whether it is the memory of a device."""
        return self.path.startswith(_DEVICE)

    @property
    def is_stack(self) -> bool:
        """Whether it is the main thread's stack."""
        return self.path.startswith("[stack")


def read_areas(proc: Proc, pid: int, sizes: bool = True) -> List[Area]:
    """Return the areas in order; without ``sizes`` they cost less and have none."""
    areas: List[Area] = []
    with open(proc.path(pid, "smaps" if sizes else "maps"), "rb") as file:
        for line in file:
            first = line.split(None, 1)[0]
            if first.endswith(b":"):
                _take(areas[-1], first, line)
                continue
            if len(areas) >= _MOST_AREAS:
                raise AgentError(
                    wire.HEAP_UNREADABLE,
                    "Process %d has more than %d areas of memory." % (pid, _MOST_AREAS),
                    pid,
                    {"reason": "areas"},
                )
            words = line.split(None, 5)
            low, _, high = words[0].partition(b"-")
            path = text_of(words[5].strip()) if len(words) > 5 else ""
            area = Area(int(low, 16), int(high, 16), words[1].decode("ascii"), path)
            # One that grows while the file is read comes again.
            while areas and areas[-1].end > area.start:
                areas.pop()
            areas.append(area)
    return areas


def _take(area: Area, name: bytes, line: bytes) -> None:
    if name == b"Rss:":
        area.rss = int(line.split()[1]) << 10
    elif name == b"Anonymous:":
        area.anonymous = int(line.split()[1]) << 10
    elif name == b"Swap:":
        area.swap = int(line.split()[1]) << 10


def joined(areas: List[Area]) -> List[Area]:
    """Return the private areas; neighbours that advice to the kernel split are one again."""
    result: List[Area] = []
    for area in areas:
        if not area.is_private:
            continue
        last = result[-1] if result else None
        # A thread's heap begins at a multiple of 64 MiB.
        if last and not area.path and not last.path and last.end == area.start and area.start % (64 << 20):
            whole = Area(last.start, area.end, last.permissions, "")
            whole.rss, whole.anonymous, whole.swap = (
                last.rss + area.rss, last.anonymous + area.anonymous, last.swap + area.swap
            )
            result[-1] = whole
        else:
            result.append(area)
    return result
