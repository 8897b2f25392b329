"""One stack of every thread: proven idle, held for one read, or read twice without a hold."""

from __future__ import annotations

import errno
from typing import Callable, Dict, List, NamedTuple, Optional, Tuple

from .codeobj import UNRESOLVED, Stack
from .frames import Frame, FrameReader, Plan, Thread
from .hold import Refused
from .memory import Batch, Blocks, Copy, Fault, Gone, Miss
from .namer import Heads, Namer
from .one_stack import OneStack, Parsed
from .reread import Rereader
from .target import Target
from .thread_state import Mark, Prover, state_of
from .waits import Waits

# Of each thread, the innermost; of twice as many frames half may be the interpreter's own.
MOST_SHOWN = 5000
_MOST_READ = 2 * MOST_SHOWN + 8
# Those looked for while a thread stands, which takes some microseconds for each.
_MOST_STANDING = 200
_TOGETHER = 200
_MOST_RANGES = 1024
_MOST_BYTES = 1 << 22
_IDLE_MARGIN = 512
_RUNNING_MARGIN = 16384
_PROOFS = 3
_NAMINGS = 4
# Holds for a copy alone, and then for looking at what was copied while the thread stands.
_QUICK_HOLDS = 3
_HOLDS = 5


class Taken(NamedTuple):
    """What was had of one thread. ``heads`` is what lay then where the code of its frames does."""

    frames: Optional[List[Frame]]
    how: str
    held: Optional[float]
    state: str
    waits_for: Optional[str]
    gil: Optional[bool]
    error: Optional[str]
    heads: Heads = {}
    places: Optional[Stack] = None
    cut: bool = False
    gil_address: int = 0


_Alike = Tuple[int, Tuple[Tuple[int, int, int], ...]]
_Found = Tuple[Copy, Parsed, Heads, Optional[Stack]]


