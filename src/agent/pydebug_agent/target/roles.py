"""Who is whose worker, among the Pythons of a container."""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Optional, Set, Tuple

MASTER = "Master"
WORKER = "Worker"
SINGLE = "Single"
HELPER = "Helper"

# multiprocessing's own, billiard's (celery) and loky's (joblib) are called alike.
_TRACKERS = (".resource_tracker import main", ".semaphore_tracker import main")
_SERVER = ".forkserver import main"
_SPAWNED = (".spawn import spawn_main", "--multiprocessing-fork", ".loky.backend.popen_loky_posix")


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
    helpers = {member.pid for member in members if _is_helper(member, by_pid)}
    workers = set()
    masters = set()
    for member in members:
        if member.pid in helpers:
            continue
        above = _ancestor(member, by_pid, parents, helpers)
        if above is not None and (_is_served(member, by_pid, helpers) or _works_for(member, above)):
            workers.add(member.pid)
            masters.add(above.pid)
    roles = {pid: WORKER if pid in workers else MASTER if pid in masters else SINGLE for pid in by_pid}
    roles.update((pid, HELPER) for pid in helpers)
    return roles


def _ancestor(
    member: Member, by_pid: Dict[int, Member], parents: Dict[int, int], helpers: Set[int]
) -> Optional[Member]:
    """The nearest Python above that does work of its own: of what a fork server has made, who started that."""
    pid = member.parent
    for _ in range(64):
        found = by_pid.get(pid)
        if found is not None and pid not in helpers:
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
        if _has_any(child, _SPAWNED):
            return True
        if child.command[1:] == parent.command[1:] and len(child.command) > 1:
            return True
        if len(child.command) == len(parent.command) == 1:
            ours, theirs = _title(child), _title(parent)
            return bool(ours) and ours == theirs
    return False


def _is_helper(member: Member, by_pid: Dict[int, Member]) -> bool:
    """Say whether it looks after others: what a fork server has forked has its command line, and is none."""
    if _has_any(member, _TRACKERS):
        return True
    if not _has_any(member, (_SERVER,)):
        return False
    parent = by_pid.get(member.parent)
    return parent is None or not _is_copy(member, parent)


def _is_served(member: Member, by_pid: Dict[int, Member], helpers: Set[int]) -> bool:
    """Say whether a fork server made it."""
    parent = by_pid.get(member.parent)
    return parent is not None and parent.pid in helpers and _is_copy(member, parent)


def _is_copy(member: Member, parent: Member) -> bool:
    if member.command != parent.command or not member.command:
        return False
    return member.start is None or parent.start is None or member.start == parent.start


def _has_any(member: Member, words: Tuple[str, ...]) -> bool:
    command = " ".join(member.command)
    return any(word in command for word in words)


def _title(member: Member) -> str:
    """Return the program's name in a title that it gave itself.

    "uwsgi: worker 1" and "gunicorn [app]" begin with it.
    """
    title = member.command[0]
    for place, letter in enumerate(title):
        if letter.isspace() or letter in ":[(":
            return title[:place]
    return title
