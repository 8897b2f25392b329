"""The asyncio tasks of a process, as the client gets them: in parts, so that no number of them is too many."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator, List, Optional

from .. import wire
from ..system import errors
from ..system.memory_limit import require_headroom
from ..system.proc import Proc
from ..target import greenlets
from .asyncio_layout import Addresses, Asyncio
from .codeobj import Place
from .failures import explained
from .target import Target, check_ctypes, describe, targets
from .task_loops import LoopReader
from .taskobj import TaskRecord

_FIRST_MINOR = 11
_PART_TASKS = 1000
# What is kept of each until all have been read, with what the interpreter does not give back at once.
_TASK_BYTES = 32
_PART_LINKS = 50_000
_STOPPED = "Tt"
# Before the request's time is over: what was read is worth more than all of it too late.
_RESERVE_SECONDS = 5.0
_RESERVE_SHARE = 0.1


def read_tasks(
    pid: int,
    *,
    proc: Optional[Proc] = None,
    seconds_left: Callable[[], float] = lambda: float("inf"),
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[Dict[str, Any]]:
    """Yield the "tasks" results of a process; the last one of each of its Pythons says so. Failures are AgentErrors.

    ``seconds_left`` says how much time there is, ``tell`` is told how many tasks of how many were read.
    """
    check_ctypes(pid)
    proc = proc or Proc()
    until = min(_RESERVE_SECONDS, _RESERVE_SHARE * seconds_left())
    found = targets(pid, proc)
    readable = [target for target in found if target.layout.minor >= _FIRST_MINOR]
    with explained(pid, proc, "tasks"):
        readings = [_Reading(target, lambda: seconds_left() > until, tell) for target in readable or found[:1]]
        loaded = [reading for reading in readings if reading.asyncio.loaded] or readings[:1]
        for reading in loaded:
            if len(found) > 1:
                reading.warnings.append("It runs %d Pythons: these are the tasks of %s." % (
                    len(found), describe(reading.target.found)))
            yield from reading.parts()


class _Reading:
    def __init__(self, target: Target, may_go_on: Callable[[], bool], tell: Callable[[int, int], None]) -> None:
        if target.layout.minor < _FIRST_MINOR:
            raise _refused(target, "tasks are read from Python 3.%d on" % _FIRST_MINOR)
        self.target = target
        self.asyncio = Asyncio(target)
        self.warnings = list(target.warnings)
        self._pid = target.pid
        self._may_go_on = may_go_on
        self._tell = tell
        self._loops: Dict[int, int] = {}

    def parts(self) -> Iterator[Dict[str, Any]]:
        """Yield the results."""
        asyncio = self.asyncio
        if not asyncio.loaded:
            kind = greenlets.kind(self.target.proc, self._pid, self.target.locator.maps)
            text = "The Python of process %d has not loaded asyncio" % self._pid
            detail = {}
            if kind is not None:
                text += "; it uses greenlets (%s)" % kind
                detail["greenlets"] = kind
            raise errors.AgentError(wire.ASYNCIO_NOT_LOADED, text + ".", self._pid, detail)
        if asyncio.native and self.target.layout.minor >= 14 and asyncio.published is None:
            raise _refused(self.target, "the offsets that its _asyncio publishes were not found")
        found = asyncio.addresses()
        require_headroom(self.target.proc, _TASK_BYTES * len(found.tasks), "A list of %d tasks" % len(found.tasks))
        layout = asyncio.layout(found.tasks) if asyncio.native else None
        reader = LoopReader(self.target, asyncio, layout, self.target.threads())
        read = 0
        part = _Part(self.target, reader, self._loops)
        for records in reader.read(found.tasks):
            for record in records:
                part.add(record)
                read += 1
                if part.is_full:
                    yield part.content(False)
                    part = _Part(self.target, reader, self._loops)
            self._tell(read, found.total)
            if not self._may_go_on():
                break
        self._remark(found, reader, read)
        last = part.content(True)
        last["total"] = found.total
        last["held"] = None if reader.held is None else round(reader.held, 1)
        last["notes"] = self.target.notes + reader.notes
        last["warnings"] = self.warnings
        yield last

    def _remark(self, found: Addresses, reader: LoopReader, read: int) -> None:
        """Say what is missing, with the numbers: a list that was cut must not pass for the whole."""
        warnings = self.warnings
        if reader.looked < len(found.tasks):
            warnings.append("The time was over after %d of %d tasks; -TimeoutSeconds waits longer." % (
                read, found.total))
        elif len(found.tasks) < found.total:
            warnings.append("%d of %d tasks are listed: the first ones." % (read, found.total))
        if not found.complete:
            warnings.append("The list of tasks kept changing: there may be more than the %d that were found." % read)
        unread, names = reader.unread
        if unread:
            warnings.append("%d task%s of a class that is not read: %s." % (
                unread, " is" if unread == 1 else "s are", ", ".join(names[:5])))
        if reader.lost:
            why = ": %s" % reader.why if reader.why else ", as they kept changing"
            warnings.append("%d of %d tasks could not be read%s." % (reader.lost, found.total, why))
        if not read and not warnings:
            runs = ""
            if self.asyncio.published is not None:
                runs = " an event loop runs," if reader.loops.running else " no event loop runs,"
            warnings.append("asyncio is loaded,%s and there is no task%s." % (
                runs, " that is not done" if found.total else ""))
        try:
            if self.target.proc.stat(self._pid).state in _STOPPED:
                warnings.append("The process is stopped (SIGSTOP, or a debugger): no task goes on.")
        except (OSError, ValueError):
            pass


class _Part:
    """Some of the tasks. Each place in the code stands once in it; the client finds out who waits for whom."""

    def __init__(self, target: Target, reader: LoopReader, loops: Dict[int, int]) -> None:
        self._target = target
        self._reader = reader
        self._loops = loops
        self._places: Dict[Place, int] = {}
        self._rows: List[Dict[str, Any]] = []
        self._links = 0

    @property
    def is_full(self) -> bool:
        return len(self._rows) >= _PART_TASKS or self._links >= _PART_LINKS

    def add(self, record: TaskRecord) -> None:
        """Add a task."""
        self._links += len(record.links) + len(record.children)
        self._rows.append(
            {
                "id": "%#x" % record.address,
                "name": record.name,
                "state": _state(record),
                "loop": self._loops.setdefault(record.loop, len(self._loops)),
                "tid": self._reader.loops.tid(record.loop),
                "awaits": _awaits(record),
                "future": "%#x" % record.waiter if record.waiter else None,
                "links": ["%#x" % link for link in sorted(record.links)],
                "children": ["%#x" % child for child in record.children],
                "stack": [self._places.setdefault(place, len(self._places)) for place in record.places],
            }
        )

    def content(self, last: bool) -> Dict[str, Any]:
        """Return the result."""
        return {
            "kind": "tasks",
            "pid": self._target.pid,
            "version": self._target.version,
            "last": last,
            "frames": [[place.name, place.file, place.line] for place in self._places],
            "tasks": self._rows,
        }


def _refused(target: Target, reason: str) -> errors.AgentError:
    return errors.AgentError(
        wire.UNSUPPORTED_PYTHON,
        "The tasks of process %d (Python %s) cannot be read: %s." % (target.pid, target.version, reason),
        target.pid,
        {"what": "tasks"},
    )


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
