"""Sums up what the kernel programs saw of one process."""

from __future__ import annotations

from typing import Dict, Optional, Tuple

from ..bpf import records
from ..bpf.names import StackNames
from ..bpf.records import ThreadEntry
from ..reader.codeobj import Stack
from ..reader.target import Target
from ..reader.waits import RESTART, is_restarted, line_of, system_calls
from . import recording
from .reasons import Calls, Why
from .recording import Count, Key, Recording, ThreadTimes

_REASONS = {
    records.REASON_FAULT: recording.FAULT,
    records.REASON_RUNNABLE: recording.RUNNABLE,
    records.REASON_PREEMPTED: recording.PREEMPTED,
    records.REASON_STOPPED: recording.STOPPED,
}

# More threads than these that began and ended are counted together: a server may make one for each request.
_MOST_ENDED = 2000
_MOST_SUMS = 500_000

ThreadId = Tuple[int, int]  # the kernel's number, and when it began
_TOGETHER: ThreadId = (0, 0)
_Seen = Tuple[int, int]  # reason with flags, call
_Named = Tuple[Stack, int]
_Wait = Tuple[int, int, int]  # how many, nanoseconds, the longest


class Reasons:
    """Puts the programs' reasons into words."""

    def __init__(self) -> None:
        self._names = system_calls()

    def words(self, reason: int, call: int, restarted: Optional[Why] = None) -> Why:
        """Return the reason and the call of a key.

        ``restarted`` is the call that the thread was seen to be in again.
        """
        kind = reason & records.REASON_MASK
        if kind == records.REASON_CPU:
            return Why(recording.CPU, None)
        if kind == records.REASON_CPU_GIL:
            return Why(recording.CPU, "gil")
        if kind in _REASONS:
            return Why(_REASONS[kind], None)
        name = self._names.get(call, "system call %d" % call)
        if kind == records.REASON_GIL:
            return Why(recording.GIL, name)
        if name == RESTART:
            # After a signal or a stop: what is restarted is not said.
            return restarted or Why(recording.OTHER, name)
        arguments = [int(not reason & records.FLAG_FIRST_ZERO), int(not reason & records.FLAG_SECOND_ZERO)]
        return Calls.by_name(name, arguments, ())


