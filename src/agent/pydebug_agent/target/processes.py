"""The Python processes of the target: who they are, never what is in their environment."""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from .. import wire
from ..system.errors import AgentError
from ..system.proc import Proc
from . import roles
from .containers import Containers
from .masking import mask_command
from .pythons import CPYTHON, Finder, Python

# The start time of a process is exact, the machine's own is rounded and moves when the clock is set.
_SAME_START_SECONDS = 2.0
_LONGEST_ARGUMENT = 4096
_LONGEST_COMMAND = 16384
_KERNEL_THREAD = 0x00200000
_STATES = {"R": "running", "S": "sleeping", "D": "blocked", "T": "stopped", "t": "stopped"}

Tell = Callable[[int, int], None]


class Processes:
    """One look at the processes in this PID namespace."""

    def __init__(
        self,
        proc: Proc,
        containers: Containers,
        tell: Tell = lambda done, total: None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._proc = proc
        self._tell = tell
        self._containers = containers
        self._finder = Finder(proc, check)
        self._parents: Dict[int, int] = {}
        self._pythons: Dict[int, Python] = {}
        self._members: List[roles.Member] = []
        self._look()

    @property
    def unread(self) -> int:
        """Return how many programs were taken by their names alone: those before them took all that may be read."""
        return self._finder.unread

    @property
    def pythons(self) -> List[int]:
        """Return the Pythons of the target, of whatever implementation."""
        return sorted(self._pythons)

    def describe(self) -> List[Dict[str, Any]]:
        """Return the "process" results, one per Python."""
        assigned = roles.assign(self._members, self._parents)
        described: List[Dict[str, Any]] = []
        for member in self._members:
            try:
                described.append(self._describe(member, assigned[member.pid]))
            except (OSError, ValueError):
                continue
        return described

    def choose(self, pids: Optional[Sequence[int]]) -> List[int]:
        """Return the processes a request means: those it names, else every Python."""
        return list(pids) if pids is not None else self.pythons

    def workers(self) -> List[int]:
        """Return the Pythons that do the work: all but those that only look after others."""
        assigned = roles.assign(self._members, self._parents)
        working = [member.pid for member in self._members if assigned[member.pid] in (roles.WORKER, roles.SINGLE)]
        return sorted(working) or self.pythons

    def parents(self) -> List[int]:
        """Return the Pythons that have workers: most wait for these, and some work themselves."""
        assigned = roles.assign(self._members, self._parents)
        return sorted(member.pid for member in self._members if assigned[member.pid] == roles.MASTER)

    def about(self, pid: int) -> Dict[str, Any]:
        """Return what names a process to people, and its threads.

        Their ids, and the kernel's letters for their states.
        """
        python = self._pythons.get(pid)
        try:
            threads: Optional[List[int]] = self._proc.threads(pid)
        except OSError:
            threads = None
        states: Dict[str, str] = {}
        for thread in threads or []:
            try:
                states[str(thread)] = self._proc.stat(pid, "task", str(thread)).state
            except (OSError, ValueError):
                continue
        return {
            "command": mask_command(shorten(self._command(pid))),
            "python": python.version if python is not None else None,
            "threads": threads,
            "states": states,
        }

    def below(self, pid: int) -> Tuple[List[int], List[Tuple[int, str]]]:
        """Return the Pythons below a process, and the others with their names."""
        others: List[Tuple[int, str]] = []
        for other in sorted(self._parents):
            if other not in self._pythons and self._is_below(other, pid) and self._proc.exists(other):
                try:
                    others.append((other, self._proc.stat(other).comm))
                except (OSError, ValueError):
                    continue
        return [other for other in self.pythons if self._is_below(other, pid)], others

    def require(self, pid: int, started: Mapping[str, float], cpython: bool = True) -> Python:
        """Return the Python in a process, or raise why there is none to be asked."""
        if not self._proc.exists(pid):
            raise AgentError(wire.PROCESS_GONE, f"Process {pid} is gone.", pid)
        expected = started.get(str(pid))
        if expected is not None and abs(self._proc.started(pid) - float(expected)) > _SAME_START_SECONDS:
            raise AgentError(wire.PROCESS_GONE, f"Process {pid} is gone; its number belongs to another one now.", pid)
        check_container(self._containers, pid)
        python = self._pythons.get(pid) or self._identify(pid)
        if python is None:
            raise self._no_python(pid)
        if cpython and python.implementation != CPYTHON:
            raise AgentError(
                wire.NOT_CPYTHON,
                f"Process {pid} runs {python.implementation}, and only CPython can be read.",
                pid,
                {"implementation": python.implementation},
            )
        return python

    @property
    def seen(self) -> List[int]:
        """Return all processes that were there, of whatever kind."""
        return list(self._parents)

    def meet(self, pid: int) -> Optional[Python]:
        """Return the Python of a process that has begun since, None where it is none of the target's."""
        try:
            if self._proc.stat(pid).flags & _KERNEL_THREAD or self._containers.in_target(pid) is False:
                return None
            return self._identify(pid)
        except (OSError, ValueError):
            return None

    def _look(self) -> None:
        pids = self._proc.pids()
        for number, pid in enumerate(pids):
            self._tell(number, len(pids))
            try:
                stat = self._proc.stat(pid)
            except (OSError, ValueError):
                continue
            self._parents[pid] = stat.parent
            if stat.flags & _KERNEL_THREAD or stat.state in ("Z", "X"):
                continue
            if self._containers.in_target(pid) is False:
                continue
            python = self._identify(pid)
            if python is None:
                continue
            self._pythons[pid] = python
            start = (stat.start_stack, stat.argument_start)
            command = tuple(self._command(pid))
            # Zero or one is what the kernel shows to those who may not see.
            known = start if min(start) > 1 else None
            self._members.append(roles.Member(pid, stat.parent, self._finder.executable(pid), command, known))

    def _identify(self, pid: int) -> Optional[Python]:
        command = self._command(pid)
        return self._finder.find(pid, self._finder.executable(pid), command)

    def _command(self, pid: int) -> List[str]:
        try:
            return self._proc.command(pid)
        except OSError:
            return []

    def _describe(self, member: roles.Member, role: str) -> Dict[str, Any]:
        pid = member.pid
        stat = self._proc.stat(pid)
        status = self._proc.status(pid)
        python = self._pythons[pid]
        uids = status.get("Uid", "").split()
        return {
            "kind": "process",
            "pid": pid,
            "parent": stat.parent,
            "command": mask_command(shorten(member.command)),
            "name": stat.comm,
            "state": _STATES.get(stat.state, stat.state),
            "executable": member.executable,
            "version": python.version,
            "implementation": python.implementation,
            "uid": int(uids[1]) if len(uids) > 1 else None,
            "threads": stat.threads,
            "rss": _kilobytes(status.get("VmRSS", "")),
            "cpu": stat.cpu,
            "started": self._proc.boot_time() + stat.start_ticks / self._proc.ticks,
            "age": round(time.clock_gettime(time.CLOCK_BOOTTIME) - stat.start_ticks / self._proc.ticks, 2),
            "role": role,
            "container": self._containers.in_target(pid),
        }

    def _no_python(self, pid: int) -> AgentError:
        below = [other for other in self.pythons if self._is_below(other, pid)]
        name = self._proc.stat(pid).comm
        message = f"Process {pid} ({name}) is not Python"
        message += f"; Python processes below it: {', '.join(map(str, below))}." if below else "."
        return AgentError(wire.NO_PYTHON, message, pid, {"name": name, "below": below})

    def _is_below(self, pid: int, ancestor: int) -> bool:
        for _ in range(64):
            pid = self._parents.get(pid, 0)
            if pid == ancestor:
                return True
            if pid <= 0:
                break
        return False


def check_container(containers: Containers, pid: int) -> None:
    """Raise for a process that is known not to be the target container's."""
    if containers.is_ours(pid):
        raise AgentError(wire.BAD_REQUEST, f"Process {pid} belongs to the debug container.", pid)
    if containers.in_target(pid) is False:
        raise AgentError(wire.PROCESS_OUTSIDE, f"Process {pid} is not the target container's.", pid)


def shorten(command: Sequence[str]) -> List[str]:
    """Return a command line cut to a size that is worth sending."""
    result: List[str] = []
    left = _LONGEST_COMMAND
    for argument in command:
        if left <= 0:
            result.append("...")
            break
        most = min(left, _LONGEST_ARGUMENT)
        result.append(argument if len(argument) <= most else argument[:most] + "...")
        left -= len(argument) + 1
    return result


def _kilobytes(value: str) -> int:
    words: Tuple[str, ...] = tuple(value.split())
    return int(words[0]) * 1024 if words and words[0].isdigit() else 0
