"""Which processes are ours and which are the target's, where all share one PID namespace."""

from __future__ import annotations

import os
import re
from typing import Dict, List, Optional

from . import sibling
from .proc import Proc

KEEPER_MARK = b'"""pydebug-keeper'
AGENT_MARK = b"pydebug_agent.main"
_CONTAINER_ID = re.compile(r"[0-9a-f]{32,}")
_PAUSE = re.compile(r"(?:^|/)pause$")


class Containers:
    """Sorts processes by container: mount namespace where it may be read, else the cgroup, which all may read."""

    def __init__(self, proc: Proc, target: Optional[str] = None) -> None:
        self._proc = proc
        self._target = target
        self._own_mount = self._mount("self")
        self._own_group = self._group("self")
        self._first_mount = self._mount(1)
        self._first_group = self._group(1)
        self._first_is_pause = _PAUSE.search(self._name(1)) is not None
        # Without a keeper this is no debug container, and to share a namespace with it says nothing.
        kept = bool(self.beside("keeper"))
        self._apart_by_mount = kept and self._first_mount is not None and self._first_mount != self._own_mount
        self._apart_by_group = kept and self._first_group is not None and self._first_group != self._own_group

    def is_ours(self, pid: int) -> bool:
        """Say whether the process belongs to the debug container."""
        if pid == os.getpid() or self.mark(pid) is not None:
            return True
        if self._apart_by_mount:
            mount = self._mount(pid)
            if mount is not None:
                return mount == self._own_mount
        return self._apart_by_group and self._group(pid) == self._own_group

    def in_target(self, pid: int) -> Optional[bool]:
        """Say whether the process is in the target container; None where nothing tells."""
        if self.is_ours(pid):
            return False
        group = self._group(pid)
        if self._target and group and _CONTAINER_ID.search(group):
            return self._target in group
        if self._first_is_pause:
            return False if pid == 1 else None
        if self._apart_by_mount:
            mount = self._mount(pid)
            if mount is not None:
                return mount == self._first_mount
        return group == self._first_group if self._apart_by_group else None

    def target_visible(self) -> bool:
        """Say whether any process of the target can be seen from here."""
        if self.is_ours(1):
            return False
        return any(self.in_target(pid) is not False for pid in self._proc.pids())

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
            if self._own_mount is not None and self._mount(pid) == self._own_mount:
                found.append(pid)
        return found

    def _name(self, pid: int) -> str:
        try:
            return self._proc.link(pid, "exe")
        except OSError:
            pass
        try:
            return (self._proc.command(pid, 4096) or [""])[0]
        except OSError:
            return ""

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
