"""What has to be read from a process's memory: where its GILs lie, which threads run event loops, how many tasks wait.

Nothing is held for it. The tasks are counted only while each loop's thread provably does not run.
"""

from __future__ import annotations

import struct
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence

from ..reader.asyncio_layout import NATIVE, PYTHON, Addresses, Asyncio, TaskLayout
from ..reader.loops import Loops
from ..reader.memory import Batch, Denied, Fault, Gone
from ..reader.objects import Objects
from ..reader.thread_state import Mark, Prover
from ..reader.target import Target
from ..system.errors import AgentError
from ..system.proc import Proc

_FIRST_MINOR = 11
# By so many tasks it is told which threads run loops.
_MOST_ASKED = 5000
_MOST_COUNTED = 50_000
_TOGETHER = 500
_TRIES = 3
_U64 = struct.Struct("<Q").unpack_from
_U32 = struct.Struct("<I").unpack_from
_FAILURES = (Fault, Denied, Gone, OSError, struct.error, IndexError, ValueError)


class Found(NamedTuple):
    """The addresses of the GILs, and the threads that run event loops."""

    gils: List[int]
    loops: List[int]


class Inside:
    """A Python process as its memory shows it. Raises AgentError where it cannot be read."""

    def __init__(self, proc: Proc, pid: int) -> None:
        self._proc = proc
        self._pid = pid
        self._target = Target(pid, proc)
        self._asyncio: Optional[Asyncio] = None
        self._layout: Optional[TaskLayout] = None
        self._loops: List[int] = []
        if self._target.layout.minor >= _FIRST_MINOR:
            try:
                asyncio = Asyncio(self._target)
            except _FAILURES:
                return
            if asyncio.loaded and (not asyncio.native or self._target.layout.minor < 14 or asyncio.published):
                self._asyncio = asyncio

    @property
    def has_asyncio(self) -> bool:
        """Say whether it has event loops that can be looked for."""
        return self._asyncio is not None

    def find(self) -> Found:
        """Return what there is now."""
        target = self._target
        try:
            gils = [gil for gil in (target.gil(interpreter) for interpreter in target.interpreters()) if gil]
        except _FAILURES:
            gils = []
        self._loops = []
        if self._asyncio is not None:
            try:
                self._loops = self._find_loops(self._asyncio)
            except (AgentError, *_FAILURES):
                pass
        target.memory.shrink()
        return Found(list(dict.fromkeys(gils)), self._loops)

    def tasks(self) -> Optional[int]:
        """Return how many tasks are not done; None where no moment was met at which no loop ran."""
        if self._asyncio is None or not self._loops:
            return None
        try:
            return self._tasks(self._asyncio)
        finally:
            self._target.memory.shrink()

    def _tasks(self, asyncio: Asyncio) -> Optional[int]:
        prover = Prover(self._proc, self._pid)
        for _ in range(_TRIES):
            marks: List[Mark] = []
            try:
                for tid in self._loops:
                    mark = prover.mark(tid)
                    if mark is None:
                        break
                    marks.append(mark)
                else:
                    count = self._count(asyncio)
                    if count is None or all(prover.held(mark) for mark in marks):
                        return count
            except _FAILURES:
                continue
            finally:
                for mark in marks:
                    prover.drop(mark)
        return None

    def _find_loops(self, asyncio: Asyncio) -> List[int]:
        threads = self._target.threads()
        found = asyncio.addresses()
        self._learn(asyncio, found)
        loops = Loops(self._target, asyncio, threads)
        addresses = set(loops.running)
        # Where there are more, some of them all over the list: a loop may have a few alone.
        asked = found.tasks[:: 1 + len(found.tasks) // _MOST_ASKED]
        for first in range(0, len(asked), _TOGETHER):
            addresses.update(self._loops_of(asyncio, asked[first : first + _TOGETHER]))
        tids = {loops.tid(address) for address in addresses if address}
        return sorted(tid for tid in tids if tid)

    def _loops_of(self, asyncio: Asyncio, tasks: Sequence[int]) -> Iterator[int]:
        """Yield the loops of tasks, read together; one by one where some are none any more."""
        memory, header = self._target.memory, self._target.layout.header
        size = (self._layout.loop if self._layout is not None else header) + 8
        live = Objects(memory, self._target.layout)
        data = memory.read_batch(Batch([(address, size) for address in tasks]))
        for number, address in enumerate(tasks):
            try:
                head = memory.read(address, size) if data is None else data[number * size : (number + 1) * size]
                kind = asyncio.kind(_U64(head, header - 8)[0])
                if kind == NATIVE and self._layout is not None:
                    yield _U64(head, self._layout.loop)[0]
                elif kind == PYTHON:
                    yield _attributes(live, address).get("_loop", 0)
            except Fault:
                continue

    def _learn(self, asyncio: Asyncio, found: Addresses) -> None:
        if self._layout is None and asyncio.native:
            self._layout = asyncio.layout(found.tasks)

    def _count(self, asyncio: Asyncio) -> Optional[int]:
        found = asyncio.addresses()
        self._learn(asyncio, found)
        if not found.complete or found.total > _MOST_COUNTED or len(found.tasks) < found.total:
            return None
        layout, memory = self._layout, self._target.memory
        header = self._target.layout.header
        live = Objects(memory, self._target.layout)
        count = 0
        for first in range(0, len(found.tasks), _TOGETHER):
            some = found.tasks[first : first + _TOGETHER]
            if layout is None or not asyncio.native:
                count += sum(self._is_pending(live, address) for address in some)
                continue
            ranges = [place for address in some for place in ((address + header - 8, 8), (address + layout.state, 4))]
            data = memory.read_batch(Batch(ranges))
            if data is None:
                # What stood in a set is no task any more: a list that is being changed.
                return None
            for place, address in zip(range(0, len(data), 12), some):
                kind = asyncio.kind(_U64(data, place)[0])
                if kind == NATIVE:
                    count += _U32(data, place + 8)[0] == 0
                elif kind == PYTHON:
                    count += self._is_pending(live, address)
        return count

    @staticmethod
    def _is_pending(live: Objects, address: int) -> bool:
        """Until it is done an instance has no state of its own, but its class's."""
        state: Optional[int] = _attributes(live, address).get("_state")
        return state is None or (live.type_name(state) == "str" and live.text(state, 16) == "PENDING")


def _attributes(live: Objects, address: int) -> Dict[str, int]:
    attributes: Dict[str, int] = live.attributes(address)
    return attributes
