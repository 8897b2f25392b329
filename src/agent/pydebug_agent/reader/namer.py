"""Names of stacks that are seen again and again, although code objects can be freed and their memory used again."""

from __future__ import annotations

import struct
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from .codeobj import INTERPRETER, UNRESOLVED, CodeReader, Place, Stack, is_shim, lives
from .frames import Frame
from .layouts import Layout
from .memory import Batch, Fault, Memory, Pages, Range

_MOST_CHECKS = 4096
_MOST_CODES = 50000
_MOST_HEAD = 512
_MOST_PART = 64
# The minor from which each code object has a number, among the bytes that are compared.
_NUMBERED = 12
_U64 = struct.Struct("<Q").unpack_from

# Of each code object the bytes that tell it from another one at its address; None where they could not be read.
Heads = Dict[int, Optional[bytes]]


class HeadBatch(NamedTuple):
    """A read of the heads of some code objects, to be made together with that of the frames."""

    batch: Batch
    sizes: List[Tuple[int, int]]

    def heads(self, data: bytes, place: int) -> Heads:
        """Return the heads that were read, from ``place`` on in ``data``."""
        found: Heads = {}
        for code, size in self.sizes:
            found[code] = data[place : place + size]
            place += size
        return found


class Namer:
    """Names frames. What is known of a code object is compared with its bytes at each use, all of a stack in one read.

    ``unresolved`` counts the frames that got no name, ``doubts`` the stacks of which some could not be trusted, and
    ``truncated`` those that were cut at ``depth``.
    """

    def __init__(self, memory: Memory, layout: Layout, code_type: int, depth: int) -> None:
        self._memory = memory
        self._layout = layout
        self._depth = depth
        self._pages = Pages(memory)
        self._reader = CodeReader(self._pages, layout, code_type)
        self._heads: Dict[int, bytes] = {}
        self._named: Set[int] = set()
        self._more: Dict[int, List[Range]] = {}
        self._checks: Dict[Tuple[int, ...], Tuple[Batch, bytes]] = {}
        # From the line's start to the table of lines: with the names in between it tells one code from another.
        fields = (layout.code_first_line, layout.code_file, layout.code_qualname, layout.code_lines)
        self._first = min(fields)
        self._size = max(fields) + 8 - self._first
        if not 0 < self._size <= _MOST_HEAD:
            raise Fault("the fields of a code object lie %d bytes apart" % self._size)
        self.unresolved = 0
        self.doubts = 0
        self.truncated = 0

    @property
    def most(self) -> int:
        """How many frames a stack must be read for: those that the interpreter lays in between are not shown."""
        return 2 * self._depth + 8

    def stack(
        self, frames: List[Frame], cut: bool, stands: Callable[[], bool], before: Optional[Heads] = None
    ) -> Optional[Stack]:
        """Return where the frames are, the innermost ``depth`` of them.

        ``cut`` says that there are more frames than these. ``stands`` tells whether the thread has not gone on since
        they were read: then their code must still be alive. Otherwise code that has no name yet could be another's by
        now; then the answer is None, and to be asked for again some time later, with what ``heads`` was ``before``:
        what has lived on since was there when the frames were read.
        """
        layout = self._layout
        real = [frame for frame in frames if not is_shim(layout, frame)]
        cut = cut or len(real) > self._depth
        if cut:
            real = real[: self._depth]
        fresh: Set[int] = set()
        places: List[Optional[Place]] = []
        if real:
            codes = tuple([frame.code for frame in real])
            fresh = self._checked(codes)
            if fresh:
                for code in fresh:
                    self._reader.forget(code)
                self._pages.forget()
            places = [self._reader.place(frame) for frame in real]
            if before is not None:
                fresh = self._others(codes, fresh, before)
            elif fresh and stands():
                fresh = set()
            elif fresh:
                return None
            self._named.update(code for code in codes if code not in fresh)
        self.truncated += cut
        self.doubts += bool(fresh)
        for index, frame in enumerate(real):
            if places[index] is None or frame.code in fresh:
                self.unresolved += 1
                self._forget(frame.code)
                places[index] = UNRESOLVED
        return tuple([place or UNRESOLVED for place in places if place is not INTERPRETER])

    def _others(self, codes: Tuple[int, ...], fresh: Set[int], before: Heads) -> Set[int]:
        """Which codes are not proven to be those that were there ``before``, after their names were read."""
        dead: Set[int] = set()
        if fresh:
            # The bytes of a code object outlive it, those of its names do not. Looked at between two looks at its head.
            dead = {code for code in fresh if not self._lives(code)}
            self._checked(codes)
        return {
            code
            for code in codes
            if before.get(code) is None or before[code] != self._heads.get(code) or code in dead
        }

    def note(self, frames: Sequence[Frame]) -> Tuple[Heads, Set[int]]:
        """Read the heads of frames' code; return them, and the code that has no name yet."""
        fresh = self._checked(tuple(self._codes(frames)))
        return self.heads(frames), fresh

    def heads(self, frames: Sequence[Frame]) -> Heads:
        """Return what was read last of the code of frames."""
        return {code: self._heads.get(code) for code in self._codes(frames)}

    def covers(self, heads: Heads, frames: Sequence[Frame]) -> bool:
        """Say whether the heads of all of the frames' code were read."""
        return all(heads.get(code) is not None for code in self._codes(frames))

    def batch(self, frames: Sequence[Frame]) -> HeadBatch:
        """Return a read of the heads of frames' code."""
        codes = self._codes(frames)
        self._checked(tuple(codes))
        ranges: List[Range] = []
        sizes: List[Tuple[int, int]] = []
        for code in codes:
            if code in self._heads:
                ranges += self._ranges(code)
                sizes.append((code, len(self._heads[code])))
        return HeadBatch(Batch(ranges), sizes)

    def _codes(self, frames: Sequence[Frame]) -> List[int]:
        return list(dict.fromkeys([frame.code for frame in frames if not is_shim(self._layout, frame)]))

    def _checked(self, codes: Tuple[int, ...]) -> Set[int]:
        """Compare what is known of the codes with what lies there; return those that have no name or another's."""
        distinct = list(dict.fromkeys(codes))
        check = self._checks.get(codes)
        if check is None or self._memory.read_batch(check[0]) != check[1]:
            self._look(distinct)
            if all(code in self._heads for code in distinct):
                self._remember(codes, distinct)
        return {code for code in distinct if code not in self._named}

    def _look(self, codes: List[int]) -> None:
        """Read the heads of codes; what was known of others at their addresses is forgotten."""
        together: Optional[bytes] = None
        if self._layout.minor >= _NUMBERED and codes:
            together = self._memory.read_batch(Batch([(code + self._first, self._size) for code in codes]))
        for index, code in enumerate(codes):
            if together is not None:
                head: Optional[bytes] = together[index * self._size : (index + 1) * self._size]
            else:
                head = self._head(code)
            if head is None or head != self._heads.get(code):
                self._forget(code)
            if head is not None:
                self._heads[code] = head

    def _forget(self, code: int) -> None:
        self._reader.forget(code)
        self._named.discard(code)
        self._heads.pop(code, None)

    def _lives(self, code: int) -> bool:
        try:
            return lives(self._layout, self._memory.read(code, self._layout.header))
        except Fault:
            return False

    def _head(self, code: int) -> Optional[bytes]:
        """The bytes that tell a code object from another one at its address."""
        layout, memory = self._layout, self._memory
        try:
            head = memory.read(code + self._first, self._size)
            if layout.minor >= _NUMBERED:
                return head
            # Without a number of its own, its parts may come to lie where those of the last one lay.
            more: List[Range] = []
            for field, start in ((layout.code_file, layout.str_ascii), (layout.code_qualname, layout.str_ascii),
                                 (layout.code_lines, layout.bytes_value)):
                part = _U64(head, field - self._first)[0]
                length = min(memory.u64(part + layout.header), _MOST_PART)
                more.append((part + layout.header, start - layout.header + length))
            data = memory.read_batch(Batch(more))
        except Fault:
            return None
        if data is None:
            return None
        self._more[code] = more
        return head + data

    def _ranges(self, code: int) -> List[Range]:
        return [(code + self._first, self._size), *self._more.get(code, ())]

    def _remember(self, codes: Tuple[int, ...], distinct: List[int]) -> None:
        if len(self._checks) >= _MOST_CHECKS:
            self._checks.clear()
        if len(self._heads) >= _MOST_CODES:
            # A target that makes code without end: begin anew, the names come again.
            for code in list(self._heads):
                self._forget(code)
            self._more.clear()
            self._checks.clear()
            return
        batch = Batch([piece for code in distinct for piece in self._ranges(code)])
        self._checks[codes] = (batch, b"".join([self._heads[code] for code in distinct]))
