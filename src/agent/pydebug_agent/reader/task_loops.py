"""Tasks read loop by loop: from memory that is proven not to have changed, or copied while the loop's thread stands."""

from __future__ import annotations

import struct
import time
from typing import Callable, Dict, Iterator, List, Optional, Sequence, Set, Tuple, TypeVar

from .asyncio_layout import NATIVE, PYTHON, Asyncio, TaskLayout
from .codeobj import CodeReader
from .frames import FrameReader, Thread
from .hold import Refused
from .loops import Loops
from .memory import Batch, Fault, Gone, Missing, Pages, Source, page_batch
from .objects import Objects
from .one_stack import Moved, Standing
from .target import Target
from .taskobj import TaskReader, TaskRecord
from .thread_state import Mark, Prover

_LOOKED_UP = 1000
_TOGETHER = 100
_COPIES = 3
_HOLDS = 100
_STANDING_SECONDS = 0.0006
# Just woken, this process is the least likely to lose its processor while a thread stands.
_PAUSE_SECONDS = 0.0001

_U64 = struct.Struct("<Q").unpack_from

Result = TypeVar("Result")


class LoopReader:
    """Reads the tasks of all loops, at most some hundred in one hold."""

    def __init__(self, target: Target, asyncio: Asyncio, layout: Optional[TaskLayout], threads: List[Thread]) -> None:
        self._target = target
        self._asyncio = asyncio
        self._layout = layout
        self._threads = threads
        self.loops = Loops(target, asyncio, threads)
        self._memory = target.memory
        self._live = Objects(target.memory, target.layout)
        self._frames = FrameReader(target.memory, target.layout, target.gils)
        self._code = CodeReader(target.memory, target.layout, target.code_type)
        self._prover = Prover(target.proc, target.pid)
        self._standing = Standing(target.memory, _PAUSE_SECONDS)
        self._moments = 0
        self._others: Dict[int, int] = {}
        # Tasks that could not be read, and the last reason, where it is not that they kept changing.
        self.lost = 0
        self.why = ""
        # Of the addresses given, those that were dealt with.
        self.looked = 0

    @property
    def held(self) -> Optional[float]:
        """For how many microseconds a thread stood at most; None where none was held."""
        return self._standing.longest

    @property
    def notes(self) -> List[str]:
        """Remarks on how the tasks were had."""
        return ["The loop is busy: its tasks were not all read at the same moment."] if self._moments else []

    @property
    def unread(self) -> Tuple[int, List[str]]:
        """How many tasks are of a class that is not read, and the names of these."""
        return sum(self._others.values()), self._asyncio.type_names(list(self._others))

    def read(self, addresses: Sequence[int]) -> Iterator[List[TaskRecord]]:
        """Yield the tasks that are not done, some hundred at a time."""
        try:
            for first in range(0, len(addresses), _LOOKED_UP):
                groups: Dict[Optional[Thread], List[int]] = {}
                for address, loop in self._with_loops(addresses[first : first + _LOOKED_UP]):
                    try:
                        groups.setdefault(self.loops.thread(loop), []).append(address)
                    except Fault:
                        # It has just been made, or is gone.
                        continue
                for thread, members in groups.items():
                    for start in range(0, len(members), _TOGETHER):
                        some = members[start : start + _TOGETHER]
                        try:
                            records = self._group(thread, some)
                        except Fault as fault:
                            self.lost += len(some)
                            self.why = str(fault)
                            records = []
                        self.looked += len(some)
                        yield records
                self.looked = min(first + _LOOKED_UP, len(addresses))
        finally:
            self._standing.settle()

    def _with_loops(self, addresses: Sequence[int]) -> Iterator[Tuple[int, int]]:
        """Each task with its loop; what is no task is left out, and counted where it is of another class."""
        header, memory = self._target.layout.header, self._memory
        place = self._layout.loop if self._layout is not None else header
        data = memory.read_batch(Batch([(address, place + 8) for address in addresses]))
        for index, address in enumerate(addresses):
            try:
                if data is not None:
                    head = data[index * (place + 8) : (index + 1) * (place + 8)]
                else:
                    head = memory.read(address, place + 8)
                kind = _U64(head, header - 8)[0]
                of = self._asyncio.kind(kind)
                if of == NATIVE and self._layout is not None:
                    yield address, _U64(head, place)[0]
                elif of == PYTHON:
                    yield address, self._live.attributes(address).get("_loop", 0)
                elif kind:
                    self._others[kind] = self._others.get(kind, 0) + 1
            except Fault:
                continue

    def _group(self, thread: Optional[Thread], addresses: List[int]) -> List[TaskRecord]:
        """The tasks of one thread's loops. The first look learns where they lie, and counts if the thread slept."""
        mark = self._mark(thread)
        try:
            pages = Pages(self._memory)
            records, lost = self._parse(pages, thread, addresses)
            if thread is None or (not lost and mark is not None and self._prover.held(mark)):
                return records
        finally:
            if mark is not None:
                self._prover.drop(mark)
        return self._copied(thread, addresses, set(pages.pages))

    def _copied(self, thread: Thread, addresses: List[int], numbers: Set[int]) -> List[TaskRecord]:
        """The tasks from copies of one moment each; a task that lies elsewhere by then is copied once more."""
        found: List[TaskRecord] = []
        left = addresses
        for attempt in range(_COPIES):
            frozen = self._copy(thread, numbers)
            if frozen is not None:
                records, left = self._parse(frozen, thread, left)
                found += records
                if attempt and records:
                    self._moments += 1
                if not left:
                    break
            pages = Pages(self._memory)
            self._parse(pages, thread, left)
            numbers |= set(pages.pages)
            if frozen is not None:
                numbers |= frozen.missing
        for _ in range(_HOLDS):
            if not left:
                break
            records, left = self._looked_up(thread, left)
            found += records
        self.lost += len(left)
        return found

    def _looked_up(self, thread: Thread, addresses: List[int]) -> Tuple[List[TaskRecord], List[int]]:
        """Tasks that never lay where they were copied, looked up while the thread stands, as many as time allows."""

        def read() -> Tuple[List[TaskRecord], List[int]]:
            return self._parse(Pages(self._memory), thread, addresses, time.perf_counter() + _STANDING_SECONDS)

        result = self._held(thread, lambda: self._standing.run(thread.tid, read))
        self._moments += 1
        return result

    def _mark(self, thread: Optional[Thread]) -> Optional[Mark]:
        return self._prover.mark(thread.tid) if thread is not None and thread.tid else None

    def _copy(self, thread: Thread, numbers: Set[int]) -> Optional[Pages]:
        """A copy of the pages from one moment of the thread; None when some are not mapped."""
        order = sorted(numbers)
        batch = page_batch(order)
        mark = self._mark(thread)
        if mark is not None:
            try:
                data = self._memory.read_batch(batch)
                if data is not None and self._prover.held(mark):
                    return Pages.frozen_with(self._memory, data, order)
            finally:
                self._prover.drop(mark)
        try:
            self._held(thread, lambda: self._standing.copy(thread.tid, batch, lambda: None, rehearsed=True))
        except Moved:
            return None
        return Pages.frozen_with(self._memory, self._memory.take(batch), order)

    def _held(self, thread: Thread, hold: Callable[[], Tuple[Result, float]]) -> Result:
        try:
            result, _ = hold()
        except Refused as refused:
            raise Fault("thread %d, which runs the loop, cannot be held: %s" % (thread.tid, refused)) from refused
        except Gone as error:
            raise Fault("thread %d ended" % thread.tid) from error
        return result

    def _parse(
        self, source: Pages, thread: Optional[Thread], addresses: List[int], deadline: float = 0.0
    ) -> Tuple[List[TaskRecord], List[int]]:
        """Return the tasks as a source shows them, and those it could not show, or not before the deadline."""
        try:
            running = self._running(source)
        except Fault:
            # A running task would look like one that is suspended.
            return [], addresses
        reader = TaskReader(
            source, self._target.layout, self._layout, self._live, self._frames, self._code, self._asyncio.kind
        )
        records: List[TaskRecord] = []
        lost: List[int] = []
        for index, address in enumerate(addresses):
            if deadline and index and time.perf_counter() > deadline:
                return records, lost + addresses[index:]
            try:
                current = thread if address in running.values() else None
                record = reader.read(address, current)
            except Missing:
                lost.append(address)
                continue
            except Fault:
                continue
            if record is not None:
                records.append(record)
        return records, lost

    def _running(self, source: Source) -> Dict[int, int]:
        found = self._asyncio.running(Objects(source, self._target.layout), self._threads)
        return {loop: task for loop, (task, _) in found.items() if task}
