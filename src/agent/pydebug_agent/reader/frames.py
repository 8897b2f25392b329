"""Where a thread's frames lie, and the chain of them within one copy."""

from __future__ import annotations

import struct
from typing import Dict, List, NamedTuple, Optional, Tuple

from .layouts import Layout
from .memory import Batch, Copy, Fault, Memory, Miss, Range, Source

OWNED_BY_INTERPRETER = 3
MOST_FRAMES = 20000
_MOST_CHUNKS = 400
_FEW_CHUNKS = 12
_MOST_EXTRA = 3000
_CHUNK_HEADER = 24
_U64 = struct.Struct("<Q").unpack_from
_U32 = struct.Struct("<I").unpack_from
_I32 = struct.Struct("<i").unpack_from


class Frame(NamedTuple):
    """A frame as the interpreter keeps it. ``live`` says that it runs or is suspended in a call, not left."""

    address: int
    code: int
    instruction: int
    owner: int
    tlbc: int
    live: bool


class Thread(NamedTuple):
    """A thread state and what identifies it."""

    address: int
    interpreter: int
    ident: int
    tid: int


class Plan:
    """The ranges that hold one thread's frames, packed for reading."""

    __slots__ = ("thread", "chunks", "extra", "batch", "table")

    def __init__(
        self, layout: Layout, thread: Thread, gil: int, chunks: List[Range], extra: Dict[int, int]
    ) -> None:
        self.thread = thread
        self.chunks = chunks
        self.extra = extra
        ranges: List[Range] = [(thread.address, layout.thread_bytes)]
        if gil:
            ranges.append((gil + 8, 16))
        ranges += chunks + _merged(extra)
        self.batch = Batch(ranges)
        self.table: List[Tuple[int, int, int]] = []
        place = 0
        for start, size in ranges:
            self.table.append((start, size, place))
            place += size

    def copy(self, data: bytes, base: int = 0) -> Copy:
        """Return the copied ranges, addressable as in the target."""
        return Copy(data[base : base + self.batch.total], self.table)


