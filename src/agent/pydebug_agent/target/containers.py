"""Which processes are ours and which are the target's, where all share one PID namespace."""

from __future__ import annotations

import os
from typing import Dict, List, Optional

from ..system import sibling
from ..system.proc import Proc

KEEPER_MARK = b'"""pydebug-keeper'
AGENT_MARK = b"pydebug_agent.main"
_LEAST_ID = 32


class Containers:
    """Sorts processes by container: mount namespace where it may be read, else the cgroup, which all may read.

    ``target`` is the target container's id, which its processes' cgroup holds; ``shared`` says that the containers of
    the pod see each other's processes, so that PID 1 need not be the target's. Both come from the client: what a
    process says of itself, such as its name or its command line, decides nothing where anything else tells.
    """

    def __init__(self, proc: Proc, target: Optional[str] = None, shared: bool = False) -> None:
        self._proc = proc
        self._target = target if target and _has_container_id(target) else None
        self._shared = shared
        self._own_mount = self._mount("self")
        self._own_group = self._group("self")
        self._first_mount = self._mount(1)
        self._first_group = self._group(1)
        # Without a keeper this is no debug container, and to share a namespace with it says nothing.
        kept = bool(self.beside("keeper"))
        self._apart_by_mount = kept and self._first_mount is not None and self._first_mount != self._own_mount
        self._apart_by_group = kept and self._first_group is not None and self._first_group != self._own_group

        self._by_id = self._target is not None and self._ids_tell()

    @property
    def told_apart(self) -> bool:
        """Say whether the target's processes can be told from those of the pod's other containers."""
        return self._by_id or not self._shared

    def is_ours(self, pid: int) -> bool:
        """Say whether the process belongs to the debug container."""
        if pid == os.getpid():
            return True
        if self._apart_by_mount:
            mount = self._mount(pid)
            if mount is not None:
                return mount == self._own_mount
        if self._apart_by_group:
            return self._group(pid) == self._own_group
        # A command line is its process's own word, and counts where there is no other.
        return self.mark(pid) is not None

    def in_target(self, pid: int) -> Optional[bool]:
        """Say whether the process is in the target container; None where nothing tells."""
        if self.is_ours(pid):
            return False
        group = self._group(pid)
        if self._by_id and self._target is not None:
            return group is not None and self._target in group
        if self._shared:
            return None
        if self._apart_by_mount:
            mount = self._mount(pid)
            if mount is not None:
                return mount == self._first_mount
        if self._apart_by_group:
            return group == self._first_group
        return False if self.mark(pid) is not None else None

    def target_visible(self) -> bool:
        """Say whether any process of the target can be seen from here."""
        if self.is_ours(1):
            return False
        return any(self.in_target(pid) is not False for pid in self._proc.pids())

    def _ids_tell(self) -> bool:
        """Say whether cgroups hold container ids.

        Where the target has the namespace to itself, its own must be seen.
        """
        seen = False
        for pid in self._proc.pids():
            group = self._group(pid) or ""
            if self._target is not None and self._target in group:
                return True
            seen = seen or (group != self._own_group and _has_container_id(group))
        return seen and self._shared

    def mark(self, pid: int) -> Optional[str]:
        """Return "keeper" or "agent" for the processes this product starts."""
        try:
            raw = self._proc.read(pid, "cmdline", limit=1 << 13)
        except OSError:
            return None
        if b"\0-c\0" + KEEPER_MARK in raw:
            return "keeper"
        if b"\0-c\0" in raw and AGENT_MARK in raw and b"sys.meta_path" in raw:
            return "agent"
        return None

    def beside(self, kind: str) -> List[int]:
        """Return the keepers or the other agents of this very container."""
        found: List[int] = []
        for pid in self._proc.pids():
            if pid == os.getpid() or self.mark(pid) != kind or sibling.only_waits(self._proc, pid):
                continue
            mount = self._mount(pid)
            if self._own_mount is not None and mount == self._own_mount:
                found.append(pid)
            elif mount is None and self._top(pid) is not None and self._top(pid) == self._top("self"):
                found.append(pid)
        return found

    def _top(self, pid: object) -> Optional[str]:
        """The number of the mount that is the root of a process, which no other mount namespace has, and all may read.

        Another agent of a user without rights lets nobody see its namespaces.
        """
        try:
            number = self._proc.read(pid, "mountinfo", limit=64).split(b" ")[0]
        except OSError:
            return None
        return number.decode("ascii") if number.isdigit() else None

    def _mount(self, pid: object) -> Optional[str]:
        try:
            return self._proc.link(pid, "ns", "mnt")
        except OSError:
            return None

    def _group(self, pid: object) -> Optional[str]:
        try:
            lines = self._proc.text(pid, "cgroup").splitlines()
        except OSError:
            return None
        groups: Dict[str, str] = {}
        for line in lines:
            parts = line.split(":", 2)
            if len(parts) == 3:
                groups[parts[1]] = parts[2]
        # Version 2 has one group; of version 1 the memory controller's, which every runtime uses.
        for controllers, path in groups.items():
            if "memory" in controllers.split(","):
                return path
        return groups.get("")


def _has_container_id(group: str) -> bool:
    """Say whether a group's path names a container, by the long hexadecimal number that every runtime gives."""
    run = 0
    for letter in group:
        run = run + 1 if letter in "0123456789abcdef" else 0
        if run >= _LEAST_ID:
            return True
    return False
