"""How much memory is left before the application is in danger: under the pod's limit, or on the node."""

from __future__ import annotations

import os
import time
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

from .. import wire
from .cgroups import directories, read
from .errors import AgentError
from .proc import Proc

# Version 1 writes "no limit" as the largest page-aligned number.
_UNLIMITED = 1 << 60
# What is left to the application whatever is done here.
MARGIN = 1 << 20
# The kubelet evicts pods where less is available on its node, unless it is told otherwise: kubernetes.io/docs/concepts/
# scheduling-eviction/node-pressure-eviction, hard eviction thresholds.
_EVICTION = 100 << 20
_MARK = "PYDEBUG_SESSION"
_LOOK_SECONDS = 2.0


class Memory(NamedTuple):
    """A limit and what is used under it, in bytes; None where no limit is set or none can be seen.

    ``beside`` is what our own container uses where that is not in ``used``. ``what`` has the limit: the pod, the
    container, or the node, whose limit is what it has less what it must not go below.
    """

    limit: Optional[int]
    used: Optional[int]
    beside: int = 0
    what: str = "pod"

    @property
    def headroom(self) -> Optional[int]:
        """Return the bytes left, None without a limit."""
        return None if self.limit is None else max(0, self.limit - (self.used or 0) - self.beside)


class _Group(NamedTuple):
    """A control group: its own limit, the tightest one above it where it tells that, and what is used in it."""

    limit: Optional[int]
    above: Optional[int]
    used: int


# Whether the person who asks wants an answer whatever is left.
_careless = False


def allow_low() -> None:
    """Let nothing be refused for want of memory."""
    global _careless
    _careless = True


def is_low_allowed() -> bool:
    """Say whether nothing is to be refused."""
    return _careless


def read_memory(proc: Proc, top: str = "/") -> Memory:
    """Return the tightest limit for the application. ``top`` is put before mount points; tests use it."""
    own, theirs = _groups(proc, "self", top), _seen(proc)
    within = [] if _are_one(proc) else [Memory(group.limit, group.used, 0, "container") for group in theirs]
    return _tightest(_for_us(proc, own, theirs) + within)


def memory_for_us(proc: Proc, top: str = "/") -> Memory:
    """Return what is tightest for this process and its tools, which run beside the application and not within it."""
    return _tightest(_for_us(proc, _groups(proc, "self", top), _seen(proc)) + _node(proc))


def of_group(directory: str, version: int) -> Optional[Memory]:
    """Return the limit of a control group and what is used under it; None where it tells neither."""
    group = _read_v2(directory) if version == 2 else _read_v1(directory)
    if group is None:
        return None
    above = group.above if group.above is not None and group.above < _UNLIMITED else None
    return Memory(group.limit if group.limit is not None else above, group.used, 0, "container")


def require_headroom(proc: Proc, size: int, what: str, facts: Optional[Dict[str, str]] = None) -> None:
    """Raise where ``size`` more bytes would bring the application near its limit. ``facts`` go with the failure."""
    memory = memory_for_us(proc)
    if not _careless and memory.headroom is not None and memory.headroom < size + MARGIN:
        error = refusal(memory, size + MARGIN, f"{what} needs {mebibytes(size + MARGIN)} of memory")
        error.detail.update(facts or {})
        raise error


def refusal(memory: Memory, needed: int, text: str) -> AgentError:
    """Return the failure of what there is not enough memory for."""
    detail = {
        "limit": memory.limit, "used": memory.used, "headroom": memory.headroom, "needed": needed, "where": memory.what,
    }
    return AgentError(wire.MEMORY_LOW, f"{text}, and {left(memory)}.", detail=detail)


def left(memory: Memory) -> str:
    """Say how much is left, and of what."""
    headroom = mebibytes(memory.headroom or 0)
    if memory.what == "node":
        return f"{headroom} are left on the node before it evicts pods"
    return f"{headroom} are left under the {memory.what}'s limit of {mebibytes(memory.limit or 0)}"


def mebibytes(size: int) -> str:
    """Write a size for people."""
    return f"{size / (1 << 20):.1f} MiB"


def _tightest(found: List[Memory]) -> Memory:
    limited = [memory for memory in found if memory.headroom is not None]
    if limited:
        return min(limited, key=lambda memory: memory.headroom or 0)
    return found[0] if found else Memory(None, None)


def _for_us(proc: Proc, own: List[_Group], theirs: List[_Group]) -> List[Memory]:
    found = [Memory(group.limit, group.used) for group in own]
    if not _are_one(proc):
        return found + _beside(proc, own[0] if own else _Group(None, None, 0), theirs)
    above = [group._replace(limit=group.above) for group in own[:1] if group.above and group.above < _UNLIMITED]
    return found + [Memory(group.limit, group.used) for group in above]


def _beside(proc: Proc, own: _Group, theirs: List[_Group]) -> List[Memory]:
    """What is left to the pod, as far as its containers show it: the pod's own group is out of sight in most.

    Of a pod of several containers, what the others use is not known. They have limits of their own, of which the pod's
    is the sum: so there is room at least for what is left to the target.
    """
    pod = _told_limit() if own.above is None else own.above if own.above < _UNLIMITED else 0
    limits = [group.limit for group in theirs if group.limit is not None]
    limit = sum(limits) if theirs and len(limits) == len(theirs) else pod or None
    used = sum(group.used for group in theirs) if theirs else _resident(proc)
    return [] if pod == 0 or limit is None else [Memory(limit, used, own.used)]


