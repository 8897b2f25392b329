"""One look at one thread: proven idle, held for one read, or neither.

A look decides once. What it finds off the processor is proven or counted as moved, never looked at again in the hope
of something that can be proven: that would favour long waits. What it finds running is held, and the stack is taken
only if the thread did not go to wait before it stood: that would book waits as CPU time.
"""

from __future__ import annotations

import errno
import time
from typing import Any, List, NamedTuple, Optional, Set, Tuple

from ..reader.codeobj import Stack
from ..reader.frames import Frame, FrameReader, Plan, Thread
from ..reader.hold import Refused
from ..reader.memory import Copy, Fault, Gone, Memory, Miss, Source
from ..reader.namer import Heads, Namer
from ..reader.one_stack import Moved, OneStack
from ..reader.reread import Rereader
from ..reader.target import Target
from ..reader.thread_state import SCHEDSTAT, SYSCALL, WCHAN, counters_of, is_off, state_of, turns_of
from ..reader.waits import is_restarted, resolved
from .kernel_thread import Hidden, KernelThread
from .reasons import Calls, Why
from .recording import CPU, FAULT, GIL, OTHER, STOPPED

# Read above the stack's top too: where a thread goes deeper, the plan still holds.
_MARGIN = 8192
_MOST_MISSED = 2
_LOOKS_WITHIN = 200
_LOOKS_AT_NEW = 10
_RUN_SECONDS = 0.002
_LATEST_SECONDS = 1.0
# Code whose head was read later than this after the frames may be another's by then.
_HEAD_SECONDS = 0.001


class Later(NamedTuple):
    """Frames that can be named only when their code has lived on while the thread ran: it alone would have freed it."""

    watched: "Watched"
    frames: List[Frame]
    cut: bool
    heads: Heads
    ran: float
    until: float


class Look(NamedTuple):
    """What a look found. Without ``why`` the thread moved on; without ``stack`` that comes ``later`` or never."""

    running: bool
    why: Optional[Why]
    stack: Optional[Stack]
    later: Optional[Later] = None


MOVED = Look(False, None, None)
PASSED = Look(True, None, None)


class Watched:
    """What is kept of a thread from look to look."""

    __slots__ = (
        "kernel", "python", "seen", "proven", "last", "plan", "data", "frames", "cut", "taken", "within",
        "volatile",
    )

    def __init__(self, kernel: KernelThread) -> None:
        self.kernel = kernel
        self.python: Optional[Thread] = None
        self.seen: Optional[bytes] = None
        self.proven: Optional[bytes] = None
        self.last: Optional[Look] = None
        # For so many more looks its frames, and their names, are looked for while it stands.
        self.within = 0
        self.volatile = 0
        self.forget()

    def forget(self) -> None:
        """Drop what was learned of the thread's memory."""
        self.plan: Optional[Plan] = None
        self.data = b""
        self.frames: List[Frame] = []
        self.cut = False
        self.taken: Optional[bool] = None

    def become(self, python: Optional[Thread]) -> None:
        """Take note of the thread's Python state, which may be another one than before."""
        if python != self.python:
            self.python = python
            self.proven = None
            self.forget()


class _Reaching(Source):
    """A copy; what lies outside of it is read from a thread that stands."""

    def __init__(self, copy: Copy, memory: Memory) -> None:
        self._copy = copy
        self._memory = memory
        self.missed = 0

    def read(self, address: int, size: int) -> bytes:
        try:
            return self._copy.read(address, size)
        except Miss:
            self.missed += 1
            return self._memory.read(address, size)


