"""Maps, programs and events in the kernel: made together, and gone together."""

from __future__ import annotations

import errno
import os
import struct
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

from ..reader.layouts import Layout
from ..reader.waits import system_calls
from . import bpf, records
from .bpf import Kernel, KernelRefusal
from .iterator import IteratorProgram
from .machine import EXEC, EXIT, FREE, ITERATOR, Machine
from .names import identity_offset
from .programs import CpuProgram, ExecProgram, ExitProgram, FreeProgram, ProbeProgram
from .ring import Ring
from .walk import Maps

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


class Attachment:
    """All that the sampler has in the kernel. Nothing of it outlives ``close``, or this process."""

    def __init__(self, machine: Machine, threads: int, depth: int) -> None:
        self.machine = machine
        self.stacks_size = _power(8 * threads, _LEAST_STACKS, _MOST_STACKS)
        self._threads_size = _power(4 * threads, _LEAST_THREADS, _MOST_THREADS)
        self._depth = depth
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
            targets=kernel.map(bpf.MAP_HASH, 4, records.TARGET_BYTES, _MOST_TARGETS, "pydebug_targets"),
            threads=kernel.map(
                bpf.MAP_HASH, records.THREAD_KEY.size, records.THREAD_BYTES, self._threads_size, "pydebug_threads"
            ),
            stacks=kernel.map(bpf.MAP_HASH, records.STACK_KEY.size, 8, self.stacks_size, "pydebug_stacks"),
            ring=kernel.map(bpf.MAP_RINGBUF, 0, 0, ring, "pydebug_ring"),
            # One for each processor, but not by the map for that: what that one holds is at most 32 KiB.
            scratch=kernel.map(bpf.MAP_ARRAY, 4, scratch, max(bpf.cpus("possible")) + 1, "pydebug_scratch"),
            iterator_scratch=kernel.map(bpf.MAP_ARRAY, 4, scratch, 1, "pydebug_area"),
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
        futex = next(number for number, name in system_calls().items() if name == "futex")
        self._cpu = kernel.program(CpuProgram(*common).build(), bpf.PROGRAM_PERF_EVENT, "pydebug_cpu")
        self._iterator = kernel.program(
            IteratorProgram(*common, futex=futex).build(), bpf.PROGRAM_TRACING, "pydebug_waits",
            bpf.ATTACH_ITERATOR, types[ITERATOR], bpf.SLEEPABLE,
        )  # fmt: skip
        for program, name, event in (
            (FreeProgram(*common), "pydebug_free", FREE),
            (ExitProgram(*common), "pydebug_exit", EXIT),
            (ExecProgram(*common), "pydebug_exec", EXEC),
        ):
            loaded = kernel.program(
                program.build(), bpf.PROGRAM_TRACING, name, bpf.ATTACH_RAW_TRACEPOINT, types[event]
            )
            kernel.tracepoint(loaded)

    def probe(self, pid: int) -> List[Probed]:
        """Return the threads of a process."""
        kernel = self._kernel
        code = ProbeProgram(self.machine, self.maps, self._depth, self._level).build()
        program = kernel.program(
            code, bpf.PROGRAM_TRACING, "pydebug_probe", bpf.ATTACH_ITERATOR, self.machine.types[ITERATOR]
        )
        link = kernel.task_link(program, pid)
        try:
            kernel.iterate(link)
        finally:
            kernel.drop(link)
            kernel.drop(program)
        assert self._ring is not None
        return [
            Probed(*records.PROBE.unpack(record)[1:]) for record in self._ring.records()
            if record[0] == records.RECORD_PROBE
        ]  # fmt: skip

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
            return TargetEntry(0, 0, 0, 0)
        return TargetEntry(*struct.unpack_from("<4Q", data, records.TARGET["ended"]))

    def link(self, pid: int) -> int:
        """Bind the iterator to a process."""
        return self._kernel.task_link(self._iterator, pid)

    def look(self, link: int) -> None:
        """Look at each thread of a process once."""
        self._kernel.iterate(link)

    def start_clocks(self, period: int) -> None:
        """Sample what runs on each processor each ``period`` nanoseconds."""
        for cpu in bpf.cpus("online"):
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

    def records(self) -> Iterator[bytes]:
        """Yield what came through the ring."""
        return self._ring.records() if self._ring is not None else iter(())

    def take_stacks(self) -> List[Tuple[bytes, int]]:
        """Return the counts of stacks by their keys; counting begins anew."""
        items = self._kernel.items(self.maps.stacks, records.STACK_KEY.size, 8, self.stacks_size, take=True)
        return [(key, int.from_bytes(value, "little")) for key, value in items]

    def threads(self) -> Iterator[bpf.Item]:
        """Yield the entries of threads that are in the map."""
        return self._kernel.items(self.maps.threads, records.THREAD_KEY.size, records.THREAD_BYTES, self._threads_size)

    def close(self) -> None:
        """Let go of everything."""
        self._events = []
        if self._ring is not None:
            self._ring.close()
            self._ring = None
        self._kernel.close()


def _power(value: int, least: int, most: int) -> int:
    return min(max(1 << max(value - 1, 1).bit_length(), least), most)