def _node(proc: Proc) -> List[Memory]:
    """What is left on the node: it evicts pods first, those without requests before others, and kills them after."""
    try:
        sizes: Dict[str, int] = {}
        for line in proc.text("meminfo").splitlines():
            name, _, value = line.partition(":")
            sizes[name] = int(value.split()[0]) << 10
        total, available = sizes["MemTotal"], sizes["MemAvailable"]
    except (OSError, ValueError, IndexError, KeyError):
        return []
    return [Memory(max(0, total - _EVICTION), total - available, 0, "node")]


def _told_limit() -> Optional[int]:
    """The pod's limit as the client read it from the pod's spec: 0 for none, None where it did not say."""
    digits = os.environ.get(_MARK, "").partition('"limit":')[2].partition(",")[0].partition("}")[0].strip()
    return int(digits) if digits.isdigit() else None


def _resident(proc: Proc) -> int:
    """What the processes in sight have of their own, where their groups may not be seen."""
    total = 0
    for pid in proc.pids():
        try:
            words = proc.text(pid, "statm").split()
            total += max(0, int(words[1]) - int(words[2])) * 4096
        except (OSError, ValueError, IndexError):
            continue
    return total


def _are_one(proc: Proc) -> bool:
    """Whether we live in the target's own group."""
    try:
        return proc.read("self", "cgroup") == proc.read("1", "cgroup")
    except OSError:
        return True


class _Sight:
    """One process of each other container in sight, and until when that is taken for granted."""

    until = 0.0
    pids: List[str] = []


def _seen(proc: Proc) -> List[_Group]:
    """The groups of the other containers whose processes are in sight: of the target's, in most pods."""
    found: List[_Group] = []
    for pid in _one_of_each(proc):
        found += _groups(proc, pid, proc.path(pid, "root"))[:1]
    return found


def _one_of_each(proc: Proc) -> List[str]:
    try:
        # Where a pod's containers share their processes, it is the pod's own that comes first.
        if proc.text("1", "comm").strip() != "pause":
            return ["1"]
    except OSError:
        return ["1"]
    now = time.monotonic()
    if now > _Sight.until:
        groups: Dict[str, str] = {}
        for pid in proc.pids():
            try:
                groups.setdefault(proc.text(pid, "cgroup"), str(pid))
            except OSError:
                continue
        groups.pop(proc.text("self", "cgroup"), None)
        _Sight.pids, _Sight.until = list(groups.values()), now + _LOOK_SECONDS
    return _Sight.pids


def _groups(proc: Proc, view: str, prefix: str) -> List[_Group]:
    try:
        return list(_of_process(proc, view, prefix))
    except (OSError, ValueError):
        return []


def _of_process(proc: Proc, pid: str, prefix: str) -> Iterator[_Group]:
    for directory, version in directories(proc, pid, prefix, "memory"):
        group = _read_v2(directory) if version == 2 else _read_v1(directory)
        if group is not None:
            yield group


def _read_v2(directory: str) -> Optional[_Group]:
    current = _number(directory, "memory.current")
    if current is None:
        return None
    names = ("inactive_file", "active_file", "file_mapped", "shmem", "file_dirty", "file_writeback")
    return _Group(
        _number(directory, "memory.max"), None, max(0, current - _reclaimable(_statistics(directory), *names)))


def _read_v1(directory: str) -> Optional[_Group]:
    current = _number(directory, "memory.usage_in_bytes")
    if current is None:
        return None
    limit = _number(directory, "memory.limit_in_bytes")
    statistics = _statistics(directory)
    names = (
        "total_inactive_file", "total_active_file", "total_mapped_file", "total_shmem", "total_dirty",
        "total_writeback",
    )
    return _Group(
        limit if limit is not None and limit < _UNLIMITED else None,
        statistics.get("hierarchical_memory_limit"),
        max(0, current - _reclaimable(statistics, *names)),
    )


def _reclaimable(
    statistics: Dict[str, int], inactive: str, active: str, mapped: str, shared: str, dirty: str, writeback: str
) -> int:
    """The page cache that can be taken back at once, and that no program has mapped."""
    get = statistics.get
    in_use = max(0, get(mapped, 0) - get(shared, 0)) + get(dirty, 0) + get(writeback, 0)
    return max(0, get(inactive, 0) + get(active, 0) - in_use)


def _number(directory: str, name: str) -> Optional[int]:
    try:
        word = read(directory, name).strip()
    except OSError:
        return None
    return int(word) if word.isdigit() else None


def _statistics(directory: str) -> Dict[str, int]:
    found: Dict[str, int] = {}
    try:
        for line in read(directory, "memory.stat", 1 << 16).splitlines():
            words: Tuple[bytes, ...] = tuple(line.split())
            if len(words) == 2 and words[1].isdigit():
                found[words[0].decode("ascii", "replace")] = int(words[1])
    except OSError:
        pass
    return found
