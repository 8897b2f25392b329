"""Where a thread's frames lie, and the chain of them within one copy."""

from __future__ import annotations

import struct
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from .layouts import Layout
from .memory import Batch, Blocks, Copy, Fault, Memory, Miss, Range, Source

OWNED_BY_INTERPRETER = 3
MOST_FRAMES = 20000
_MOST_CHUNKS = 1 << 16
_MOST_STACK = 1 << 20
_FEW_STACK = 200 << 10
_MOST_EXTRA = 12000
_CHUNK_HEADER = 24
# Less than a page: what lies between two neighbours can be read where they can.
_GAP = 1024
# A thread state holds a frame of its own from 3.15 on.
_STATE_SPAN = 1 << 16
_MOST_WALKED = 200_000
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
    """A thread state and what identifies it; ``more`` are those that the same thread has in other interpreters."""

    address: int
    interpreter: int
    ident: int
    tid: int
    more: Tuple["Thread", ...] = ()

    @property
    def states(self) -> Tuple["Thread", ...]:
        """All of the thread's states, this one first."""
        return (self,) + self.more


class Gils:
    """The locks of a process's interpreters, by the interpreter's address; 0 where it has none."""

    def __init__(self) -> None:
        self.addresses: Dict[int, int] = {}

    def of(self, thread: Thread) -> List[int]:
        """Return the locks that a thread can wait for."""
        found = [self.addresses.get(state.interpreter, 0) for state in thread.states]
        return list(dict.fromkeys([gil for gil in found if gil]))

    def all(self) -> List[int]:
        """Return all locks."""
        return list(dict.fromkeys([gil for gil in self.addresses.values() if gil]))

    def held(self, thread: Thread, copy: Source) -> int:
        """Return the lock that a thread holds by a copy made with its plan, 0 where it holds none."""
        for state in thread.states:
            gil = self.addresses.get(state.interpreter, 0)
            if gil:
                holder, locked = struct.unpack("<Qi", copy.read(gil + 8, 12))
                if holder == state.address and locked > 0:
                    return gil
        return 0

    def taken(self, thread: Thread, copy: Source) -> bool:
        """Say whether anybody holds one of the locks that a thread can wait for."""
        return any(struct.unpack("<i", copy.read(gil + 16, 4))[0] > 0 for gil in self.of(thread))


class Plan:
    """The ranges that hold one thread's frames, packed for reading; ``beyond`` is what was too much to be read."""

    __slots__ = ("thread", "chunks", "beyond", "extra", "batch", "table")

    def __init__(
        self,
        layout: Layout,
        thread: Thread,
        gils: Sequence[int],
        chunks: List[Range],
        beyond: List[Range],
        extra: Dict[int, int],
    ) -> None:
        self.thread = thread
        self.chunks = chunks
        self.beyond = beyond
        self.extra = extra
        ranges: List[Range] = [(state.address, layout.thread_bytes) for state in thread.states]
        ranges += [(gil + 8, 16) for gil in gils]
        ranges += chunks + _merged(extra)
        self.batch = Batch(ranges)
        self.table: List[Tuple[int, int, int]] = []
        place = 0
        for start, size in ranges:
            self.table.append((start, size, place))
            place += size
        self.table.sort()

    def copy(self, data: bytes, base: int = 0) -> Copy:
        """Return the copied ranges, addressable as in the target."""
        return Copy(data[base : base + self.batch.total], self.table)


