"""Stacks of running threads without a hold: two copies in one call that must agree, or nothing."""

from __future__ import annotations

import struct
from typing import List, Optional, Tuple

from .frames import Frame, FrameReader, Plan, Thread
from .layouts import Layout
from .memory import Batch, Copy, Fault, Memory, Miss
from .namer import HeadBatch, Heads, Namer

_U64 = struct.Struct("<Q").unpack_from
_TRIES = 8
_MARGIN = 1024
_IOV_MAX = 1024


class Rereader:
    """Accepts a stack only when both copies show the same callers, byte by byte, and a leaf that is alive."""

    def __init__(self, memory: Memory, layout: Layout, frames: FrameReader, most: int) -> None:
        self._memory = memory
        self._layout = layout
        self._frames = frames
        self._most = most

    def read(self, thread: Thread, namer: Optional[Namer] = None) -> Optional[Tuple[List[Frame], bool, Heads]]:
        """Return a running thread's frames, and whether there are more; None when no two copies agreed.

        With a ``namer`` the heads of their code come with them, read between the two copies.
        """
        if self._layout.heap_frames or thread.more:
            # Frames of 3.8 to 3.10 are used again at once: two copies can agree on a stack that never was. And a thread
            # that changes between interpreters has several leaves.
            return None
        plan: Optional[Plan] = None
        seen: List[Frame] = []
        for attempt in range(_TRIES):
            try:
                if plan is None or attempt % 4 == 3:
                    plan = self._frames.plan(thread, _MARGIN, self._most)
                found = self._attempt(plan, namer, seen)
                if found is not None:
                    return found
            except Miss as miss:
                plan = self._frames.widen(plan, miss) if plan else None
            except Fault:
                plan = None
        return None

    def _attempt(
        self, plan: Plan, namer: Optional[Namer], seen: List[Frame]
    ) -> Optional[Tuple[List[Frame], bool, Heads]]:
        if namer is not None and not seen:
            seen += self._frames.parse(plan, self._copied(plan), self._most)[0]
        heads = namer.batch(seen) if namer is not None else HeadBatch(Batch(()), [])
        whole = Batch.joined([plan.batch, heads.batch, plan.batch, self._tail(plan)])
        if whole.count > _IOV_MAX:
            # More than one call would be more than one moment.
            return None
        data = self._memory.read_batch(whole)
        if data is None:
            raise Fault("the stack moved")
        place = plan.batch.total + heads.batch.total
        first, second = plan.copy(data), plan.copy(data, place)
        one, _ = self._frames.parse(plan, first, self._most)
        two, cut = self._frames.parse(plan, second, self._most)
        between = heads.heads(data, plan.batch.total)
        if namer is not None and not namer.covers(between, two):
            seen += two
            return None
        if not self._alive(one) or not self._alive(two) or not _agree(one, two):
            return None
        closing = data[place + plan.batch.total :]
        if not self._closed(plan, first, closing, two) or not self._same_callers(plan, first, second, two):
            return None
        return two, cut, between

    def _copied(self, plan: Plan) -> Copy:
        data = self._memory.read_batch(plan.batch)
        if data is None:
            raise Fault("the stack moved")
        return plan.copy(data)

    def _tail(self, plan: Plan) -> Batch:
        ranges = [(plan.thread.address, self._layout.thread_bytes)]
        ranges += [(address, size) for address, size in plan.extra.items() if size == 16]
        return Batch(ranges)

    def _alive(self, frames: List[Frame]) -> bool:
        if self._layout.minor >= 14:
            return all(frame.live for frame in frames)
        return not frames or frames[0].live

    def _closed(self, plan: Plan, first: Copy, closing: bytes, frames: List[Frame]) -> bool:
        """The thread state read last still names the same leaf and the same chunk of the stack."""
        layout = self._layout
        state = first.read(plan.thread.address, layout.thread_bytes)
        chunk = slice(layout.thread_chunk, layout.thread_chunk + 8)
        if state[chunk] != closing[chunk]:
            return False
        leaf = frames[0].address if frames else 0
        if layout.thread_cframe < 0:
            return bool(_U64(closing, layout.thread_frame)[0] == leaf)
        record = _U64(closing, layout.thread_cframe)[0]
        if record != _U64(state, layout.thread_cframe)[0]:
            return False
        place = layout.thread_bytes
        for address, size in plan.extra.items():
            if size == 16:
                if address == record:
                    return bool(_U64(closing, place + layout.cframe_frame)[0] == leaf)
                place += 16
        return False

    def _same_callers(self, plan: Plan, first: Copy, second: Copy, frames: List[Frame]) -> bool:
        """Callers do not change while a callee runs: all of their bytes, locals included, must agree."""
        if not frames:
            return True
        leaf = frames[0].address
        current, top = self._chunk(plan, first)
        for start, size in plan.chunks:
            if start == current:
                end = leaf if start <= leaf < start + size else top
                if start <= leaf < start + size and leaf >= top:
                    return False
                size = min(size, max(end - start, 0))
            if size and first.read(start, size) != second.read(start, size):
                return False
        return True

    def _chunk(self, plan: Plan, copy: Copy) -> Tuple[int, int]:
        state = copy.read(plan.thread.address, self._layout.thread_bytes)
        current, top = struct.unpack_from("<QQ", state, self._layout.thread_chunk)
        return current, top


def _agree(one: List[Frame], two: List[Frame]) -> bool:
    if len(one) != len(two) or one[1:] != two[1:]:
        return False
    # The leaf alone may have gone on to another instruction.
    return not one or one[0]._replace(instruction=0) == two[0]._replace(instruction=0)
