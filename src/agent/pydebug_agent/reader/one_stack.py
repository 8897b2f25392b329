"""One thread's stack from one moment: where its frames lie is found beforehand, and all of them are read in one call.

A thread that waits is proven by its turns not to have run meanwhile; one that runs is held for that one call.
"""

from __future__ import annotations

import time
from typing import Callable, List, Optional, Tuple, TypeVar

from .frames import Frame, FrameReader, Plan, Thread
from .hold import Holder
from .memory import Batch, Copy, Fault, Memory, Miss

Result = TypeVar("Result")
Parsed = Tuple[List[Frame], bool]


class Moved(Fault):
    """What was to be read lies elsewhere by now."""


class Standing:
    """Reads memory while a thread stands. Before each hold this process sleeps for ``pause`` seconds."""

    def __init__(self, memory: Memory, pause: float = 0.0) -> None:
        self._memory = memory
        self._pause = pause
        self._holder: Optional[Holder] = None
        # The longest that a thread stood, in microseconds.
        self.longest: Optional[float] = None

    def run(self, tid: int, action: Callable[[], Result]) -> Tuple[Result, float]:
        """Run ``action`` while the thread stands; return its result and for how many microseconds it stood at most."""
        if self._holder is None:
            self._holder = Holder()
        if self._pause:
            time.sleep(self._pause)
        result, lasted = self._holder.run(tid, action)
        self.longest = max(self.longest or 0.0, lasted)
        return result, lasted

    def copy(self, tid: int, batch: Batch, more: Callable[[], Result], rehearsed: bool = False) -> Tuple[Result, float]:
        """Read ``batch`` while the thread stands, and do ``more`` then; ``memory.take`` has what was read.

        ``rehearsed`` demands that it can be read beforehand. Raise Moved where it cannot.
        """
        memory = self._memory
        memory.load(batch)
        # Rehearsed: the first read of a range takes longer than the next, and the thread should not pay for it.
        if not memory.fire() and rehearsed:
            raise Moved("the stack moved")

        def act() -> Result:
            if not memory.fire():
                raise Moved("the stack moved")
            return more()

        return self.run(tid, act)

    def settle(self) -> List[int]:
        """Let go of what is still held; return the threads that cannot be yet."""
        return self._holder.settle() if self._holder else []


class OneStack(Standing):
    """Finds, copies and reads the frames of one thread at a time."""

    def __init__(self, memory: Memory, frames: FrameReader, most: int) -> None:
        super().__init__(memory)
        self._frames = frames
        self._most = most

    def plan(self, thread: Thread, margin: int) -> Plan:
        """Find where a thread's frames lie, and ``margin`` bytes more on both sides."""
        return self._frames.plan(thread, margin, self._most)

    def read(self, plan: Plan) -> Copy:
        """Copy what a plan names; raise Moved where it is not there any more."""
        data = self._memory.read_batch(plan.batch)
        if data is None:
            raise Moved("the stack moved")
        return plan.copy(data)

    def parsed(self, plan: Plan, copy: Copy) -> Optional[Parsed]:
        """Return the frames of a copy, and whether there are more; None where they lie elsewhere."""
        try:
            return self._frames.parse(plan, copy, self._most)
        except (Miss, Fault):
            return None
