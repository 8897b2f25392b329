"""Whose files are meant: the debug container's or the target's, each by the paths that its own processes know."""

from __future__ import annotations

import os
import stat
from typing import Iterator, List, Optional, Set, Tuple

from .. import wire
from ..system.errors import AgentError, file_error
from ..system.target_root import TargetRoot, below, handle_of, readable
from ..target.request import Request

_O_PATH = 0o10000000
OWN, TARGET = "the debug container", "the application's container"
_VIEWS = frozenset(
    "autofs binfmt_misc bpf cgroup cgroup2 configfs debugfs devpts efivarfs fusectl mqueue nsfs proc pstore securityfs "
    "selinuxfs sysfs tracefs".split()
)


class Tree:
    """The files of one container; of the debug container's own where no process is named."""

    def __init__(self, request: Request, words: str = OWN, pid: Optional[int] = None) -> None:
        self.words = words
        self._proc = request.proc
        self._pid = pid
        self._root = TargetRoot(request.proc, pid) if pid is not None else None
        if self._root is not None and not self._root.holds:
            path, error = f"/proc/{pid}/root", self._root.error
            self._root.close()
            if error:
                raise file_error(OSError(error, os.strerror(error)), path)
            words = f"the kernel or the node's runtime has no openat2, without which a path can lead out of {words}"
            raise AgentError(wire.FILE_DENIED, f"{path}: {words}.", detail={"path": path, "reason": "openat2"})

    def close(self) -> None:
        """Release what is held open."""
        if self._root is not None:
            self._root.close()

    def open(self, path: str, shown: str) -> int:
        """Return a descriptor of a regular file or a folder to read from; no link leads to another container."""
        handle = self._handle(path, shown)
        try:
            if stat.S_ISDIR(os.fstat(handle).st_mode):
                return os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            return readable(handle)
        except OSError as error:
            raise file_error(error, shown) from error
        finally:
            os.close(handle)

    def has(self, path: str) -> Optional[bool]:
        """Say whether there is something at a path; None where that cannot be told."""
        try:
            os.close(self._handle(path, path))
        except AgentError as error:
            return False if error.cause == wire.FILE_NOT_FOUND else None
        return True

    def views(self) -> Set[int]:
        """Return the devices of what are no files but views of the kernel."""
        found: Set[int] = set()
        for left, right in self._mounts():
            if right[0] in _VIEWS:
                major, _, minor = left[2].partition(":")
                found.add(os.makedev(int(major), int(minor)))
        return found

    def _handle(self, path: str, shown: str) -> int:
        if self._root is None:
            return handle_of(self._proc, path)
        try:
            return self._root.descriptor(path, _O_PATH)
        except OSError as error:
            raise file_error(error, shown) from error

    def _mounts(self) -> Iterator[Tuple[List[str], List[str]]]:
        whose = "self" if self._pid is None else self._pid
        for line in self._proc.text(whose, "mountinfo").splitlines():
            left, _, right = line.partition(" - ")
            if len(left.split(" ")) > 2 and right:
                yield left.split(" "), right.split(" ")


def encoded(path: str) -> bytes:
    """Return a path as the kernel takes it: the locale of the image has no say in it."""
    return path.encode("utf-8", "surrogateescape")


def path_of(request: Request) -> str:
    """Return the path that a request names."""
    path = request.text("path")
    if not path.startswith("/") or "\0" in path:
        raise AgentError(wire.BAD_REQUEST, "Parameter 'path' must be an absolute path.")
    return path


def tree_of(request: Request, path: str) -> Tuple[Tree, str]:
    """Return the tree that has a path, and the path there: below /proc/PID/root it is that process's."""
    if request.flag("target"):
        return target(request), path
    there = below(path)
    if there is None:
        return Tree(request), path
    return Tree(request, f"the container of process {there.pid}", there.pid), there.path


def target(request: Request) -> Tree:
    """Return the target's files; raise where none of its processes shows them."""
    request.tell_apart()
    containers = request.containers
    if not containers.target_visible():
        raise AgentError(
            wire.TARGET_NOT_VISIBLE,
            "No process of the target container can be seen: it does not share its process namespace.",
        )
    first: Optional[AgentError] = None
    for pid in request.proc.pids():
        if containers.in_target(pid) is False:
            continue
        try:
            return Tree(request, TARGET, pid)
        except AgentError as error:
            first = first or error
    raise first or AgentError(wire.TARGET_NOT_VISIBLE, "No process of the target container can be seen.")


def open_in(request: Request, tree: Tree, path: str, shown: str) -> int:
    """Open a path of a tree; what is missing there is looked for in the other container, too."""
    try:
        return tree.open(path, shown)
    except AgentError as failure:
        if failure.cause == wire.FILE_NOT_FOUND:
            found = _other_has(request, tree, path)
            has = {True: "has it", False: "has none either", None: "could not be looked at"}[found]
            other = OWN if tree.words != OWN else TARGET
            failure.message = f"{failure.message.rstrip('.')} in {tree.words}; {other} {has}."
            failure.detail.update({"where": "own" if tree.words == OWN else "target", "other": str(found).lower()})
        raise


def is_regular(status: os.stat_result, tree: Tree) -> bool:
    """Say whether it is a file with bytes of its own."""
    return stat.S_ISREG(status.st_mode) and status.st_dev not in tree.views()


def _other_has(request: Request, tree: Tree, path: str) -> Optional[bool]:
    try:
        other = Tree(request) if tree.words != OWN else target(request)
    except AgentError:
        return None
    try:
        return other.has(path)
    finally:
        other.close()
