"""Maps, programs and events in the kernel: made together, and gone together."""

from __future__ import annotations

import errno
import os
import struct
from typing import Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple

from ..reader.layouts import Layout
from . import records, syscalls
from .iterator import IteratorProgram
from .names import identity_offset
from .programs import CpuProgram, ExecProgram, ExitProgram, FreeProgram, ProbeProgram
from .ring import Ring
from .switches import SwitchProgram
from .syscalls import Kernel, KernelRefusal
from .task_layout import EXEC, EXIT, FREE, ITERATOR, Machine
from .task_program import Maps

_MOST_TARGETS = 4096
_LEAST_THREADS, _MOST_THREADS = 1024, 16384
_LEAST_STACKS, _MOST_STACKS = 8192, 65536
_LEAST_RING, _MOST_RING = 1 << 20, 1 << 24


class Probed(NamedTuple):
    """A thread as the kernel knows it; ``tid`` is its number here."""

    level: int
    tgid: int
    tid: int
    start: int
    pointer: int


class TargetEntry(NamedTuple):
    """What was counted of a process; ``ended`` is the monotonic time in nanoseconds, 0 while it runs."""

    ended: int
    lost: int
    runs: int
    nanoseconds: int
    switches: int


class Attachment:
    """All that the sampler has in the kernel. Nothing of it outlives ``close``, or this process.

    With ``exact``, a program can be had that takes every single wait.
    """

    def __init__(self, machine: Machine, threads: int, depth: int, exact: bool = False) -> None:
        self.machine = machine
        self.stacks_size = _power(8 * threads, _LEAST_STACKS, _MOST_STACKS)
        self._threads_size = _power(4 * threads, _LEAST_THREADS, _MOST_THREADS)
        self._depth = depth
        self._exact = exact
        self._switch_events: List[int] = []
        self._events: List[int] = []
        self._ring: Optional[Ring] = None
        self._kernel = Kernel()
        try:
            self._make(_power(2 * threads * records.scratch_bytes(depth), _LEAST_RING, _MOST_RING))
        except BaseException:
            self.close()
            raise

    def _make(self, ring: int) -> None:
        kernel, scratch = self._kernel, records.scratch_bytes(self._depth)
        self.maps = Maps(
            targets=kernel.map(syscalls.MAP_HASH, 4, records.TARGET_BYTES, _MOST_TARGETS, "pydebug_targets"),
            threads=kernel.map(
                syscalls.MAP_HASH, records.THREAD_KEY.size, records.THREAD_BYTES, self._threads_size, "pydebug_threads"
            ),
            stacks=kernel.map(syscalls.MAP_HASH, records.STACK_KEY.size, 8, self.stacks_size, "pydebug_stacks"),
            ring=kernel.map(syscalls.MAP_RINGBUF, 0, 0, ring, "pydebug_ring"),
            # One for each processor, but not by the map for that: what that one holds is at most 32 KiB.
            scratch=kernel.map(
                syscalls.MAP_ARRAY, 4, scratch, max(syscalls.cpus("possible")) + 1, "pydebug_scratch"
            ),
            iterator_scratch=kernel.map(syscalls.MAP_ARRAY, 4, scratch, 1, "pydebug_area"),
        )
        if self._exact:
            self.maps = self.maps._replace(
                open=kernel.map(
                    syscalls.MAP_HASH,
                    records.THREAD_KEY.size,
                    records.OPEN_ENTRY.size,
                    self._threads_size,
                    "pydebug_open",
                ),
                waits=kernel.map(
                    syscalls.MAP_HASH, records.STACK_KEY.size, records.WAIT_ENTRY.size, self.stacks_size, "pydebug_each"
                ),
            )
        self._ring = Ring(self.maps.ring, ring)
        # How deep this process's own namespace lies is not known before a program has looked.
        self._level = 0
        own = self.probe(os.getpid())
        self._level = own[0].level if own else 0

    def load(self) -> None:
        """Load the programs that sample."""
        kernel, types = self._kernel, self.machine.types
        common = (self.machine, self.maps, self._depth, self._level)
        self._cpu = kernel.program(CpuProgram(*common).build(), syscalls.PROGRAM_PERF_EVENT, "pydebug_cpu")
        self._iterator = kernel.program(
            IteratorProgram(*common).build(), syscalls.PROGRAM_TRACING, "pydebug_waits",
            syscalls.ATTACH_ITERATOR, types[ITERATOR], syscalls.SLEEPABLE,
        )
        if self._exact:
            self._switch = kernel.program(SwitchProgram(*common).build(), syscalls.PROGRAM_PERF_EVENT, "pydebug_switch")
        for program, name, event in (
            (FreeProgram(*common).build(), "pydebug_free", FREE),
            (ExitProgram(*common).build(), "pydebug_exit", EXIT),
            (ExecProgram(*common).build(), "pydebug_exec", EXEC),
        ):
            loaded = kernel.program(
                program, syscalls.PROGRAM_TRACING, name, syscalls.ATTACH_RAW_TRACEPOINT, types[event]
            )
            kernel.tracepoint(loaded)

    def probe(self, pid: int) -> List[Probed]:
        """Return the threads of a process."""
        kernel = self._kernel
        code = ProbeProgram(self.machine, self.maps, self._depth, self._level).build()
        program = kernel.program(
            code, syscalls.PROGRAM_TRACING, "pydebug_probe", syscalls.ATTACH_ITERATOR, self.machine.types[ITERATOR]
        )
        link = kernel.task_link(program, pid)
        try:
            kernel.iterator(link)()
        finally:
            kernel.drop(link)
            kernel.drop(program)
        assert self._ring is not None
        return [
            Probed(*records.PROBE.unpack(record)[1:]) for record in self._ring.records()
            if record[0] == records.RECORD_PROBE
        ]

    def add(self, tgid: int, layout: Layout, offset: int, fixed_gil: int, begun: int) -> None:
        """Let a process through; ``offset`` is where its threads keep their state."""
        low = min(layout.frame_code, layout.frame_previous, layout.frame_instruction, layout.frame_owner & ~7)
        high = max(layout.frame_code, layout.frame_previous, layout.frame_instruction, layout.frame_owner & ~7) + 8
        if high - low >= records.LARGEST_FRAME:
            raise KernelRefusal(errno.E2BIG, "a frame of %d bytes" % (high - low))
        values: Dict[str, int] = {
            "thread_pointer": offset,
            "frame_pointer": layout.thread_cframe if layout.thread_cframe >= 0 else layout.thread_frame,
            "inner_frame": layout.cframe_frame if layout.thread_cframe >= 0 else records.NO_INNER_FRAME,
            "frame_low": low,
            "frame_size": high - low,
            "code": layout.frame_code - low,
            "instruction": layout.frame_instruction - low,
            "previous": layout.frame_previous - low,
            "owner": layout.frame_owner - low,
            "identity": identity_offset(layout),
            "interpreter": layout.thread_interpreter,
            "fixed_gil": fixed_gil,
            "gil": layout.interpreter_gil if layout.interpreter_gil >= 0 else 0,
            "begun": begun,
        }
        entry = struct.pack("<%dq" % len(records.TARGET), *[values.get(name, 0) for name in records.TARGET])
        self._kernel.update(self.maps.targets, struct.pack("<I", tgid), entry)

    def target(self, tgid: int) -> TargetEntry:
        """Return what was counted of a process."""
        data = self._kernel.lookup(self.maps.targets, struct.pack("<I", tgid), records.TARGET_BYTES)
        if data is None:
            return TargetEntry(0, 0, 0, 0, 0)
        return TargetEntry(*struct.unpack_from("<5Q", data, records.TARGET["ended"]))

    def end(self, tgid: int, now: int) -> TargetEntry:
        """Let nothing more of a process through; return what was counted of it before."""
        entry = self.target(tgid)
        key = struct.pack("<I", tgid)
        data = self._kernel.lookup(self.maps.targets, key, records.TARGET_BYTES)
        if data is not None and not entry.ended:
            place = records.TARGET["ended"]
            self._kernel.update(self.maps.targets, key, data[:place] + struct.pack("<Q", now) + data[place + 8 :])
        return entry

    def looks(self, pid: int) -> Callable[[], None]:
        """Bind the iterator to a process; return what looks at each of its threads once."""
        return self._kernel.iterator(self._kernel.task_link(self._iterator, pid))

    def start_clocks(self, period: int) -> None:
        """Sample what runs on each processor each ``period`` nanoseconds."""
        for cpu in syscalls.cpus("online"):
            try:
                self._events.append(self._kernel.clock_event(cpu, period, self._cpu))
            except KernelRefusal as refusal:
                # One that was taken offline meanwhile.
                if refusal.errno != errno.ENODEV:
                    raise
        for event in self._events:
            self._kernel.enable(event)

    def change_clocks(self, periods: Iterator[int]) -> None:
        """Give each processor's clock another period."""
        for event, period in zip(self._events, periods):
            self._kernel.set_period(event, period)

    def stop_clocks(self) -> None:
        """Stop sampling the processors."""
        while self._events:
            self._kernel.drop(self._events.pop())

    def watch_switches(self, tids: Iterable[int]) -> None:
        """Take every wait of threads, and of those that they start."""
        for tid in tids:
            try:
                event = self._kernel.switch_event(tid, self._switch)
            except KernelRefusal as refusal:
                # It ended meanwhile.
                if refusal.errno != errno.ESRCH:
                    raise
                continue
            self._switch_events.append(event)
            self._kernel.enable(event)

    def stop_switches(self) -> None:
        """Take no more waits."""
        while self._switch_events:
            self._kernel.drop(self._switch_events.pop())

    def waits(self) -> Iterator[Tuple[bytes, Tuple[int, ...]]]:
        """Yield count, nanoseconds and longest of the waits that are over, by the keys of their stacks."""
        items = self._kernel.items(self.maps.waits, records.STACK_KEY.size, records.WAIT_ENTRY.size, self.stacks_size)
        return ((key, records.WAIT_ENTRY.unpack(value)) for key, value in items)

    def open_wait(self, thread: bytes, take: bool) -> Optional[Tuple[int, ...]]:
        """Return the wait in which a thread is, or was when it ended."""
        value = self._kernel.lookup(self.maps.open, thread, records.OPEN_ENTRY.size)
        if value is None:
            return None
        if take:
            self._kernel.delete(self.maps.open, thread)
        return records.OPEN_ENTRY.unpack(value)

    def records(self) -> Iterator[bytes]:
        """Yield what came through the ring."""
        return self._ring.records() if self._ring is not None else iter(())

    def stacks(self, take: bool) -> List[Tuple[bytes, int]]:
        """Return the counts of stacks by their keys; with ``take``, counting begins anew."""
        items = self._kernel.items(self.maps.stacks, records.STACK_KEY.size, 8, self.stacks_size, take=take)
        return [(key, int.from_bytes(value, "little")) for key, value in items]

    def threads(self) -> Iterator[syscalls.Item]:
        """Yield the entries of threads that are in the map."""
        return self._kernel.items(self.maps.threads, records.THREAD_KEY.size, records.THREAD_BYTES, self._threads_size)

    def close(self) -> None:
        """Let go of everything."""
        self._events = []
        self._switch_events = []
        if self._ring is not None:
            self._ring.close()
            self._ring = None
        self._kernel.close()


def _power(value: int, least: int, most: int) -> int:
    return min(max(1 << max(value - 1, 1).bit_length(), least), most)
