"""Where the control groups of a process lie, as far as they can be seen; versions 1 and 2."""

from __future__ import annotations

import errno
import os
import stat
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

from . import plain_paths
from .proc import Proc


class _Mount(NamedTuple):
    root: str
    point: str
    version: int


def directories(
    proc: Proc, pid: str, prefix: str, controller: str, mounts: Optional[str] = None
) -> Iterator[Tuple[str, int]]:
    """Yield the directories of a process's group and of those above it, innermost first, with the layout's version.

    ``controller`` is the one that version 1 keeps apart. ``mounts`` is the process whose mounts show them, its own
    where it is None; ``prefix`` is put before mount points, as the root of that process.
    """
    groups = _groups(proc, pid, controller)
    for mount in _mounts(proc, mounts or pid, controller):
        path = groups.get(mount.version)
        if path is not None:
            for directory in _above(mount, path, prefix):
                yield directory, mount.version


def read(directory: str, name: str, limit: int = 64) -> bytes:
    """Return what a file of a group holds; raises OSError where that is no file of a group."""
    handle = plain_paths.handle(os.path.join(directory, name))
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "is no file of a control group")
        descriptor = os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(handle)
    try:
        return os.read(descriptor, limit)
    finally:
        os.close(descriptor)


def quota(directory: str) -> Optional[float]:
    """Return the processors that a group may use; None where it has no limit of its own."""
    try:
        words = read(directory, "cpu.max").split()
    except OSError:
        try:
            words = []
            for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us"):
                words += read(directory, name).split()
        except OSError:
            return None
    try:
        most, period = int(words[0]), int(words[1])
    except (ValueError, IndexError):
        return None
    return most / period if most > 0 and period > 0 else None


def _is_directory(path: str) -> bool:
    try:
        handle = plain_paths.handle(path)
    except OSError:
        return False
    try:
        return stat.S_ISDIR(os.fstat(handle).st_mode)
    finally:
        os.close(handle)


def _groups(proc: Proc, pid: str, controller: str) -> Dict[int, str]:
    result: Dict[int, str] = {}
    for line in proc.text(pid, "cgroup").splitlines():
        parts = line.split(":", 2)
        if len(parts) != 3:
            continue
        if parts[1] == "":
            result[2] = parts[2]
        elif controller in parts[1].split(","):
            result[1] = parts[2]
    return result


def _mounts(proc: Proc, pid: str, controller: str) -> Iterator[_Mount]:
    for line in proc.text(pid, "mountinfo").splitlines():
        left, separator, right = line.partition(" - ")
        before, after = left.split(" "), right.split(" ")
        if not separator or len(before) < 5 or len(after) < 3:
            continue
        root, point = _unescape(before[3]), _unescape(before[4])
        if after[0] == "cgroup2":
            yield _Mount(root, point, 2)
        elif after[0] == "cgroup" and controller in after[2].split(","):
            yield _Mount(root, point, 1)


def _above(mount: _Mount, path: str, prefix: str) -> Iterator[str]:
    point = os.path.join(prefix, mount.point.lstrip("/"))
    inside = _below(path, mount.root)
    # A namespaced view ends at "/", "..": then the mount point itself is the group.
    parts = [] if inside is None or ".." in inside else inside
    for length in range(len(parts), -1, -1):
        directory = os.path.join(point, *parts[:length])
        if _is_directory(directory):
            yield directory


def _below(path: str, root: str) -> Optional[List[str]]:
    parts = [part for part in path.split("/") if part]
    base = [part for part in root.split("/") if part]
    return parts[len(base) :] if parts[: len(base)] == base else None


def _unescape(text: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text
