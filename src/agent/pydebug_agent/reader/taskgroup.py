"""Tasks read loop by loop: from memory that is proven not to have changed, or copied while the loop's thread stands."""

from __future__ import annotations

import time
from typing import Callable, Dict, List, Optional, Set, Tuple, TypeVar

from .aslayout import Asyncio, TaskLayout
from .codeobj import CodeReader
from .frames import FrameReader, Thread
from .hold import Holder, Refused
from .memory import Fault, Gone, Missing, Pages, Source, page_batch
from .objects import Objects
from .proof import Mark, Prover
from .target import Target
from .taskobj import TaskReader, TaskRecord

_TOGETHER = 100
_COPIES = 3
_HOLDS = 100
_STANDING_SECONDS = 0.0006

Result = TypeVar("Result")


class Loops:
    """Event loops and the threads that run them."""

    def __init__(self, target: Target, asyncio: Asyncio, threads: List[Thread]) -> None:
        self._objects = Objects(Pages(target.memory), target.layout)
        self._by_ident = {thread.ident: thread for thread in threads}
        self._main = next((thread for thread in threads if thread.tid == target.pid), None)
        self._threads: Dict[int, Optional[Thread]] = {}
        by_address = {thread.address: thread for thread in threads}
        try:
            for loop, (_, state) in asyncio.running(self._objects, threads).items():
                if state in by_address:
                    self._threads[loop] = by_address[state]
        except Fault:
            pass

    def thread(self, loop: int) -> Optional[Thread]:
        """Return the thread that runs a loop, None when none does. Fault: that is no loop."""
        if loop not in self._threads:
            if not loop:
                raise Fault("no loop yet")
            self._threads[loop] = self._find(loop)
        return self._threads[loop]

    def tid(self, loop: int) -> Optional[int]:
        """Return the native id of a loop's thread."""
        try:
            thread = self.thread(loop)
        except Fault:
            return None
        return thread.tid or None if thread else None

    def _find(self, loop: int) -> Optional[Thread]:
        """A loop that does not run has None for its thread; another implementation's (uvloop) has no such attribute."""
        attributes = self._objects.attributes(loop)
        ident = attributes.get("_thread_id")
        if ident is None:
            # Most likely it is the main thread's; without any thread nothing could be proven.
            return self._main
        if self._objects.type_name(ident) != "int":
            return None
        return self._by_ident.get(self._objects.integer(ident))


class LoopReader:
    """Reads the tasks of all loops, at most some hundred in one hold."""

    def __init__(
        self,
        target: Target,
        asyncio: Asyncio,
        layout: TaskLayout,
        kinds: Set[int],
        threads: List[Thread],
        loops: Loops,
    ) -> None:
        self._target = target
        self._asyncio = asyncio
        self._layout = layout
        self._kinds = kinds
        self._threads = threads
        self._loops = loops
        self._memory = target.memory
        self._live = Objects(target.memory, target.layout)
        self._frames = FrameReader(target.memory, target.layout)
        self._code = CodeReader(target.memory, target.layout, target.code_type)
        self._prover = Prover(target.proc, target.pid)
        self._holder: Optional[Holder] = None
        self._lost = 0
        self._moments = 0
        self.held: Optional[float] = None
        self.notes: List[str] = []

    def read(self, addresses: List[int]) -> List[TaskRecord]:
        """Return the tasks that are not done, in the order given."""
        groups: Dict[Optional[Thread], List[int]] = {}
        for address in addresses:
            try:
                if self._live.type_of(address) in self._kinds:
                    loop = self._memory.u64(address + self._layout.loop)
                    groups.setdefault(self._loops.thread(loop), []).append(address)
            except Fault:
                # It has just been made, or is gone.
                continue
        found: Dict[int, TaskRecord] = {}
        try:
            for thread, members in groups.items():
                for first in range(0, len(members), _TOGETHER):
                    for record in self._group(thread, members[first : first + _TOGETHER]):
                        found[record.address] = record
        finally:
            if self._holder is not None:
                self._holder.settle()
        if self._lost:
            self.notes.append("%d tasks kept changing and are left out." % self._lost)
        if self._moments:
            self.notes.append("The loop is busy: its tasks were not all read at the same moment.")
        return [found[address] for address in addresses if address in found]

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
            records, left = self._standing(thread, left)
            found += records
        self._lost += len(left)
        return found

    def _standing(self, thread: Thread, addresses: List[int]) -> Tuple[List[TaskRecord], List[int]]:
        """Tasks that never lay where they were copied, looked up while the thread stands, as many as time allows."""

        def read() -> Tuple[List[TaskRecord], List[int]]:
            return self._parse(Pages(self._memory), thread, addresses, time.perf_counter() + _STANDING_SECONDS)

        result = self._hold(thread, read)
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
        self._memory.load(batch)
        # Rehearsed: the first read into new memory takes ten times as long, and the thread should not pay for it.
        if not self._memory.fire():
            return None
        whole = self._hold(thread, self._memory.fire)
        return Pages.frozen_with(self._memory, self._memory.take(batch), order) if whole else None

    def _hold(self, thread: Thread, action: Callable[[], Result]) -> Result:
        if self._holder is None:
            self._holder = Holder()
        # Just woken, this process is the least likely to lose its processor while the thread stands.
        time.sleep(0.0001)
        try:
            result, lasted = self._holder.run(thread.tid, action)
        except Refused as refused:
            raise Fault("thread %d, which runs the loop, cannot be held: %s" % (thread.tid, refused)) from refused
        except Gone as error:
            raise Fault("thread %d ended" % thread.tid) from error
        self.held = max(self.held or 0.0, lasted)
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
        reader = TaskReader(source, self._target.layout, self._layout, self._live, self._frames, self._code)
        records: List[TaskRecord] = []
        lost: List[int] = []
        for index, address in enumerate(addresses):
            if deadline and index and time.perf_counter() > deadline:
                return records, lost + addresses[index:]
            try:
                current = thread if address in running.values() else None
                record = reader.read(address, self._kinds, current)
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
