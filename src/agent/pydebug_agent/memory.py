"""How much memory is left under the limit that the application lives with."""

from __future__ import annotations

import os
from typing import Iterator, List, NamedTuple, Optional, Tuple

from .cgroups import directories
from .errors import MEMORY_LOW, AgentError
from .proc import Proc

# Version 1 writes "no limit" as the largest page-aligned number.
_UNLIMITED = 1 << 60
# What the agent itself still grows by while it works.
_RESERVE = 8 << 20


class Memory(NamedTuple):
    """A limit and what is used under it, in bytes; None where no limit is set or none can be seen.

    ``beside`` is what our own container uses: it has no limit of its own, and counts against the pod's, which is the sum
    of its containers' limits and cannot be seen.
    """

    limit: Optional[int]
    used: Optional[int]
    beside: int = 0

    @property
    def room(self) -> Optional[int]:
        """Return the bytes left, None without a limit."""
        return None if self.limit is None else max(0, self.limit - (self.used or 0) - self.beside)


def read_memory(proc: Proc, top: str = "/") -> Memory:
    """Return the tightest limit in sight: the own cgroup's, those above it, and the target container's.

    ``top`` is put before mount points; tests use it.
    """
    own = _seen(proc, "self", top)
    target = _seen(proc, "1", proc.path(1, "root"))
    if own and not _are_one(proc):
        target = [memory._replace(beside=own[0].used or 0) for memory in target]
    found = own + target
    limited = [memory for memory in found if memory.limit is not None]
    if limited:
        return min(limited, key=lambda memory: memory.room or 0)
    return found[0] if found else Memory(None, None)


def _seen(proc: Proc, view: str, prefix: str) -> List[Memory]:
    try:
        return list(_of_process(proc, view, prefix))
    except (OSError, ValueError):
        return []


def _are_one(proc: Proc) -> bool:
    """Whether we live in the target's own group."""
    try:
        return proc.read("self", "cgroup") == proc.read("1", "cgroup")
    except OSError:
        return True


def require_room(proc: Proc, size: int, what: str) -> None:
    """Raise where ``size`` more bytes would bring the application near its limit."""
    memory = read_memory(proc)
    room = memory.room
    if room is not None and room < size + _RESERVE:
        raise AgentError(
            MEMORY_LOW,
            f"{what} needs {size >> 10} KiB of memory, and {room >> 10} KiB are left under the limit of "
            f"{(memory.limit or 0) >> 10} KiB that the application lives with.",
            detail={"limit": memory.limit, "used": memory.used, "needed": size},
        )


def _of_process(proc: Proc, pid: str, prefix: str) -> Iterator[Memory]:
    for directory, version in directories(proc, pid, prefix, "memory"):
        memory = _read_v2(directory) if version == 2 else _read_v1(directory)
        if memory is not None:
            yield memory


def _read_v2(directory: str) -> Optional[Memory]:
    current = _number(directory, "memory.current")
    if current is None:
        return None
    limit = _number(directory, "memory.max")
    return Memory(limit, max(0, current - _statistic(directory, "inactive_file")))


def _read_v1(directory: str) -> Optional[Memory]:
    current = _number(directory, "memory.usage_in_bytes")
    if current is None:
        return None
    limits = [_number(directory, "memory.limit_in_bytes"), _statistic(directory, "hierarchical_memory_limit") or None]
    known = [limit for limit in limits if limit is not None and limit < _UNLIMITED]
    return Memory(min(known) if known else None, max(0, current - _statistic(directory, "total_inactive_file")))


def _number(directory: str, name: str) -> Optional[int]:
    try:
        with open(os.path.join(directory, name), "rb") as file:
            word = file.read(64).strip()
    except OSError:
        return None
    return int(word) if word.isdigit() else None


def _statistic(directory: str, name: str) -> int:
    wanted = name.encode("ascii")
    try:
        with open(os.path.join(directory, "memory.stat"), "rb") as file:
            for line in file.read(1 << 16).splitlines():
                words: Tuple[bytes, ...] = tuple(line.split())
                if len(words) == 2 and words[0] == wanted:
                    return int(words[1])
    except (OSError, ValueError):
        pass
    return 0