class Tally:
    """Collects the stacks and threads of one process; ``tgid`` is the kernel's number for it."""

    def __init__(self, target: Target, tgid: int, reasons: Reasons) -> None:
        self.target = target
        self.tgid = tgid
        self._reasons = reasons
        self._names = StackNames(target)
        self._stacks: Dict[int, _Named] = {}
        self._before: Dict[int, _Named] = {}
        self._one: Dict[Stack, Stack] = {}
        self._sums: Dict[ThreadId, Dict[Tuple[_Seen, _Named], int]] = {}
        self._threads: Dict[ThreadId, ThreadEntry] = {}
        self._together = ThreadTimes(0)
        self._folded: "set[ThreadId]" = set()
        self._folds = self._size = 0
        self._waits: Dict[ThreadId, Dict[Tuple[_Seen, _Named], _Wait]] = {}
        self._restarted: Dict[int, Why] = {}
        self.thread_names: Dict[int, str] = {}
        self.lost = 0

    def copy(self) -> "Tally":
        """Return the same counts, which stay as they are."""
        other = Tally.__new__(Tally)
        other.__dict__.update(self.__dict__)
        other._stacks, other._threads, other._folded = dict(self._stacks), dict(self._threads), set(self._folded)
        other._together = self._together.copy()
        other._sums = {thread: dict(sums) for thread, sums in self._sums.items()}
        other._waits = {thread: dict(waits) for thread, waits in self._waits.items()}
        return other

    def begin_naming(self) -> None:
        """The next stacks are of now."""
        self._names.begin()

    def stack(self, record: bytes) -> None:
        """Name a stack that came through the ring."""
        hash_ = records.stack_hash(record)
        if hash_ in self._stacks:
            # Another thread's, or for another reason.
            return
        frames = records.stack_frames(record)
        stack, unresolved = self._names.name(frames)
        # Equal stacks become one object: they are compared often.
        self._stacks[hash_] = (self._one.setdefault(stack, stack), unresolved)

    def thread(self, tid: int, start: int, entry: ThreadEntry) -> None:
        """Keep a thread's entry: the last one counts."""
        thread = (tid, start)
        whole = entry.exited and entry.first_time == start
        if not whole or len(self._threads) < _MOST_ENDED or thread in self._threads:
            self._threads[thread] = entry
            return
        self._folds += 1
        self._folded.add(thread)
        _add_times(self._together, entry, start)
        for what, samples in self._sums.pop(thread, {}).items():
            self._size -= 1
            self._count(_TOGETHER, what, samples)

    def add(self, tid: int, start: int, hash_: int, seen: _Seen, samples: int) -> None:
        """Count samples of a stack."""
        named = self._stacks.get(hash_) or self._before.get(hash_)
        if named is None:
            self.lost += samples
            return
        thread = (tid, start)
        self._count(_TOGETHER if thread in self._folded else thread, (seen, named), samples)

    def _count(self, thread: ThreadId, what: Tuple[_Seen, _Named], samples: int) -> None:
        sums = self._sums.setdefault(thread, {})
        if what in sums:
            sums[what] += samples
        elif self._size < _MOST_SUMS:
            self._size += 1
            sums[what] = samples
        else:
            self.lost += samples

    def wait(self, tid: int, start: int, hash_: int, seen: _Seen, wait: _Wait) -> None:
        """Add waits of a stack that were all taken."""
        named = self._stacks.get(hash_) or self._before.get(hash_)
        if named is None:
            self.lost += wait[0]
            return
        thread = (tid, start)
        waits = self._waits.setdefault(_TOGETHER if thread in self._folded else thread, {})
        before = waits.get((seen, named), (0, 0, 0))
        waits[seen, named] = (before[0] + wait[0], before[1] + wait[1], max(before[2], wait[2]))

    def note_restarted(self) -> None:
        """See which threads are in a call that an earlier stop, such as that of py-spy, had the kernel begin again."""
        proc, pid = self.target.proc, self.target.pid
        try:
            tids = proc.threads(pid)
        except OSError:
            return
        for tid in tids:
            try:
                line = proc.read(pid, "task", tid, "syscall", limit=512)
            except OSError:
                # It may not be shown, or the thread has ended.
                continue
            why = Calls().by_line(line_of(proc, pid, tid, line), ()) if is_restarted(line) else None
            if why is not None:
                self._restarted[tid] = why

    def turn(self) -> None:
        """The counts of the stacks so far were taken: the same hash may be another stack's soon."""
        self._before, self._stacks = self._stacks, {}
        # Nothing more is counted of those that ended before.
        self._folded.clear()

    def _name(self, tid: int, entry: ThreadEntry) -> str:
        return self.thread_names.get(tid) or self.target.kernel_name(tid, entry.comm)

    def build(self, result: Recording) -> None:
        """Put threads and counts into a recording."""
        visible: Dict[ThreadId, int] = {}
        for thread, entry in self._threads.items():
            # Numbers are used again: those that had the same one are counted as one thread.
            tid = visible[thread] = entry.visible or thread[0]
            times = result.threads.get(tid)
            if times is None:
                times = result.threads[tid] = ThreadTimes(tid, self._name(tid, entry))
            _add_times(times, entry, thread[1])
        if self._folds:
            visible[_TOGETHER] = 0
            result.threads[0] = self._together
            result.together = self._folds
        for thread, sums in self._sums.items():
            # One that began after the last look is not of this window.
            if thread not in visible:
                continue
            for ((reason, call), (stack, unresolved)), samples in sums.items():
                why = self._reasons.words(reason, call, self._restarted.get(visible[thread]))
                result.add(Key(visible[thread], why.reason, why.call, stack), samples)
                result.unresolved += unresolved * samples
                if reason & records.FLAG_TRUNCATED:
                    result.truncated += samples
                if reason & records.FLAG_BROKEN:
                    result.misses += samples
        for thread, waits in self._waits.items():
            if thread not in visible:
                continue
            for ((reason, call), (stack, _)), (count, nanoseconds, longest) in waits.items():
                why = self._reasons.words(reason, call, self._restarted.get(visible[thread]))
                if why.reason not in recording.QUEUED:
                    _add_wait(result, Key(visible[thread], why.reason, why.call, stack), count, nanoseconds, longest)
        result.lost += self.lost


def _add_wait(result: Recording, key: Key, count: int, nanoseconds: int, longest: int) -> None:
    entry = result.counts.get(key)
    if entry is None:
        entry = result.counts[key] = Count()
    entry.count = (entry.count or 0) + count
    entry.seconds = (entry.seconds or 0.0) + nanoseconds / 1e9
    entry.longest = max(entry.longest or 0.0, longest / 1e9)


def _add_times(times: ThreadTimes, entry: ThreadEntry, start: int) -> None:
    wall = max(0, entry.time - entry.first_time) / 1e9
    cpu = max(0, entry.cpu - entry.first_cpu) / 1e9
    delay = max(0, entry.delay - entry.first_delay) / 1e9
    times.began = entry.first_time == start
    times.ended = bool(entry.exited)
    times.wall += wall
    # The end of a thread is stamped before its last microseconds on the processor.
    times.cpu += min(cpu, wall)
    times.runnable = (times.runnable or 0.0) + min(delay, max(0.0, wall - cpu))
    times.switches = (times.switches or 0) + entry.switches - entry.first_switches
    times.reads += entry.reads
    times.on_cpu += entry.on_cpu
    times.moved += entry.moved
