"""The memory sampler: repeated reads of each thread, and the kernel's counters for how long it ran."""

from __future__ import annotations

import os
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

from ..reader.failures import explained
from ..reader.memory import Denied, Fault, Gone
from ..reader.namer import Namer
from ..reader.target import Target
from ..reader.thread_state import SCHEDSTAT
from ..system import errors
from .headroom import Headroom
from .looks import Later, Look, Looker
from .reasons import Why
from .recording import MEMORY, Key, Recording, Sampler
from .thread_list import ThreadList, WatchedThread

RATE = 20.0
# The part of a processor that is ours at the usual rate; it grows with the rate that was asked for.
_SHARE = 0.03
# Of that, where all processors are busy and each look takes from somebody.
_BUSY_PART = 1 / 3
MOST_SHARE = 0.15
_SLOWEST = 2.0
# What is looked up now and then may take this part on top.
_SELDOM_SHARE = 0.005
_EACH_SECOND = 1.0
_NAMES_SECONDS = 0.5
# A thread that was still for so many looks is left out of one, and of one more for each as many, up to the most.
_STILL_LOOKS, _MOST_RESTS = 20, 3


class MemorySampler(Sampler):
    """Samples one process by reading its memory.

    ``wanted`` picks threads by name; the others are left alone. ``share`` is the most of a processor that it uses.
    """

    def __init__(
        self,
        target: Target,
        rate: float = RATE,
        depth: int = 128,
        hold: bool = True,
        wanted: Callable[[str], bool] = lambda name: True,
        share: float = MOST_SHARE,
    ) -> None:
        self._target = target
        self._pid = pid = target.pid
        self._proc = target.proc
        self._usual = self.interval = 1.0 / rate
        self._share = min(_SHARE * max(1.0, rate / RATE), share)
        self._allowed = self._share
        self._headroom = Headroom(self._proc)
        self._depth = depth
        self._hold = hold
        self._wanted = wanted
        self._recording = Recording(pid, MEMORY)
        self._threads = ThreadList(target, self._recording, wanted)
        self._looker: Optional[Looker] = None
        self._ended = False
        self._unnamed: List[Tuple[int, Why, Later]] = []
        self._ticks = 0
        self._slowed = 0
        self._cost = 0.0
        self._names: Dict[int, str] = {}
        self._names_due = 0.0
        self._states_due = 0.0
        self._newest = 0
        self._second = 0.0

    @property
    def ended(self) -> bool:
        return self._ended

    def start(self) -> None:
        with explained(self._pid, self._proc, "threads"):
            try:
                self._namer = Namer(self._target.memory, self._target.layout, self._target.code_type, self._depth)
                self._looker = Looker(self._target, self._namer, self._hold)
                self._self = self._identity()
                self._cpu_first = self._process_cpu()
                self._headroom.read()
                self._recording.begun = time.time()
                self._begun = self._second = time.perf_counter()
                self._threads.list(first=True)
                self._match_states()
                self._name()
            except BaseException:
                self.close()
                raise

    def tick(self) -> None:
        if self._ended:
            return
        used = time.thread_time()
        try:
            self._tick()
        except (Gone, ProcessLookupError, FileNotFoundError):
            self._end()
        except (Denied, PermissionError) as error:
            self._recording.notes.append("After %.1f s the process could not be read any more: %s." % (
                time.perf_counter() - self._begun, error))
            self._end()
        self._adapt(time.thread_time() - used)

    def finish(self) -> Recording:
        recording = self._recording
        now = time.perf_counter()
        try:
            self._name_unnamed(last=True)
        except (Gone, Denied):
            pass
        if not self._ended:
            try:
                self._last_readings()
            except (OSError, Gone, Denied, Fault):
                self._end()
        recording.seconds = (self._ended_at if self._ended else time.perf_counter()) - self._begun
        recording.ended = self._ended
        for thread in self._threads.by_tid.values():
            self._threads.end(thread)
        recording.rate = recording.wait_rate = self._ticks / recording.seconds if recording.seconds > 0 else 0.0
        assert self._looker is not None
        recording.truncated = self._namer.truncated
        recording.unresolved = self._namer.unresolved
        recording.held = self._looker.longest
        self._remark(now)
        self.close()
        return recording

    def snapshot(self) -> Recording:
        """Return what has been seen so far, about as ``finish`` would. To be used before the next tick."""
        recording = self._recording.copy()
        for tid, thread in self._threads.by_tid.items():
            self._threads.add_up(thread, recording.threads[tid])
        recording.seconds = max([thread.last for thread in self._threads.by_tid.values()] + [self._begun]) - self._begun
        recording.rate = recording.wait_rate = self._ticks / recording.seconds if recording.seconds > 0 else 0.0
        assert self._looker is not None
        recording.truncated = self._namer.truncated
        recording.unresolved = self._namer.unresolved
        recording.held = self._looker.longest
        return recording

    def close(self) -> None:
        if self._looker is not None:
            for tid in self._looker.finish():
                self._recording.notes.append(
                    "Thread %d has not stopped yet; it is let go when the agent ends." % tid
                )
            self._looker = None
        self._threads.close()

    # One tick

    def _tick(self) -> None:
        looker = self._looker
        assert looker is not None
        self._name_unnamed()
        now = time.perf_counter()
        if now - self._second >= _EACH_SECOND:
            self._second = now
            self._headroom.read()
            if self._identity() != self._self:
                self._end()
                return
        looker.stopped = self._is_stopped()
        if self._threads.has_changed() or looker.stale:
            self._threads.list()
            self._match_states()
        elif self._newest != self._target.newest() or (now >= self._states_due and self._may_change()):
            self._match_states()
        self._ticks += 1
        threads = list(self._threads.by_tid.values())
        # Not always the same one first: what the first reads does to the others would be seen with each.
        turn = self._ticks % len(threads) if threads else 0
        for thread in threads[turn:] + threads[:turn]:
            if not thread.wanted:
                continue
            if thread.rest:
                thread.rest -= 1
                thread.rested += 1
                continue
            look = looker.look(thread.watched)
            if look is None:
                self._threads.doubt()
            else:
                self._record(thread, look)
        if looker.stale and self._identity() != self._self:
            self._end()

    def _record(self, thread: WatchedThread, look: Look) -> None:
        times, recording = thread.times, self._recording
        times.reads += 1
        thread.last = time.perf_counter()
        thread.counted = thread.watched.seen
        if look is thread.look and thread.count is not None:
            thread.count.samples += 1
            recording.samples += 1
            self._make_up(thread)
            thread.still += 1
            thread.rest = min(thread.still // _STILL_LOOKS, _MOST_RESTS)
            return
        thread.still = thread.rested = 0
        if look.running:
            times.on_cpu += 1
        if look.why is None:
            if look.running:
                recording.misses += 1
            else:
                times.moved += 1
            return
        if look.later is not None:
            self._unnamed.append((times.tid, look.why, look.later))
            return
        if look.stack is None:
            recording.misses += 1
        key = Key(times.tid, look.why.reason, look.why.call, look.stack or ())
        recording.add(key)
        if not look.running:
            thread.look, thread.count = look, recording.counts[key]

    def _make_up(self, thread: WatchedThread) -> None:
        """Count the looks that a thread was left out of: it has not run since the one before them."""
        assert thread.count is not None
        thread.times.reads += thread.rested
        thread.count.samples += thread.rested
        self._recording.samples += thread.rested
        thread.still += thread.rested
        thread.rested = 0

    def _name_unnamed(self, last: bool = False) -> None:
        """Name the frames of earlier looks whose code was seen for the first time, and has lived on since."""
        looker = self._looker
        assert looker is not None
        left, self._unnamed = self._unnamed, []
        while left:
            tid, why, later = left.pop()
            try:
                if last or looker.has_run(later):
                    self._recording.add(Key(tid, why.reason, why.call, looker.name(later)))
                else:
                    self._unnamed.append((tid, why, later))
            except (Gone, Denied):
                # Too late for these.
                self._recording.misses += len(left) + 1 + len(self._unnamed)
                self._unnamed = []
                raise

    def _adapt(self, cost: float) -> None:
        if self._ticks < 2:
            # The first look at each thread finds out where its frames lie: the next ones cost less.
            return
        self._cost = cost if self._ticks == 2 else 0.8 * self._cost + 0.2 * cost
        self._allowed = self._share if self._headroom.is_there else self._share * _BUSY_PART
        self.interval = min(max(self._usual, self._cost / self._allowed), max(_SLOWEST, self._usual))
        self._slowed += self.interval > 1.05 * self._usual

    def _last_readings(self) -> None:
        if self._identity() != self._self:
            self._end()
            return
        self._threads.list()
        for thread in self._threads.by_tid.values():
            schedstat = thread.watched.kernel.read(SCHEDSTAT, 96)
            if schedstat is not None:
                thread.counted, thread.last = schedstat, time.perf_counter()
            if schedstat == thread.watched.proven and thread.count is not None:
                self._make_up(thread)
        if any(thread.times.began for thread in self._threads.by_tid.values()):
            self._match_states()
            self._name()

    def _end(self) -> None:
        self._ended = True
        self._ended_at = max([thread.last for thread in self._threads.by_tid.values()] + [self._begun])

    # Python's side

    def _may_change(self) -> bool:
        """Say whether threads may have got a Python state that is not known, with nothing else to show for it."""
        several = len(self._target.gils.addresses) > 1
        return several or any(thread.watched.python is None for thread in self._threads.by_tid.values())

    def _match_states(self) -> None:
        """Find the threads that have a Python state."""
        assert self._looker is not None
        looker, target = self._looker, self._target
        began = time.thread_time()
        looker.stale = False
        try:
            self._newest = target.newest()
            found = {python.tid: python for python in target.threads()}
        except (Fault, errors.AgentError):
            if not self._ticks:
                raise
            # It changed while it was read, or the process is another by now: the next tick tells.
            found = None
            looker.stale = True
        if found is not None:
            fresh = False
            for tid, thread in self._threads.by_tid.items():
                python = found.get(tid)
                fresh = fresh or python is not None and python != thread.watched.python
                thread.watched.become(python)
            if fresh and self._ticks and time.perf_counter() >= self._names_due:
                self._name()
        cost = time.thread_time() - began
        self._states_due = time.perf_counter() + max(_EACH_SECOND, cost / _SELDOM_SHARE)

    def _name(self) -> None:
        began = time.thread_time()
        self._names.update(self._target.names())
        for tid, thread in self._threads.by_tid.items():
            python = thread.watched.python
            name = self._names.get(python.ident) if python is not None else None
            thread.times.name = name or thread.times.name or self._threads.comm(tid)
            thread.wanted = self._wanted(thread.times.name)
        cost = time.thread_time() - began
        self._names_due = time.perf_counter() + max(_NAMES_SECONDS, cost / _SELDOM_SHARE)

    # The process

    def _identity(self) -> Tuple[Any, ...]:
        """What changes when the process becomes another program."""
        stat = self._proc.stat(self._pid)
        try:
            program = os.stat(self._proc.path(self._pid, "exe"))
            inode: Tuple[int, ...] = (program.st_dev, program.st_ino)
        except OSError:
            inode = ()
        return stat.start_ticks, stat.start_stack, stat.argument_start, inode

    def _is_stopped(self) -> bool:
        leader = self._threads.by_tid.get(self._pid)
        return leader is not None and leader.watched.kernel.letter() in "Tt"

    def _process_cpu(self) -> Optional[float]:
        """The CPU seconds of the process, its ended threads included."""
        try:
            return time.clock_gettime(~self._pid << 3 | 2)
        except OSError:
            return None

    # What is to be said

    def _remark(self, now: float) -> None:
        recording, looker, notes = self._recording, self._looker, self._recording.notes
        assert looker is not None
        notes.extend(self._target.notes)
        if self._ended:
            notes.append("The process ended, or became another program, %.1f s into the window." % recording.seconds)
        elif recording.rate < 0.9 / self._usual:
            reason = "the agent did not get its turns"
            if 2 * self._slowed > self._ticks:
                reason = "to use no more than %.2g %% of a processor" % (100 * self._allowed)
                if self._allowed < self._share:
                    reason += " while all are busy"
            notes.append("The threads were looked at %.1f times a second instead of %.0f: %s." % (
                recording.rate, 1 / self._usual, reason))
        if not looker.counted:
            notes.append("This kernel does not count the turns of a thread: no wait could be proven.")
        if looker.not_held:
            text = "Running threads were not held (%s): their stacks are those that two reads agreed on"
            if self._target.layout.heap_frames:
                text = "Running threads were not held (%s), and without that their stacks cannot be had in this Python"
            notes.append((text + ".") % looker.not_held)
        if looker.locks_unknown:
            notes.append("Some locks could not be told from the GIL: the threads' system calls may not be read.")
        self._remark_unseen(now)

    def _remark_unseen(self, now: float) -> None:
        last = self._process_cpu()
        if last is None or self._cpu_first is None or self._ended:
            return
        known = sum(times.cpu for times in self._recording.threads.values())
        unseen = last - self._cpu_first - known
        if unseen > 0.02 + 0.01 * (now - self._begun):
            self._recording.notes.append("Threads that ended between two looks used %.2f s of CPU that are in no "
                "thread's times." % unseen)
