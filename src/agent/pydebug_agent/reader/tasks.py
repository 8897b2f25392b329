"""The asyncio tasks of a process, as the client gets them."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Set

from .. import errors
from ..proc import Proc
from .aslayout import Asyncio
from .failures import explained
from .target import Target, check_ctypes
from .taskgroup import LoopReader, Loops
from .taskobj import TaskRecord

_FIRST_MINOR = 11


def read_tasks(pid: int, *, proc: Optional[Proc] = None) -> Dict[str, Any]:
    """Return the "tasks" result of a process. Failures are AgentErrors."""
    check_ctypes(pid)
    proc = proc or Proc()
    target = Target(pid, proc)
    with explained(pid, proc, "tasks"):
        return _TaskResult(target).build()


class _TaskResult:
    def __init__(self, target: Target) -> None:
        self._target = target
        self._pid = target.pid
        self._notes = list(target.notes)

    def build(self) -> Dict[str, Any]:
        if self._target.layout.minor < _FIRST_MINOR:
            raise self._refused("tasks are read from Python 3.%d on" % _FIRST_MINOR)
        asyncio = Asyncio(self._target)
        if not asyncio.loaded:
            raise errors.AgentError(
                errors.ASYNCIO_NOT_LOADED, "The Python of process %d has not loaded asyncio." % self._pid, self._pid
            )
        if self._target.layout.minor >= 14 and asyncio.published is None:
            raise self._refused("the offsets that its _asyncio publishes were not found")
        addresses = asyncio.addresses()
        kinds = asyncio.kinds(addresses)
        layout = asyncio.layout(addresses) if kinds else None
        records: List[TaskRecord] = []
        threads = self._target.threads()
        held: Optional[float] = None
        loops = Loops(self._target, asyncio, threads)
        if layout is not None:
            reader = LoopReader(self._target, asyncio, layout, kinds, threads, loops)
            records = reader.read(addresses)
            held = reader.held
            self._notes += reader.notes
        rows = self._rows(records, loops)
        return {
            "kind": "tasks",
            "pid": self._pid,
            "version": self._target.version,
            "held": None if held is None else round(held, 1),
            "notes": self._notes,
            "tasks": rows,
        }

    def _refused(self, reason: str) -> errors.AgentError:
        return errors.AgentError(
            errors.UNSUPPORTED_PYTHON,
            "The tasks of process %d (Python %s) cannot be read: %s." % (self._pid, self._target.version, reason),
            self._pid,
        )

    def _rows(self, records: List[TaskRecord], loops: Loops) -> List[Dict[str, Any]]:
        waiters = _waiters(records)
        waits_for: Dict[int, List[int]] = {}
        for task, others in waiters.items():
            for other in others:
                waits_for.setdefault(other, []).append(task)
        numbers: Dict[int, int] = {}
        rows: List[Dict[str, Any]] = []
        for record in records:
            rows.append(
                {
                    "id": "%#x" % record.address,
                    "name": record.name,
                    "state": _state(record),
                    "loop": numbers.setdefault(record.loop, len(numbers)),
                    "tid": loops.tid(record.loop),
                    "awaits": _awaits(record),
                    "waiters": ["%#x" % task for task in sorted(waiters.get(record.address, ()))],
                    "waitsFor": ["%#x" % task for task in sorted(waits_for.get(record.address, ()))],
                    "frames": [{"name": place.name, "file": place.file, "line": place.line} for place in record.places],
                }
            )
        return rows


def _state(record: TaskRecord) -> str:
    if record.running:
        return "running"
    return "waiting" if record.waiter and not record.waiter_done else "ready"


def _awaits(record: TaskRecord) -> Optional[str]:
    """What the innermost coroutine awaits: asyncio's own name for it, else the type of the future."""
    if not record.waiter:
        return None
    last = record.places[-1] if record.places else None
    if last is not None and "/asyncio/" in last.file:
        parts = last.name.split(".")
        if parts[-1] == "sleep":
            return "sleep"
        if len(parts) > 1 and "<locals>" not in parts:
            return parts[0].lstrip("_")
        return parts[-1].lstrip("_")
    return "gather" if record.waiter_kind == "_GatheringFuture" else record.waiter_kind or None


def _waiters(records: List[TaskRecord]) -> Dict[int, Set[int]]:
    """For each task the tasks that wait for it: by await, gather, wait, a task group."""
    known = {record.address for record in records}
    by_future: Dict[int, List[int]] = {}
    for record in records:
        if record.waiter:
            by_future.setdefault(record.waiter, []).append(record.address)
    result: Dict[int, Set[int]] = {}
    for record in records:
        found = set(by_future.get(record.address, ()))
        for target in list(record.linked) + record.awaited_by:
            if target in known:
                found.add(target)
            found.update(by_future.get(target, ()))
        found.discard(record.address)
        if found:
            result[record.address] = found
    for record in records:
        for child in record.children:
            if child in known and child != record.address:
                result.setdefault(child, set()).add(record.address)
    return result
