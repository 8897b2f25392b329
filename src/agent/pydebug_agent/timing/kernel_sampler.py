"""Samples from within the kernel: nothing is held, and no event is on a thread, so that its switches cost nothing more.

A clock on each processor samples what runs there. A look at each thread, up to 49 times a second, finds where the
others wait, and proves that they did not run while they were read. The kernel's own counters say how long each thread
ran, wanted to, and waited; the ends of threads are seen as they happen, so that short ones are counted whole.
"""

from __future__ import annotations

import struct
import time
from typing import Dict, Iterator, List, Optional, Tuple

from ..bpf import records
from ..bpf.attach import Attachment
from ..bpf.records import ThreadEntry
from ..bpf.refusals import no_types, refused, too_old
from ..bpf.syscalls import KernelRefusal, allow_descriptors
from ..bpf.task_layout import Machine
from ..reader.failures import explained
from ..reader.target import Target
from ..system import errors
from ..system.light import contextmanager, uniform
from ..system.proc import Proc
from .headroom import Headroom
from .kernel_process import Process, check
from .rates import MOST_SWITCHES, check_rate
from .recording import KERNEL, Recording
from .tally import Reasons, Tally

MOST_DEPTH = 2000
RATE = 99.0
WAIT_RATE = 49.0

# Of a processor, for looking at threads: where one is idle, and where each look takes from somebody.
_LARGEST_SHARE, _SMALLEST_SHARE = 0.015, 0.005
_LOOKS_REMEMBERED = 8
_LONGEST_INTERVAL = 1.0
_HOUSEKEEPING_SECONDS = 1.0
_LOOKS_A_CHECK = 5
_FREEING_SECONDS = 0.1


