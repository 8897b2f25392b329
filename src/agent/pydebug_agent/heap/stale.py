"""Words that look like references and hold nothing: weak and borrowed ones, and what a block held before."""

from __future__ import annotations

import struct
from typing import Optional

from ..reader.memory import Fault
from .kinds import ATOMS, BYTES, DICT, EXCEPTION, INLINE_VALUES, INT, MANAGED_DICT, TUPLE, TYPE, Kind
from .subject import Subject
from .tables import shape_of

_GENERATORS = frozenset(("generator", "coroutine", "async_generator"))
# Of a frame that is an object: f_back, f_code, f_builtins, f_globals, f_locals. That of its generator is borrowed.
_IN_GENERATOR = frozenset(("frame", "code", "str", "tuple", "function"))
_FRAME_FIELDS = (24, 32, 40, 48, 56)
_VALUE_STACK = 64
_MOST_LOCALS = 1 << 16
_TYPE_DICT = 248
# The names of a code's variables and their kinds.
_CODE_TABLES = (96, 104)
# Of a generator, up to 3.9, in 3.10, in 3.11 and later: its frame or code, names, exception, origin.
_GENERATOR_FIELDS = (
    (16, 32, 48, 56, 64, 72, 80, 96), (16, 24, 40, 48, 56, 64, 72, 88), (16, 32, 40, 48, 64), (24, 32, 40, 56),
)
# So far before a generator's frame stands in which state it is.
_STATE = 5
_BLOCK_WORDS = 66
# The least that a deque with its blocks for reuse takes.
_DEQUE = 200
_SMALL_TABLE = 128
_MOST_KEYS = 1 << 26