class FrameReader:
    """Plans, copies and parses the frames of threads."""

    def __init__(self, memory: Memory, layout: Layout, gils: Gils) -> None:
        self._memory = memory
        self._layout = layout
        self._gils = gils

    def plan(self, thread: Thread, margin: int, most: int = MOST_FRAMES) -> Plan:
        """Learn where the frames lie now; ``margin`` bytes above the stack's top are read too.

        Where ``most`` frames are enough, what lies further out is left out of the plan.
        """
        layout, memory = self._layout, self._memory
        states = [memory.read(state.address, layout.thread_bytes) for state in thread.states]
        chunks: List[Range] = []
        beyond: List[Range] = []
        if not layout.heap_frames:
            for state in states:
                self._chunks(state, margin, _MOST_STACK if most > 1000 else _FEW_STACK, chunks, beyond)
        gils = self._gils.of(thread)
        plan = Plan(layout, thread, gils, chunks, beyond, {})
        data = memory.read_batch(plan.batch)
        if data is None:
            raise Fault("the stack of thread %d moved" % thread.tid)
        copy = plan.copy(data)
        extra: Dict[int, int] = {}
        for state in states:
            self._outside(copy, state, most, beyond, extra)
        return Plan(layout, thread, gils, chunks, beyond, extra) if extra else plan

    def _chunks(self, state: bytes, margin: int, most: int, chunks: List[Range], beyond: List[Range]) -> None:
        """Collect the pieces of a thread's stack, innermost first: those to be read, and the rest."""
        place = self._layout.thread_chunk
        chunk, top = struct.unpack_from("<QQ", state, place)
        first, left = True, most
        for _ in range(_MOST_CHUNKS):
            if not chunk:
                break
            previous, size, used = struct.unpack("<QQQ", self._memory.read(chunk, _CHUNK_HEADER))
            if not 4096 <= size <= 1 << 30 or size & 4095:
                break
            if first and chunk <= top <= chunk + size:
                wanted = top - chunk + margin
            else:
                wanted = _CHUNK_HEADER + 8 * used
            wanted = min(size, max(wanted, _CHUNK_HEADER))
            taken = min(wanted, left)
            if taken:
                chunks.append((chunk + wanted - taken, taken))
            if taken < wanted:
                beyond.append((chunk, wanted - taken))
            first, left, chunk = False, left - taken, previous

    def _outside(self, copy: Copy, state: bytes, most: int, beyond: List[Range], extra: Dict[int, int]) -> None:
        """Add what the chain visits outside the chunks: frames of generators and C stacks, all of 3.8 to 3.10."""
        layout, memory = self._layout, self._memory
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
                if _covered(beyond, frame):
                    break
                extra[frame] = layout.frame_bytes
                frame = memory.u64(frame + layout.frame_previous)

    def widen(self, plan: Plan, miss: Miss) -> Optional[Plan]:
        """Return the plan with what was missed, and the frames below it. What was learned before stays."""
        layout = self._layout
        extra = dict(plan.extra)
        if miss.size != layout.frame_bytes:
            extra[miss.address] = miss.size
        else:
            frame = miss.address
            try:
                while frame and frame not in extra and len(extra) < _MOST_EXTRA:
                    if _covered(plan.chunks, frame) or _covered(plan.beyond, frame):
                        break
                    following = self._memory.u64(frame + layout.frame_previous)
                    extra[frame] = layout.frame_bytes
                    frame = following
            except Fault:
                pass
        if len(extra) == len(plan.extra) or len(extra) >= _MOST_EXTRA:
            return None
        return Plan(layout, plan.thread, self._gils.of(plan.thread), plan.chunks, plan.beyond, extra)

    def parse(self, plan: Plan, copy: Copy, most: int = 0) -> Tuple[List[Frame], bool]:
        """Return the chain within one copy, innermost first, and whether there is more of it further out.

        Miss where a frame lies outside of what was planned.
        """
        return self._chains(copy, plan.thread, 0, most, plan.beyond)

    def chain(self, copy: Source, thread: Thread, last: int = 0, most: int = 0) -> List[Frame]:
        """Return a thread's frames as a source shows them, innermost first.

        The frame at ``last`` ends them; so does, where ``most`` is given, that many frames.
        """
        return self._chains(copy, thread, last, most, ())[0]

    def count(self, thread: Thread, source: Source, most: int) -> int:
        """Return how many frames of Python functions a thread has, up to ``most``, by a look that proves nothing."""
        size, previous = self._layout.frame_bytes, self._layout.frame_previous
        total = looked = 0
        try:
            for state in thread.states:
                address = self._innermost(source, state)
                while address and looked < 2 * most:
                    data = source.read(address, size)
                    looked += 1
                    total += self._is_function(data)
                    address = _U64(data, previous)[0]
        except Fault:
            # It went on: that many there were at least.
            pass
        return total

    def _chains(
        self, copy: Source, thread: Thread, last: int, most: int, beyond: Sequence[Range]
    ) -> Tuple[List[Frame], bool]:
        if not thread.more:
            return self._one_chain(copy, thread, last, most, beyond)
        # In whatever interpreter, it is one thread: what it entered last lies deepest on its stack.
        parts: List[Tuple[int, List[Frame], bool]] = []
        for state in thread.states:
            part, cut = self._one_chain(copy, state, last, most, beyond)
            if part:
                parts.append((self._depth(copy, state, part, cut), part, cut))
        frames: List[Frame] = []
        for _, part, cut in sorted(parts, key=lambda entry: entry[0]):
            frames += part
            if cut or (most and len(frames) >= most) or (last and part[-1].address == last):
                return (frames[:most] if most else frames), not last
        return frames, False

    def _depth(self, copy: Source, state: Thread, frames: List[Frame], cut: bool) -> int:
        """How deep on the C stack a state's innermost call of the interpreter is: the less the deeper."""
        layout = self._layout
        if layout.thread_cframe >= 0:
            return int(_U64(copy.read(state.address, layout.thread_bytes), layout.thread_cframe)[0])
        entry = next((frame.address for frame in frames if self._is_entry(frame, state)), 0)
        if entry or not cut:
            return entry or 1 << 64
        # Functions that call each other need no further call of it, however many they are.
        source = Blocks(self._memory)
        frame = frames[-1]
        try:
            for _ in range(_MOST_WALKED):
                address = source.u64(frame.address + layout.frame_previous)
                if not address:
                    break
                frame = self.frame(address, source.read(address, layout.frame_bytes))
                if self._is_entry(frame, state):
                    return frame.address
        except Fault:
            pass
        return 1 << 64

    @staticmethod
    def _is_entry(frame: Frame, state: Thread) -> bool:
        return frame.owner >= OWNED_BY_INTERPRETER and not 0 <= frame.address - state.address < _STATE_SPAN

    def _innermost(self, copy: Source, thread: Thread) -> int:
        layout = self._layout
        state = copy.read(thread.address, layout.thread_bytes)
        self._same_thread(thread, state)
        if layout.thread_cframe >= 0:
            record = _U64(state, layout.thread_cframe)[0]
            return int(_U64(copy.read(record, 16), layout.cframe_frame)[0])
        return int(_U64(state, layout.thread_frame)[0])

    def _one_chain(
        self, copy: Source, thread: Thread, last: int, most: int, beyond: Sequence[Range]
    ) -> Tuple[List[Frame], bool]:
        layout = self._layout
        address = self._innermost(copy, thread)
        frames: List[Frame] = []
        size = layout.frame_bytes
        while address:
            if len(frames) >= MOST_FRAMES:
                raise Fault("more than %d frames" % MOST_FRAMES)
            try:
                data = copy.read(address, size)
            except Miss:
                if frames and _covered(beyond, address):
                    return frames, True
                raise
            frames.append(self.frame(address, data))
            if address == last:
                break
            address = _U64(data, layout.frame_previous)[0]
            if len(frames) == most:
                return frames, address != 0
        return frames, False

    def _is_function(self, data: bytes) -> bool:
        layout = self._layout
        if not _U64(data, layout.frame_code)[0] & ~7:
            return False
        return layout.heap_frames or data[layout.frame_owner] < OWNED_BY_INTERPRETER

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


def _covered(ranges: Sequence[Range], address: int) -> bool:
    return any(start <= address < start + size for start, size in ranges)


def _merged(extra: Dict[int, int]) -> List[Range]:
    """Neighbours become one range: fewer ranges are fewer microseconds of a hold."""
    result: List[Range] = []
    for start in sorted(extra):
        end = start + extra[start]
        if result and start - (result[-1][0] + result[-1][1]) <= _GAP:
            first, size = result[-1]
            result[-1] = (first, max(size, end - first))
        else:
            result.append((start, end - start))
    return result
