"""One control group holds every process of a cluster, so that `down` ends these and no others."""

import os
import signal
import time
from typing import Iterator, List, Set, Tuple

from .errors import ClusterError

MOUNTS = "/proc/mounts"


def _hierarchies() -> Tuple[List[str], List[str]]:
    """Mount points of the hierarchies of version 1, and those of version 2."""
    legacy: List[str] = []
    unified: List[str] = []
    with open(MOUNTS, encoding="utf-8") as mounts:
        for line in mounts:
            point, kind = line.split(" ")[1:3]
            if kind == "cgroup":
                legacy.append(point)
            elif kind == "cgroup2":
                unified.append(point)
    return legacy, unified


class ControlGroup:
    """A group of one name at the top of every hierarchy."""

    def __init__(self, name: str) -> None:
        self.name = name
        legacy, unified = _hierarchies()
        self._folders = [os.path.join(point, name) for point in legacy or unified]
        # Beside version 1 the unified hierarchy has no controllers, but runc leaves groups there too.
        self._all_folders = [os.path.join(point, name) for point in legacy + unified]

    def create(self) -> None:
        """Makes the group, ready for the kubelet to put the pods' groups below it."""
        if not self._folders:
            raise ClusterError("No cgroup hierarchy is mounted.")
        for folder in self._folders:
            os.makedirs(os.path.join(folder, "system"), exist_ok=True)
            self._inherit_cpuset(folder)
            self._inherit_cpuset(os.path.join(folder, "system"))
            self._delegate(os.path.dirname(folder), folder)

    def join(self) -> None:
        """Puts the calling process, and so all it starts later, into the group."""
        for folder in self._folders:
            with open(os.path.join(folder, "system", "cgroup.procs"), "w", encoding="ascii") as members:
                members.write("0")

    def processes(self) -> Set[int]:
        """All processes of the group and of the groups below it, as this process numbers them."""
        found: Set[int] = set()
        for group in self._groups():
            try:
                with open(os.path.join(group, "cgroup.procs"), encoding="ascii") as members:
                    found.update(int(line) for line in members)
            except OSError:
                continue
        found.discard(0)
        return found

    def end(self, seconds: float = 30.0) -> None:
        """Kills until nothing is left, since a shim or a fork may start more meanwhile."""
        deadline = time.monotonic() + seconds
        while True:
            left = self.processes() - {os.getpid()}
            if not left:
                return
            if time.monotonic() > deadline:
                raise ClusterError("Processes of %s do not end: %s." % (self.name, sorted(left)))
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.02)

    def remove(self, seconds: float = 10.0) -> None:
        """Removes the group from every hierarchy; a group stays busy for a moment after its last process."""
        deadline = time.monotonic() + seconds
        while True:
            left = [group for group in self._groups() if not _removed(group)]
            if not left:
                return
            if time.monotonic() > deadline:
                raise ClusterError("Control groups stay busy: %s." % ", ".join(left))
            time.sleep(0.02)

    def _groups(self) -> Iterator[str]:
        for folder in self._all_folders:
            for group, _, _ in os.walk(folder, topdown=False):
                yield group

    @staticmethod
    def _inherit_cpuset(folder: str) -> None:
        """A new cpuset of version 1 is empty and takes no process until it has what its parent has."""
        for name in ("cpuset.cpus", "cpuset.mems"):
            own, parent = os.path.join(folder, name), os.path.join(os.path.dirname(folder), name)
            if not os.path.exists(own) or not os.path.exists(parent) or os.path.exists(own + ".effective"):
                continue
            with open(parent, encoding="ascii") as source, open(own, "w", encoding="ascii") as target:
                target.write(source.read())

    @staticmethod
    def _delegate(*folders: str) -> None:
        """On version 2 a controller works below a group only after that group hands it on."""
        for folder in folders:
            listing = os.path.join(folder, "cgroup.controllers")
            if not os.path.exists(listing):
                continue
            with open(listing, encoding="ascii") as source:
                controllers = source.read().split()
            for controller in controllers:
                try:
                    with open(os.path.join(folder, "cgroup.subtree_control"), "w", encoding="ascii") as control:
                        control.write("+" + controller)
                except OSError:
                    continue


def _removed(group: str) -> bool:
    try:
        os.rmdir(group)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