class FrameReader:
    """Plans, copies and parses the frames of threads."""

    def __init__(self, memory: Memory, layout: Layout) -> None:
        self._memory = memory
        self._layout = layout

    def plan(self, thread: Thread, gil: int, margin: int, most: int = MOST_FRAMES) -> Plan:
        """Learn where the frames lie now; ``margin`` bytes above the stack's top are read too.

        Where ``most`` frames are enough, what lies further out is left out of the plan.
        """
        layout, memory = self._layout, self._memory
        state = memory.read(thread.address, layout.thread_bytes)
        chunks: List[Range] = []
        if not layout.heap_frames:
            chunks = self._chunks(state, margin, _MOST_CHUNKS if most >= MOST_FRAMES else _FEW_CHUNKS)
        plan = Plan(layout, thread, gil, chunks, {})
        data = memory.read_batch(plan.batch)
        if data is None:
            raise Fault("the stack of thread %d moved" % thread.tid)
        extra = self._outside(plan.copy(data), state, most)
        return Plan(layout, thread, gil, chunks, extra) if extra else plan

    def _chunks(self, state: bytes, margin: int, most: int) -> List[Range]:
        place = self._layout.thread_chunk
        chunk, top = struct.unpack_from("<QQ", state, place)
        result: List[Range] = []
        while chunk and len(result) < most:
            previous, size, used = struct.unpack("<QQQ", self._memory.read(chunk, _CHUNK_HEADER))
            if not 4096 <= size <= 1 << 30 or size & 4095:
                break
            if not result and chunk <= top <= chunk + size:
                wanted = top - chunk + margin
            else:
                wanted = _CHUNK_HEADER + 8 * used
            result.append((chunk, min(size, max(wanted, _CHUNK_HEADER))))
            chunk = previous
        return result

    def _outside(self, copy: Copy, state: bytes, most: int) -> Dict[int, int]:
        """What the chain visits outside the chunks: frames of generators and C stacks, all of 3.8 to 3.10."""
        layout, memory = self._layout, self._memory
        extra: Dict[int, int] = {}
        if layout.thread_cframe >= 0:
            record = _U64(state, layout.thread_cframe)[0]
            extra[record] = 16
            frame = memory.u64(record + layout.cframe_frame)
        else:
            frame = _U64(state, layout.thread_frame)[0]
        for _ in range(most):
            if not frame:
                break
            try:
                frame = _U64(copy.read(frame, layout.frame_bytes), layout.frame_previous)[0]
            except Miss:
                extra[frame] = layout.frame_bytes
                frame = memory.u64(frame + layout.frame_previous)
        return extra

    def widen(self, plan: Plan, miss: Miss, gil: int) -> Optional[Plan]:
        """Return the plan with what was missed, and the frames below it. What was learned before stays."""
        layout = self._layout
        extra = dict(plan.extra)
        if miss.size != layout.frame_bytes:
            extra[miss.address] = miss.size
        else:
            frame = miss.address
            try:
                while frame and frame not in extra and len(extra) < _MOST_EXTRA and not _covered(plan.chunks, frame):
                    following = self._memory.u64(frame + layout.frame_previous)
                    extra[frame] = layout.frame_bytes
                    frame = following
            except Fault:
                pass
        if len(extra) == len(plan.extra) or len(extra) >= _MOST_EXTRA:
            return None
        return Plan(layout, plan.thread, gil, plan.chunks, extra)

    def parse(self, plan: Plan, copy: Copy) -> List[Frame]:
        """Return the chain within one copy, innermost first; Miss where a frame lies outside it."""
        return self.chain(copy, plan.thread)

    def chain(self, copy: Source, thread: Thread, last: int = 0, most: int = 0) -> List[Frame]:
        """Return a thread's frames as a source shows them, innermost first.

        The frame at ``last`` ends them; so does, where ``most`` is given, that many frames.
        """
        layout = self._layout
        state = copy.read(thread.address, layout.thread_bytes)
        self._same_thread(thread, state)
        if layout.thread_cframe >= 0:
            record = _U64(state, layout.thread_cframe)[0]
            address = _U64(copy.read(record, 16), layout.cframe_frame)[0]
        else:
            address = _U64(state, layout.thread_frame)[0]
        frames: List[Frame] = []
        size = layout.frame_bytes
        while address:
            if len(frames) >= MOST_FRAMES:
                raise Fault("more than %d frames" % MOST_FRAMES)
            data = copy.read(address, size)
            frames.append(self.frame(address, data))
            if address == last or len(frames) == most:
                break
            address = _U64(data, layout.frame_previous)[0]
        return frames

    def frame(self, address: int, data: bytes) -> Frame:
        """Return the frame whose first bytes are ``data``."""
        layout = self._layout
        code = _U64(data, layout.frame_code)[0]
        place = layout.frame_instruction
        if layout.heap_frames:
            mark = data[place + 12]
            # 3.8 and 3.9 keep f_executing, 3.10 a state in which 0 is executing.
            live = mark == 1 if layout.minor < 10 else mark == 0
            return Frame(address, code, _I32(data, place)[0], 0, 0, live)
        owner = data[layout.frame_owner]
        tlbc = _U32(data, layout.frame_tlbc)[0] if layout.free_threaded and layout.frame_tlbc >= 0 else 0
        code &= ~7
        if layout.minor >= 14:
            # A frame that was left has its code taken out.
            live = bool(code) or owner >= 2
        else:
            # The place of the stack's top holds -1 while a frame runs, and a count after it was left.
            live = owner > 1 or _I32(data, layout.frame_stacktop)[0] == -1
        return Frame(address, code, _U64(data, place)[0], owner, tlbc, live)

    def _same_thread(self, thread: Thread, state: bytes) -> None:
        # A thread state that was freed may be another thread's by now.
        layout = self._layout
        if _U64(state, layout.thread_ident)[0] != thread.ident:
            raise Fault("thread %d ended" % thread.tid)
        if _U64(state, layout.thread_interpreter)[0] != thread.interpreter:
            raise Fault("thread %d ended" % thread.tid)


def _covered(ranges: List[Range], address: int) -> bool:
    return any(start <= address < start + size for start, size in ranges)


def _merged(extra: Dict[int, int]) -> List[Range]:
    """Neighbours become one range: fewer ranges are fewer microseconds of a hold."""
    result: List[Range] = []
    for start in sorted(extra):
        end = start + extra[start]
        if result and start - (result[-1][0] + result[-1][1]) <= 256:
            first, size = result[-1]
            result[-1] = (first, max(size, end - first))
        else:
            result.append((start, end - start))
    return result