class Looker:
    """Looks at the threads of one target."""

    def __init__(self, target: Target, namer: Namer, hold: bool) -> None:
        self._memory = target.memory
        self._layout = target.layout
        self._namer = namer
        self._gils = target.gils
        self._frames = FrameReader(target.memory, target.layout, target.gils)
        self._rereader = Rereader(target.memory, target.layout, self._frames, namer.most)
        self._calls = Calls()
        self._one_stack = OneStack(target.memory, self._frames, namer.most)
        self._hold = hold
        self._lines = True
        # By the leader's state: a stop is the whole process's.
        self.stopped = False
        self.stale = False
        self.counted = True
        self.not_held = "" if hold else "it was not to be"
        self.locks_unknown = False

    @property
    def longest(self) -> Optional[float]:
        """For how many microseconds a thread stood at most; None where none was held."""
        return self._one_stack.longest

    def look(self, watched: Watched) -> Optional[Look]:
        """Look at a thread; None when it ended."""
        kernel = watched.kernel
        turns = kernel.read(SCHEDSTAT, 96)
        if turns is None:
            return None
        watched.seen = turns
        if turns == watched.proven:
            # It has not run since the last look proved it idle.
            return watched.last
        watched.proven = None
        line = wchan = None
        if self._lines:
            try:
                line = kernel.read(SYSCALL)
                if line is None:
                    return None
            except Hidden:
                # Its owner's alone, or not in this kernel; that stays so for all threads.
                self._lines = False
        if line is None:
            try:
                wchan = kernel.read(WCHAN)
                if wchan is None:
                    return None
            except Hidden:
                pass
        off = is_off(line, wchan)
        if off is None:
            # Nothing is proven, and no stack had: the letter alone says what is left out.
            state = state_of(kernel.letter())
            return None if state is None else PASSED if state == "running" else MOVED
        return self._off(watched, turns, line, wchan) if off else self._running(watched, turns)

    def finish(self) -> List[int]:
        """Let go of what is still held; return the threads that cannot be yet."""
        return self._one_stack.settle()

    # Waiting

    def _off(
        self, watched: Watched, turns: bytes, line: Optional[bytes], wchan: Optional[bytes]
    ) -> Optional[Look]:
        kernel = watched.kernel
        begun = time.monotonic()
        taken = self._idle(watched) if watched.python is not None else (None, False, None)
        if kernel.read(SCHEDSTAT, 96) != turns:
            return MOVED
        if turns_of(turns) is None:
            # Not counted by this kernel, so nothing can be proven.
            self.counted = False
            return MOVED
        frames, cut, gil_taken = taken
        if frames is None and watched.python is not None:
            # It stands, and yet its state cannot be read: it is another one's by now.
            self.stale = True
        why = self._why(watched, line, wchan, gil_taken)
        if why is None:
            return None
        stack: Optional[Stack] = () if watched.python is None else None
        if frames is not None:
            stack = self._namer.stack(frames, cut, lambda: kernel.read(SCHEDSTAT, 96) == turns)
            if stack is None:
                heads = self._heads(watched, frames, begun)
                return MOVED if heads is None else Look(False, why, None, _later(watched, frames, cut, turns, heads))
        watched.proven = turns
        watched.last = Look(False, why, stack)
        return watched.last

    def _idle(self, watched: Watched) -> Tuple[Optional[List[Frame]], bool, Optional[bool]]:
        """The frames of a thread that waits, or did a moment ago; whether they were cut; whether its GIL is taken."""
        thread = watched.python
        assert thread is not None
        try:
            plan, data = self._copied(watched, thread)
            if data == watched.data:
                return watched.frames, watched.cut, watched.taken
            watched.data = b""
            copy = plan.copy(data)
            source = _Reaching(copy, self._memory)
            most = self._namer.most
            frames = self._frames.chain(source, thread, most=most)
        except (Fault, Miss):
            watched.forget()
            return None, False, None
        taken = self._gils.taken(thread, copy) if self._gils.of(thread) else None
        if source.missed > _MOST_MISSED:
            watched.plan = None
        elif not source.missed:
            watched.data, watched.frames, watched.cut, watched.taken = data, frames, len(frames) >= most, taken
        return frames, len(frames) >= most, taken

    def _copied(self, watched: Watched, thread: Thread) -> Tuple[Plan, bytes]:
        for _ in range(2):
            if watched.plan is None:
                watched.plan = self._one_stack.plan(thread, _MARGIN)
            data = self._memory.read_batch(watched.plan.batch)
            if data is not None:
                return watched.plan, data
            watched.plan = None
        raise Fault("the stack moved")

    def _why(
        self, watched: Watched, line: Optional[bytes], wchan: Optional[bytes], gil_taken: Optional[bool]
    ) -> Optional[Why]:
        """The reason of a thread that waits; None when it ended."""
        kernel = watched.kernel
        gils = self._gils.of(watched.python) if watched.python is not None else self._gils.all()
        if line is not None and is_restarted(line):
            wchan = kernel.read_if_shown(WCHAN)
            line = resolved(line, (wchan or b"").decode("ascii", "replace"))
        why = self._calls.by_line(line, gils) if line is not None else None
        if why is not None and why.reason == FAULT:
            letter = kernel.letter()
            if letter in "ZX":
                return None
            return why if letter == "D" else Why(STOPPED if letter in "Tt" else OTHER, None)
        if self.stopped:
            return Why(STOPPED, None)
        if why is None:
            if wchan is None:
                wchan = kernel.read_if_shown(WCHAN)
            why = self._calls.by_function((wchan or b"").decode("ascii", "replace"), gil_taken)
            if why.reason == OTHER and why.call == "futex":
                self.locks_unknown = True
        return why

    # Running

    def _running(self, watched: Watched, turns: bytes) -> Optional[Look]:
        thread = watched.python
        if thread is None:
            return Look(True, Why(CPU, None), ())
        if not self._hold:
            begun = time.monotonic()
            frames = self._reread(thread)
            if frames is None:
                return PASSED
            return self._ran(watched, frames[0], frames[1], False, turns, begun)
        try:
            return self._held(watched, thread, turns)
        except (Miss, Moved):
            watched.forget()
            watched.within = _LOOKS_WITHIN
            return PASSED
        except Fault:
            watched.forget()
            self.stale = True
            return PASSED
        except Gone:
            return None
        except Refused as refused:
            if refused.number == errno.EPERM and watched.kernel.letter() in "ZX":
                return None
            if refused.number != errno.ETIMEDOUT:
                self._hold = False
                self.not_held = str(refused)
            return PASSED

    def _held(self, watched: Watched, thread: Thread, turns: bytes) -> Optional[Look]:
        if watched.plan is None:
            watched.plan = self._one_stack.plan(thread, _MARGIN)
            watched.data = b""
        plan, memory, kernel, most = watched.plan, self._memory, watched.kernel, self._namer.most
        within = watched.within > 0 or watched.volatile > 0 or self._layout.heap_frames

        def more() -> Any:
            after = kernel.read(SCHEDSTAT, 96)
            line = kernel.read_if_shown(SYSCALL) if turns_of(after) != turns_of(turns) else None
            stood = time.monotonic()
            if not within:
                return after, line, None, None, None, None, stood
            # Some of its frames lie where no plan finds them, or their code does not live long.
            copy = plan.copy(memory.take(plan.batch))
            frames = self._frames.chain(_Reaching(copy, memory), thread, most=most)
            if watched.volatile > 0:
                return after, line, copy, frames, self._namer.stack(frames, len(frames) >= most, _yes), None, stood
            return after, line, copy, frames, None, self._namer.note(frames), stood

        (after, line, copy, frames, stack, noted, stood), _ = self._one_stack.copy(thread.tid, plan.batch, more)
        if turns_of(after) != turns_of(turns) and (line is None or self._calls.may_wait(line)):
            return PASSED
        if frames is None:
            copy = plan.copy(memory.take(plan.batch))
            frames = self._frames.chain(copy, thread, most=most)
        else:
            watched.within -= 1
            watched.volatile -= 1
        holds = self._gils.held(thread, copy) != 0
        return self._ran(watched, frames, len(frames) >= most, holds, after, stood, stack, noted)

    def _ran(
        self,
        watched: Watched,
        frames: List[Frame],
        cut: bool,
        holds: bool,
        turns: Optional[bytes],
        begun: float,
        stack: Optional[Stack] = None,
        noted: Optional[Tuple[Heads, Set[int]]] = None,
    ) -> Look:
        if stack is None and (noted is None or not noted[1]):
            stack = self._namer.stack(frames, cut, _no)
        if stack is not None:
            return Look(True, Why(CPU, GIL if holds else None), stack)
        heads = noted[0] if noted is not None else self._heads(watched, frames, begun)
        if heads is None:
            return PASSED
        return Look(True, Why(CPU, GIL if holds else None), None, _later(watched, frames, cut, turns, heads))

    def _heads(self, watched: Watched, frames: List[Frame], begun: float) -> Optional[Heads]:
        """What lies where the code of frames did that were read at ``begun`` from a thread that runs on.

        None if late.
        """
        # Where there is code that is new there may be more: its heads are read while the thread stands.
        watched.within = max(watched.within, _LOOKS_AT_NEW)
        heads = self._namer.heads(frames)
        return heads if time.monotonic() - begun <= _HEAD_SECONDS else None

    @staticmethod
    def has_run(later: Later) -> bool:
        """Say whether the frames of an earlier look can be named by now."""
        return time.monotonic() >= later.until or _cpu(later.watched.kernel.read(SCHEDSTAT, 96)) >= later.ran

    def name(self, later: Later) -> Stack:
        """Name frames of an earlier look."""
        doubts = self._namer.doubts
        stack = self._namer.stack(later.frames, later.cut, _no, later.heads)
        if self._namer.doubts != doubts:
            later.watched.volatile = _LOOKS_WITHIN
        return stack or ()

    def _reread(self, thread: Thread) -> Optional[Tuple[List[Frame], bool]]:
        try:
            found = self._rereader.read(thread)
            return found[:2] if found is not None else None
        except (Fault, Miss):
            self.stale = True
            return None


def _later(watched: Watched, frames: List[Frame], cut: bool, schedstat: Optional[bytes], heads: Heads) -> Later:
    """Frames to be named by what lay there when they were read."""
    return Later(watched, frames, cut, heads, _cpu(schedstat) + _RUN_SECONDS, time.monotonic() + _LATEST_SECONDS)


def _cpu(schedstat: Optional[bytes]) -> float:
    counters = counters_of(schedstat)
    return counters.cpu if counters is not None else 0.0


def _no() -> bool:
    return False


def _yes() -> bool:
    return True
