"""Who is whose worker, among the Pythons of a container."""

from __future__ import annotations

import re
from typing import Dict, List, NamedTuple, Optional, Tuple

MASTER = "Master"
WORKER = "Worker"
SINGLE = "Single"

_HELPER = re.compile(r"from multiprocessing\.(?:resource_tracker|semaphore_tracker|forkserver) import main")
_SPAWNED = re.compile(r"from multiprocessing\.spawn import spawn_main|--multiprocessing-fork")
_TITLE = re.compile(r"[^\s:\[(]+")


class Member(NamedTuple):
    """What tells how a process came to be. ``start`` is (stack, arguments) as addresses, None where unreadable."""

    pid: int
    parent: int
    executable: Optional[str]
    command: Tuple[str, ...]
    start: Optional[Tuple[int, int]]


def assign(members: List[Member], parents: Dict[int, int]) -> Dict[int, str]:
    """Return the role of each Python; ``parents`` holds all processes, Python or not."""
    by_pid = {member.pid: member for member in members}
    workers = set()
    masters = set()
    for member in members:
        if _is_helper(member):
            continue
        above = _ancestor(member, by_pid, parents)
        if above is not None and _works_for(member, above):
            workers.add(member.pid)
            masters.add(above.pid)
    return {
        pid: WORKER if pid in workers else MASTER if pid in masters else SINGLE for pid in by_pid
    }


def _ancestor(member: Member, by_pid: Dict[int, Member], parents: Dict[int, int]) -> Optional[Member]:
    pid = member.parent
    for _ in range(64):
        found = by_pid.get(pid)
        if found is not None and not _is_helper(found):
            return found
        if pid <= 0 or pid not in parents:
            return None
        pid = parents[pid]
    return None


def _works_for(child: Member, parent: Member) -> bool:
    """Say whether the child is a copy of its parent, and not a program of its own that the parent started."""
    if child.start is not None and parent.start is not None and child.start == parent.start:
        return True
    if child.executable is not None and parent.executable is not None and child.executable != parent.executable:
        return False
    if child.command and parent.command:
        if _SPAWNED.search(" ".join(child.command)):
            return True
        if child.command[1:] == parent.command[1:] and len(child.command) > 1:
            return True
        if len(child.command) == len(parent.command) == 1:
            ours, theirs = _TITLE.match(child.command[0]), _TITLE.match(parent.command[0])
            return ours is not None and theirs is not None and ours.group() == theirs.group()
    return False


def _is_helper(member: Member) -> bool:
    return _HELPER.search(" ".join(member.command)) is not None