class Taker:
    """Takes the stacks of a target's threads."""

    def __init__(self, target: Target, stop: bool) -> None:
        self._target = target
        self._stop = stop
        self._memory = target.memory
        self._gils = target.gils
        self._frames = FrameReader(target.memory, target.layout, target.gils)
        self._most = MOST_SHOWN if target.layout.heap_frames else _MOST_READ
        self._one_stack = OneStack(target.memory, self._frames, self._most)
        self._prover = Prover(target.proc, target.pid)
        self._waits = Waits(target.proc, target.pid, target.memory)
        self._rereader = Rereader(target.memory, target.layout, self._frames, self._most)
        self._namer = Namer(target.memory, target.layout, target.code_type, MOST_SHOWN)
        self._alike: Dict[_Alike, Tuple[Stack, Heads]] = {}

    def take(self, threads: List[Thread], tell: Callable[[int], None] = lambda done: None) -> Dict[Thread, Taken]:
        """Return what could be had of each thread; one that ended meanwhile is left out.

        ``tell`` is told how many have been read.
        """
        result = self._all_idle(threads)
        for thread in threads:
            if thread not in result:
                tell(len(result))
                taken = self._one(thread)
                if taken is not None:
                    result[thread] = taken
        tell(len(result))
        return result

    def name(self, thread: Thread, taken: Taken) -> Taken:
        """Return what was taken with the places of its frames, or a new stack of the thread with them.

        Code that is gone before its name was read has none; where that is so again and again, there are no frames.
        """
        for attempt in range(_NAMINGS):
            if taken.frames is None:
                return taken
            stack = taken.places if taken.places is not None else self._places(taken.frames, taken.heads)
            if stack is not None and UNRESOLVED not in stack:
                return taken._replace(places=stack)
            again = self._one(thread, named=True)
            if again is None:
                break
            taken = again._replace(held=max(filter(None, (taken.held, again.held)), default=None))
        return self._none(taken.state, "a frame of it could not be named", taken.held)

    def _places(self, frames: List[Frame], heads: Heads) -> Optional[Stack]:
        # Many threads of a pool wait at the same place; those that were read together are named together.
        key = (id(heads), tuple([(frame.code, frame.instruction, frame.tlbc) for frame in frames]))
        known = self._alike.get(key)
        if known is not None:
            return known[0]
        stack = self._namer.stack(frames, False, _no, heads)
        if stack is not None and UNRESOLVED not in stack:
            # With the heads, whose number is of use only while they are kept.
            self._alike[key] = (stack, heads)
        return stack

    def count(self, thread: Thread, most: int) -> int:
        """Return about how many frames a thread has, up to ``most``."""
        return self._frames.count(thread, Blocks(self._memory), most)

    def finish(self) -> List[int]:
        """Let go of what is still held; return the threads that cannot be yet."""
        return self._one_stack.settle()

    def _all_idle(self, threads: List[Thread]) -> Dict[Thread, Taken]:
        """The waiting threads, as many as go into one read at a time."""
        result: Dict[Thread, Taken] = {}
        group: List[Plan] = []
        ranges = size = 0
        for thread in threads:
            if not thread.tid:
                continue
            try:
                plan = self._one_stack.plan(thread, _IDLE_MARGIN)
            except (Fault, Miss):
                continue
            full = ranges + plan.batch.count > _MOST_RANGES or size + plan.batch.total > _MOST_BYTES
            if group and (full or len(group) >= _TOGETHER):
                self._idle_group(group, result)
                group, ranges, size = [], 0, 0
            group.append(plan)
            ranges += plan.batch.count
            size += plan.batch.total
        if group:
            self._idle_group(group, result)
        return result

    def _idle_group(self, plans: List[Plan], result: Dict[Thread, Taken]) -> None:
        marked: List[Tuple[Plan, Mark]] = []
        try:
            for plan in plans:
                mark = self._prover.mark(plan.thread.tid)
                if mark is not None:
                    marked.append((plan, mark))
            data = self._memory.read_batch(Batch.joined([plan.batch for plan, _ in marked])) if marked else None
            place = 0
            parsed: List[Tuple[Plan, Mark, Copy, Parsed]] = []
            for plan, mark in marked:
                if data is not None:
                    copy = plan.copy(data, place)
                    frames = self._one_stack.parsed(plan, copy)
                    if frames is not None:
                        parsed.append((plan, mark, copy, frames))
                place += plan.batch.total
            heads, _ = self._namer.note([frame for *_, (frames, _) in parsed for frame in frames])
            for plan, mark, copy, frames in parsed:
                taken = self._idle(plan, mark, copy, frames, heads)
                if taken is not None:
                    result[plan.thread] = taken
        finally:
            for _, mark in marked:
                self._prover.drop(mark)

    def _idle(self, plan: Plan, mark: Mark, copy: Copy, parsed: Parsed, heads: Heads) -> Optional[Taken]:
        """The stack of a marked thread, None when it has run since."""
        frames, cut = parsed
        reason = self._waits.reason(mark, self._gils.of(plan.thread))
        if not self._prover.held(mark):
            return None
        taken = Taken(frames, "idle", None, "idle", reason, None, None, heads, cut=cut)
        return self._with_gil(taken, plan.thread, copy)

    def _one(self, thread: Thread, named: bool = False) -> Optional[Taken]:
        """One thread that was not proven idle with the others. None when it ended.

        ``named`` reads the names, too, while a thread is held, which takes longer.
        """
        for _ in range(_PROOFS):
            taken = self._idle_alone(thread)
            if taken is not None:
                return taken
        state = self._state(thread)
        if state is None:
            return None
        if not self._stop:
            reread = self._rereader.read(thread, self._namer)
            if reread is None:
                return self._none(state, "it runs, and was not to be held")
            return Taken(reread[0], "reread", None, state, None, None, None, reread[2], cut=reread[1])
        if not thread.tid:
            return self._none(state, "its native thread is not known")
        return self._held(thread, state, named)

    def _idle_alone(self, thread: Thread) -> Optional[Taken]:
        mark = self._prover.mark(thread.tid) if thread.tid else None
        if mark is None:
            return None
        try:
            plan = self._one_stack.plan(thread, _IDLE_MARGIN)
            copy = self._one_stack.read(plan)
            parsed = self._one_stack.parsed(plan, copy)
            if parsed is None:
                return None
            return self._idle(plan, mark, copy, parsed, self._namer.note(parsed[0])[0])
        except (Fault, Miss):
            return None
        finally:
            self._prover.drop(mark)

    def _held(self, thread: Thread, state: str, named: bool) -> Optional[Taken]:
        plan: Optional[Plan] = None
        held = 0.0
        reason = "its frames could not be read"
        seen: List[Frame] = []
        for attempt in range(_QUICK_HOLDS if named else 0, _HOLDS):
            try:
                if attempt < _QUICK_HOLDS:
                    if plan is None:
                        plan = self._one_stack.plan(thread, _RUNNING_MARGIN)
                    copy, heads, lasted = self._copied(thread, plan, seen)
                    held = max(held, lasted)
                    (frames, cut), places = self._frames.parse(plan, copy, self._most), None
                    if not self._namer.covers(heads, frames):
                        seen += frames
                        continue
                else:
                    # Its frames keep moving: look for them while it stands, which takes longer.
                    found, lasted = self._one_stack.run(thread.tid, self._found(thread, named))
                    copy, (frames, cut), heads, places = found
                    held = max(held, lasted)
                taken = Taken(frames, "stopped", held, state, None, None, None, heads, places, cut)
                return self._with_gil(taken, thread, copy)
            except Miss as miss:
                plan = self._frames.widen(plan, miss) if plan else None
            except Fault as fault:
                plan = None
                reason = "its frames could not be read (%s)" % fault
            except Gone:
                return None
            except Refused as refused:
                if refused.number == errno.EPERM and self._state(thread) is None:
                    return None
                return self._none(state, str(refused))
        return None if self._state(thread) is None else self._none(state, reason, held or None)

    def _copied(self, thread: Thread, plan: Plan, seen: List[Frame]) -> Tuple[Copy, Heads, float]:
        """A copy of a thread's frames, and of the heads of the code that they had a moment before, or that was seen."""
        data = self._memory.read_batch(plan.batch)
        parsed = self._one_stack.parsed(plan, plan.copy(data)) if data is not None else None
        if parsed is not None:
            seen += parsed[0]
        heads = self._namer.batch(seen)
        whole = Batch.joined((plan.batch, heads.batch))
        _, lasted = self._one_stack.copy(thread.tid, whole, _yes)
        data = self._memory.take(whole)
        return plan.copy(data), heads.heads(data, plan.batch.total), lasted

    def _found(self, thread: Thread, named: bool) -> "Callable[[], _Found]":
        def read() -> "_Found":
            plan = self._frames.plan(thread, _IDLE_MARGIN, _MOST_STANDING)
            data = self._memory.read_batch(plan.batch)
            if data is None:
                raise Fault("the stack is not mapped")
            copy = plan.copy(data)
            frames, cut = self._frames.parse(plan, copy, _MOST_STANDING)
            places = self._namer.stack(frames, False, _yes) if named else None
            return copy, (frames, cut), self._namer.note(frames)[0], places

        return read

    def _with_gil(self, taken: Taken, thread: Thread, copy: Copy) -> Taken:
        """Say whether the thread held its lock by that copy; None stays where there is no lock."""
        if not self._gils.of(thread):
            return taken
        held = self._gils.held(thread, copy)
        return taken._replace(gil=held != 0, gil_address=held)

    def _state(self, thread: Thread) -> Optional[str]:
        """"running", "stopped" or "idle" by the kernel's letter, None when the thread is gone."""
        if not thread.tid:
            return "running"
        try:
            letter = self._target.proc.stat(self._target.pid, "task", thread.tid).state
        except (OSError, ValueError):
            return None
        return state_of(letter)

    def _none(self, state: str, reason: str, held: Optional[float] = None) -> Taken:
        return Taken(None, "none", held, state, None, None, reason)


def _no() -> bool:
    return False


def _yes() -> bool:
    return True
