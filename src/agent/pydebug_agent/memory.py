"""How much memory is left under the limit that the application lives with."""

from __future__ import annotations

import os
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

from .errors import MEMORY_LOW, AgentError
from .proc import Proc

# Version 1 writes "no limit" as the largest page-aligned number.
_UNLIMITED = 1 << 60
# What the agent itself still grows by while it works.
_RESERVE = 8 << 20


class Memory(NamedTuple):
    """A limit and what is used under it, in bytes; None where no limit is set or none can be seen."""

    limit: Optional[int]
    used: Optional[int]

    @property
    def room(self) -> Optional[int]:
        """Return the bytes left, None without a limit."""
        return None if self.limit is None else max(0, self.limit - (self.used or 0))


class _Mount(NamedTuple):
    root: str
    point: str
    version: int


def read_memory(proc: Proc, top: str = "/") -> Memory:
    """Return the tightest limit in sight: the own cgroup's, those above it, and the target container's.

    ``top`` is put before mount points; tests use it.
    """
    found: List[Memory] = []
    for view, prefix in (("self", top), ("1", proc.path(1, "root"))):
        try:
            found.extend(_of_process(proc, view, prefix))
        except (OSError, ValueError):
            continue
    limited = [memory for memory in found if memory.limit is not None]
    if limited:
        return min(limited, key=lambda memory: memory.room or 0)
    return found[0] if found else Memory(None, None)


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
    groups = _groups(proc, pid)
    for mount in _mounts(proc, pid):
        path = groups.get(mount.version)
        if path is None:
            continue
        for directory in _directories(mount, path, prefix):
            memory = _read_v2(directory) if mount.version == 2 else _read_v1(directory)
            if memory is not None:
                yield memory


def _groups(proc: Proc, pid: str) -> Dict[int, str]:
    result: Dict[int, str] = {}
    for line in proc.text(pid, "cgroup").splitlines():
        parts = line.split(":", 2)
        if len(parts) != 3:
            continue
        if parts[1] == "":
            result[2] = parts[2]
        elif "memory" in parts[1].split(","):
            result[1] = parts[2]
    return result


def _mounts(proc: Proc, pid: str) -> Iterator[_Mount]:
    for line in proc.text(pid, "mountinfo").splitlines():
        left, separator, right = line.partition(" - ")
        before, after = left.split(" "), right.split(" ")
        if not separator or len(before) < 5 or len(after) < 3:
            continue
        root, point = _unescape(before[3]), _unescape(before[4])
        if after[0] == "cgroup2":
            yield _Mount(root, point, 2)
        elif after[0] == "cgroup" and "memory" in after[2].split(","):
            yield _Mount(root, point, 1)


def _directories(mount: _Mount, path: str, prefix: str) -> Iterator[str]:
    """Yield the directory of a group and those above it, as far as they can be seen."""
    point = os.path.join(prefix, mount.point.lstrip("/"))
    inside = _below(path, mount.root)
    # A namespaced view ends at "/", "..": then the mount point itself is the group.
    parts = [] if inside is None or ".." in inside else inside
    for length in range(len(parts), -1, -1):
        directory = os.path.join(point, *parts[:length])
        if os.path.isdir(directory):
            yield directory


def _below(path: str, root: str) -> Optional[List[str]]:
    parts = [part for part in path.split("/") if part]
    base = [part for part in root.split("/") if part]
    return parts[len(base) :] if parts[: len(base)] == base else None


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


def _unescape(text: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text