class Stale:
    """Judges places of objects and of their tables."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._layout = subject.layout
        self._minor = subject.minor
        self._u64 = subject.pages.u64
        self._read = subject.pages.read

    def holds(self, address: int, kind: Kind, place: int, held: Optional[Kind]) -> bool:
        """Say whether a word of an object keeps alive what it points to, an object of type ``held`` or a table."""
        offset = place - address
        header = self._layout.header
        if kind.name in ATOMS:
            return False
        if kind.name.startswith("weakref") or kind.name == "weakproxy":
            return offset == header + 8
        if offset < 0:
            # The collector's links, and from 3.12 on the list of weak references; what is left is a dict or values.
            links = offset >= -16 or self._minor >= 12 and offset == -32
            return not links and (held.has(DICT) if held is not None else self._minor in (11, 12))
        if offset < header:
            return False
        try:
            return self._within(address, kind, offset, held)
        except Fault:
            return False

    def _within(self, address: int, kind: Kind, offset: int, held: Optional[Kind]) -> bool:
        layout, header = self._layout, self._layout.header
        if kind.name == "code" and self._minor >= 11:
            # The caches of the bytecode borrow, and other fields are no objects.
            return offset in self._subject.kinds.members_of(kind) or offset in _CODE_TABLES
        if kind.name == "frame":
            return self._in_frame(address, kind, offset)
        if kind.short in _GENERATORS:
            # Only a coroutine knows where it was made.
            if held is not None and held.name == "tuple" and kind.short != "coroutine":
                if offset < layout.generator_frame:
                    return False
            return self._in_generator(address, offset, held)
        if kind.basic >= _DEQUE and shape_of(self._subject.kinds, kind) == "deque" and offset < _DEQUE:
            # Behind these are blocks that it keeps for reuse.
            return offset in (header + 8, header + 16)
        if kind.name in ("set", "frozenset"):
            # The small table within it is left as it was when a larger one took its place.
            small = header + 48
            table = self._u64(address + header + 24)
            return offset == header + 24 or small <= offset < small + _SMALL_TABLE and table == address + small
        if kind.has(TUPLE):
            return offset < kind.basic or (offset - layout.tuple_item) // 8 < self._u64(address + header)
        if kind.has(INT) or kind.has(BYTES):
            # Nothing but, of a subclass, the dict behind the digits.
            items = self._u64(address + header)
            items = items >> 3 if kind.has(INT) and self._minor >= 12 else min(items, -items & (1 << 64) - 1)
            size = kind.basic + kind.item * min(items, _MOST_KEYS) + 7 & -8
            return offset == kind.dict_offset or kind.dict_offset < 0 and offset == size + kind.dict_offset
        if kind.has(TYPE):
            # Its bases and names are no part of a way to anything else.
            return offset == header + _TYPE_DICT or offset == layout.type_keys + 8
        if kind.has(INLINE_VALUES) and self._minor >= 13 and offset >= kind.basic:
            # How many values there are, and whether they are these: an instance may have a dict instead.
            head = self._read(address + kind.basic, 4)
            return bool(head[3]) and (offset - kind.basic - 8) // 8 < head[0]
        return bool(kind.item) or offset < kind.basic

    def _in_generator(self, address: int, offset: int, held: Optional[Kind]) -> bool:
        """Its list of weak references and the link between exceptions hold nothing, nor does a frame that was left."""
        layout, minor = self._layout, self._minor
        frame = layout.generator_frame
        if minor < 11 or offset < frame:
            # These are a frame, a code, names, an exception, where it was made: never something else.
            plain = held is None or held.name in _IN_GENERATOR or held.has(EXCEPTION)
            return plain and offset in _GENERATOR_FIELDS[0 if minor < 10 else min(minor, 12) - 9]
        within = offset - frame
        if within < layout.frame_locals:
            # Of the frame the code and the function.
            return held is not None and (
                within == layout.frame_code and held.name == "code"
                or within == layout.frame_code + 16 and held.name == "function"
            )
        if layout.frame_stackpointer < 0 and struct.unpack("<b", self._read(address + frame - _STATE, 1))[0] > 0:
            return False
        return self._below_top(address + frame, within)

    def _in_frame(self, address: int, kind: Kind, offset: int) -> bool:
        layout, header = self._layout, self._layout.header
        if self._minor < 11:
            if offset < layout.frame_locals:
                return offset in _FRAME_FIELDS
            # Behind the locals lies the value stack; while the frame runs its height is not known.
            stack = self._u64(address + _VALUE_STACK)
            if self._minor < 10:
                top = self._u64(address + _VALUE_STACK + 8)
            else:
                depth, = struct.unpack("<i", self._read(address + _VALUE_STACK + 16, 4))
                top = stack + 8 * depth if depth >= 0 else 0
            if not top:
                # One that has ended has no top either; it is told by another mark.
                running = self._minor >= 10 or self._read(address + layout.frame_instruction + 12, 1) == b"\1"
                return address + offset < stack or running
            return address + offset < max(stack, top)
        own = kind.basic - layout.frame_locals
        if offset < own:
            return offset == header or offset in self._subject.kinds.members_of(kind)
        # While its function runs the frame lies on the thread's stack, and here is what was there before.
        if self._u64(address + header + 8) != address + own:
            return False
        within = offset - own
        if within < layout.frame_locals:
            return within in (layout.frame_code, layout.frame_code + 16, layout.frame_code + 24)
        # Its function has ended, and with it its evaluation stack.
        names = self._u64((self._u64(address + own + layout.frame_code) & ~7) + _CODE_TABLES[0])
        return (within - layout.frame_locals) // 8 < min(self._u64(names + header), _MOST_LOCALS)

    def _below_top(self, frame: int, within: int) -> bool:
        """Whether a frame's slot lies below the top of its evaluation stack. While it runs the top is not known."""
        layout = self._layout
        if layout.frame_stackpointer > 0:
            return frame + within < self._u64(frame + layout.frame_stackpointer)
        top, = struct.unpack("<i", self._read(frame + layout.frame_stacktop, 4))
        return top < 0 or (within - layout.frame_locals) // 8 < top

    def live(self, owner: int, kind: Kind, table: int, size: int, place: int) -> bool:
        """Say whether a place of an object's table is in use; what lies behind its length is left from before."""
        try:
            return self._in_use(owner, kind, table, size, place)
        except (Fault, struct.error):
            return False

    def _in_use(self, owner: int, kind: Kind, table: int, size: int, place: int) -> bool:
        header = self._layout.header
        shape = shape_of(self._subject.kinds, kind)
        if shape == "list":
            items, length = self._u64(owner + header + 8), self._u64(owner + header)
            return table <= items < table + size and 0 <= (place - items) // 8 < length
        if shape == "dict":
            keys, values = struct.unpack("<QQ", self._read(owner + header + 16, 16))
            if table <= keys < table + size:
                return self.in_keys(keys, place)
            # Values apart from their keys: there may be room for more than there are names.
            return table <= values < table + size and 0 <= self.value_index(values, place) < self._entry_count(keys)
        if shape == "set":
            return True
        if shape == "deque":
            left, right, first, last = struct.unpack("<QQQQ", self._read(owner + header + 8, 32))
            index = (place - table) // 8 - 1
            if table == left and index < first or table == right and index > last:
                return False
            return 0 <= index < _BLOCK_WORDS - 2
        if kind.has(MANAGED_DICT) and self._minor in (11, 12):
            values = self._u64(owner - (32 if self._minor == 11 else 24))
            values += values & 1
            if table <= values < table + size:
                keys = self._u64(kind.address + self._layout.type_keys)
                return 0 <= self.value_index(values, place) < self._entry_count(keys)
        return True

    def in_keys(self, keys: int, place: int) -> bool:
        """Say whether a place lies in an entry of a dict's keys that is in use."""
        first, step, _ = self.entries(keys)
        return place >= first and (place - first) // step < self._entry_count(keys)

    def value_index(self, values: int, place: int) -> int:
        """Return which of an instance's values a place of them is."""
        return (place - values) // 8 - (1 if self._minor >= 13 else 0)

    def _entry_count(self, keys: int) -> int:
        return min(self._u64(keys + (32 if self._minor < 11 else 24)), _MOST_KEYS)

    def entries(self, keys: int) -> "tuple[int, int, int]":
        """Return where the entries of a dict's keys begin, how long one is, and where in it the key stands."""
        if self._minor < 11:
            size = self._u64(keys + 8)
            width = 1 if size <= 0xFF else 2 if size <= 0xFFFF else 4 if size <= 0xFFFFFFFF else 8
            return keys + 40 + size * width, 24, 8
        head = self._read(keys, 16)
        # Tables with str keys alone do not keep the hashes.
        return keys + 32 + (1 << min(head[9], 40)), 24 if head[10] == 0 else 16, 8 if head[10] == 0 else 0

    def length(self, address: int, kind: Kind) -> Optional[int]:
        """Return how many items a container holds now; None for what is no container."""
        shape = shape_of(self._subject.kinds, kind)
        try:
            if shape in ("list", "dict", "deque"):
                return self._u64(address + self._layout.header)
            if shape == "set":
                return self._u64(address + self._layout.header + 8)
        except Fault:
            pass
        return None