class KernelSampler:
    """Samples several processes at once. Made, it has attached to nothing; failures are AgentErrors.

    With ``exact`` every single wait is taken too, which costs the target some microseconds at each of its switches: it
    is declined where that is too much, unless ``force``, and given up where it becomes too much.
    """

    def __init__(
        self,
        rate: float = RATE,
        depth: int = 128,
        wait_rate: float = WAIT_RATE,
        exact: bool = False,
        force: bool = False,
    ) -> None:
        self.interval = 1 / wait_rate
        self.failures: Dict[int, errors.AgentError] = {}
        self._rate = rate
        self._depth = max(1, min(depth, MOST_DEPTH))
        self._least = 1 / wait_rate
        self._looking = 0.0
        self._exact = exact
        self._force = force
        self._given_up = ""
        self._proc = Proc()
        self._headroom = Headroom(self._proc)
        self._processes: List[Process] = []
        self._by_tgid: Dict[int, Process] = {}
        self._attachment: Optional[Attachment] = None
        self._looks = 0
        self._stacks = 0
        self._housekeeping = 0.0

    def add(self, target: Target) -> None:
        """Take a process in; an AgentError says why this one cannot be sampled so. Before ``start``."""
        self._proc = target.proc
        check(target, sum(len(process.target.tids) for process in self._processes))
        self._processes.append(Process(target))

    def start(self) -> None:
        """Load, attach, and take the first readings. What fails for one process alone is in ``failures``."""
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        self._headroom.read()
        try:
            machine = Machine()
        except OSError as error:
            raise no_types("%s: %s" % (error.filename, error.strerror)) from error
        except (ValueError, struct.error) as error:
            raise no_types(str(error)) from error
        if machine.missing or not machine.supported:
            raise too_old(machine.missing or ["programs for this processor"])
        with self._refusals():
            self._attach(machine)

    def _attach(self, machine: Machine) -> None:
        if self._exact and not self._force:
            check_rate([process.target for process in self._processes])
        threads = sum(len(process.target.tids) for process in self._processes)
        self._attachment = attachment = Attachment(machine, threads, self._depth, self._exact)
        attachment.load()
        reasons = Reasons()
        for process in list(self._processes):
            try:
                with explained(process.pid, process.target.proc, "threads"):
                    process.admit(attachment, reasons)
                self._by_tgid[process.tgid] = process
            except errors.AgentError as error:
                self._processes.remove(process)
                self.failures[process.pid] = error
        self._cpu_before = time.process_time()
        if self._exact:
            allow_descriptors()
            for process in self._processes:
                process.watch(attachment)
        self._begun, self._began = time.time(), time.monotonic_ns()
        # All that is attached does nothing until the process is let through.
        for process in self._processes:
            process.begin(self._began)
        for process in self._processes:
            self._look(process, is_edge=True)
        attachment.start_clocks(int(1e9 / self._rate))
        self._switches = (0, time.monotonic())
        self._housekeeping = time.monotonic() + _HOUSEKEEPING_SECONDS
        self._headroom.read()

    @property
    def ended(self) -> bool:
        """Say whether all targets exited or became other programs: nothing more will be seen."""
        return all(process.ended for process in self._processes)

    def tick(self) -> None:
        """Look at all threads, and name what was found; to be called about every ``interval`` seconds."""
        with self._refusals():
            used = time.thread_time()
            for process in self._processes:
                if not process.ended:
                    self._look(process)
            self._looks += 1
            self._drain()
            self._note_cost(time.thread_time() - used)
            now = time.monotonic()
            if now >= self._housekeeping:
                self._housekeeping = now + _HOUSEKEEPING_SECONDS
                self._keep_house()
        share = (_LARGEST_SHARE if self._headroom.is_there else _SMALLEST_SHARE) * max(1.0, self._rate / RATE)
        mean = min(max(self._least, self._looking / share), _LONGEST_INTERVAL)
        # A target with a beat of its own would be seen at the same place of it each time.
        self.interval = mean * uniform(0.5, 1.5)

    def _note_cost(self, used: float) -> None:
        # The first look names all that is there: the next ones cost less.
        if self._looks > 1:
            self._looking += (used - self._looking) / (_LOOKS_REMEMBERED if self._looks > 2 else 1)

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except KernelRefusal as refusal:
            # Where descriptors were what was missing, there are some again to find out why.
            self.close()
            raise refused(refusal, self._proc) from refusal

    def _look(self, process: Process, is_edge: bool = False) -> None:
        """Look at a process, at an edge of the recording also at what its threads had begun before it."""
        assert self._attachment is not None
        if is_edge and process.tally is not None:
            process.tally.note_restarted()
        process.look()
        if not self._looks % _LOOKS_A_CHECK:
            process.ended = self._attachment.target(process.tgid).ended

    def _keep_house(self) -> None:
        assert self._attachment is not None
        self._headroom.read()
        if self._stacks > self._attachment.stacks_size // 2:
            self._harvest()
        period = 1e9 / self._rate
        self._attachment.change_clocks(iter(lambda: int(period * uniform(0.8, 1.25)), 0))
        for process in self._processes:
            if not process.ended:
                process.name_threads()
        if self._exact and not self._force:
            switches = sum(self._attachment.target(process.tgid).switches for process in self._processes)
            now = time.monotonic()
            rate = (switches - self._switches[0]) / (now - self._switches[1])
            self._switches = (switches, now)
            if rate > MOST_SWITCHES:
                self._give_up_exact(rate)

    def _drain(self) -> None:
        """Name new stacks at once: short-lived code is gone soon."""
        assert self._attachment is not None
        begun: "set[int]" = set()
        for record in self._attachment.records():
            kind = record[records.RECORD_KIND]
            tgid, tid, start = records.THREAD_KEY.unpack_from(record, records.RECORD_KEY)
            process = self._by_tgid.get(tgid)
            if process is None or process.tally is None:
                continue
            if kind == records.RECORD_ENDED:
                entry = records.thread_entry(record, records.ENDED_THREAD)
                self._close_wait(process.tally, (tgid, tid, start), entry)
                process.tally.thread(tid, start, entry)
            elif kind == records.RECORD_STACK:
                self._stacks += 1
                if tgid not in begun:
                    begun.add(tgid)
                    process.tally.begin_naming()
                process.tally.stack(record)

    def _close_wait(
        self, tally: Tally, thread: Tuple[int, int, int], entry: ThreadEntry, take: bool = True
    ) -> None:
        """The wait in which a thread is at the end of the recording or of itself."""
        if not self._exact:
            return
        assert self._attachment is not None
        found = self._attachment.open_wait(records.THREAD_KEY.pack(*thread), take)
        if found is None:
            return
        began, cpu, delay, _, hash_, reason = found
        blocked = max(0, entry.time - began - (entry.cpu - cpu) - (entry.delay - delay))
        tally.wait(thread[1], thread[2], hash_, (reason & 0xFFFFFFFF, reason >> 32), (1, blocked, blocked))

    def _harvest(self) -> None:
        """Take the counts out of the kernel, where the map has room again."""
        assert self._attachment is not None
        self._stacks = 0
        taken = self._attachment.stacks(take=True)
        self._drain()
        self._count(taken)
        for process in self._processes:
            if process.tally is not None:
                process.tally.turn()

    def _count(self, counted: "List[Tuple[bytes, int]]") -> None:
        for key, samples in counted:
            tgid, tid, start, hash_, reason, call = records.STACK_KEY.unpack(key)
            process = self._by_tgid.get(tgid)
            if process is not None and process.tally is not None:
                process.tally.add(tid, start, hash_, (reason, call), samples)

    def snapshot(self) -> Dict[int, Recording]:
        """Return what has been seen so far by process, about as ``finish`` would; nothing is taken away."""
        attachment = self._attachment
        assert attachment is not None
        with self._refusals():
            counted = attachment.stacks(take=False)
            self._drain()
            tallies = [process.tally for process in self._processes]
            now, own = time.monotonic_ns(), time.process_time() - self._cpu_before
            try:
                for process, tally in zip(self._processes, tallies):
                    process.tally = tally.copy() if tally is not None else None
                    process.counted = attachment.target(process.tgid)
                self._count(counted)
                if self._exact:
                    self._take_waits(attachment)
                self._note_threads(self._entries(attachment), take=False)
                return {process.pid: self._recording(process, now, own) for process in self._processes}
            finally:
                for process, tally in zip(self._processes, tallies):
                    process.tally = tally

    def finish(self) -> Dict[int, Recording]:
        """Take the last readings; return what was seen by process."""
        with self._refusals():
            return self._finish()

    def _finish(self) -> Dict[int, Recording]:
        attachment = self._attachment
        assert attachment is not None
        attachment.stop_clocks()
        for process in self._processes:
            if not process.ended:
                self._look(process, is_edge=True)
        end = time.monotonic_ns()
        for process in self._processes:
            process.counted = attachment.end(process.tgid, end)
        attachment.stop_switches()
        for process in self._processes:
            process.name_threads()
        self._harvest()
        if self._exact:
            self._take_waits(attachment)
        self._take_threads(attachment)
        own = time.process_time() - self._cpu_before
        return {process.pid: self._recording(process, end, own) for process in self._processes}

    def _take_waits(self, attachment: Attachment) -> None:
        for key, wait in attachment.waits():
            tgid, tid, start, hash_, reason, call = records.STACK_KEY.unpack(key)
            process = self._by_tgid.get(tgid)
            if process is not None and process.tally is not None:
                process.tally.wait(tid, start, hash_, (reason, call), (wait[0], wait[1], wait[2]))

    def _give_up_exact(self, rate: float) -> None:
        """The threads switch too often by now: what each wait costs would slow the target down."""
        assert self._attachment is not None
        self._attachment.stop_switches()
        self._exact = False
        self._given_up = (
            "The waits were sampled and not taken one by one: %s after %.0f s, more than %d." % (
                "the threads switched %.0f times a second" % rate, (time.monotonic_ns() - self._began) / 1e9,
                MOST_SWITCHES)
        )

    def _take_threads(self, attachment: Attachment) -> None:
        until = time.monotonic() + _FREEING_SECONDS
        while True:
            # Threads that ended are final only a moment later.
            entries = self._entries(attachment)
            waiting = any(entry.exited and key[0] != key[1] for key, entry in entries)
            if not waiting or time.monotonic() > until:
                break
            time.sleep(0.01)
        self._note_threads(entries)
        self._drain()

    def _entries(self, attachment: Attachment) -> "List[Tuple[Tuple[int, int, int], ThreadEntry]]":
        return [(records.thread_key(key), records.thread_entry(value)) for key, value in attachment.threads()]

    def _note_threads(self, entries: "List[Tuple[Tuple[int, int, int], ThreadEntry]]", take: bool = True) -> None:
        for (tgid, tid, start), entry in entries:
            process = self._by_tgid.get(tgid)
            if process is not None and process.tally is not None:
                self._close_wait(process.tally, (tgid, tid, start), entry, take)
                process.tally.thread(tid, start, entry)

    def _recording(self, process: Process, end: int, own: float) -> Recording:
        assert process.tally is not None
        result = Recording(process.pid, KERNEL)
        entry = process.counted
        result.begun = self._begun
        result.seconds = (min(entry.ended or end, end) - self._began) / 1e9
        result.rate = self._rate
        result.wait_rate = self._looks / result.seconds if result.seconds > 0 else 0.0
        result.ended = bool(entry.ended)
        result.lost = entry.lost
        result.own_cpu = own / len(self._processes)
        result.program_seconds = entry.nanoseconds / 1e9
        result.program_runs = entry.runs
        result.exact = self._exact
        result.notes = list(process.target.notes) + ([self._given_up] if self._given_up else [])
        process.tally.build(result)
        return result

    def close(self) -> None:
        """Let go of everything: nothing stays in the kernel. Can be called at any moment, and again."""
        if self._attachment is not None:
            self._attachment.close()
            self._attachment = None
