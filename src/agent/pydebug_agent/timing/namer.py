"""Names of stacks that are seen again and again, although code objects can be freed and their memory used again."""

from __future__ import annotations

from typing import Callable, Dict, List, Optional, Set, Tuple

from ..reader.codeobj import CodeReader, is_shim
from ..reader.frames import Frame
from ..reader.layouts import Layout
from ..reader.memory import Batch, Fault, Memory, Pages
from .recording import UNRESOLVED, Stack

_MOST_CHECKS = 4096
_MOST_CODES = 50000
_MOST_HEAD = 512


class Namer:
    """Names frames. What is known of a code object is compared with its bytes at each use, all of a stack in one read.

    ``unresolved`` counts the frames that got no name, ``truncated`` the stacks that were cut at ``depth``.
    """

    def __init__(self, memory: Memory, layout: Layout, code_type: int, depth: int) -> None:
        self._memory = memory
        self._layout = layout
        self._depth = depth
        self._pages = Pages(memory)
        self._reader = CodeReader(self._pages, layout, code_type)
        self._heads: Dict[int, bytes] = {}
        self._changed: Set[int] = set()
        self._checks: Dict[Tuple[int, ...], Tuple[Batch, bytes]] = {}
        # From the line's start to the table of lines: with the names in between it tells one code from another.
        fields = (layout.code_first_line, layout.code_file, layout.code_qualname, layout.code_lines)
        self._first = min(fields)
        self._size = max(fields) + 8 - self._first
        if not 0 < self._size <= _MOST_HEAD:
            raise Fault("the fields of a code object lie %d bytes apart" % self._size)
        self.unresolved = 0
        self.truncated = 0

    @property
    def most(self) -> int:
        """How many frames a stack must be read for: those that the interpreter lays in between are not shown."""
        return 2 * self._depth + 8

    def stack(self, frames: List[Frame], cut: bool, stands: Callable[[], bool]) -> Stack:
        """Return where the frames are, the innermost ``depth`` of them.

        ``cut`` says that there are more frames than these. ``stands`` tells whether the thread has not gone on since
        they were read: then their code must still be alive.
        """
        layout = self._layout
        real = [frame for frame in frames if not is_shim(layout, frame)]
        if cut or len(real) > self._depth:
            self.truncated += 1
            real = real[: self._depth]
        if not real:
            return ()
        fresh = self._checked(tuple([frame.code for frame in real]))
        self._pages.forget()
        places = [self._reader.place(frame) for frame in real]
        # What lies there by now may not have been there when the stack was read.
        doubted = fresh if fresh and not stands() else ()
        for index, frame in enumerate(real):
            if places[index] is None or frame.code in doubted:
                self.unresolved += 1
                self._reader.forget(frame.code)
                places[index] = UNRESOLVED
        return tuple([place or UNRESOLVED for place in places])

    def _checked(self, codes: Tuple[int, ...]) -> Set[int]:
        """Compare what is known of the codes with what lies there; return those that have changed by now."""
        check = self._checks.get(codes)
        if check is not None and self._memory.read_batch(check[0]) == check[1]:
            return set()
        fresh: Set[int] = set()
        known = True
        distinct = list(dict.fromkeys(codes))
        for code in distinct:
            head = self._head(code)
            before = self._heads.get(code)
            if head is None or head != before:
                self._reader.forget(code)
                if before is not None or code in self._changed:
                    self._changed.add(code)
                    fresh.add(code)
            if head is None:
                self._heads.pop(code, None)
                fresh.add(code)
                known = False
            else:
                self._heads[code] = head
        if known:
            self._remember(codes, distinct)
        return fresh

    def _head(self, code: int) -> Optional[bytes]:
        try:
            return self._memory.read(code + self._first, self._size)
        except Fault:
            return None

    def _remember(self, codes: Tuple[int, ...], distinct: List[int]) -> None:
        if len(self._checks) >= _MOST_CHECKS:
            self._checks.clear()
        if len(self._heads) >= _MOST_CODES:
            # A target that makes code without end: begin anew, the names come again.
            for code in self._heads:
                self._reader.forget(code)
            self._heads.clear()
            self._checks.clear()
            self._changed.clear()
            return
        batch = Batch([(code + self._first, self._size) for code in distinct])
        self._checks[codes] = (batch, b"".join([self._heads[code] for code in distinct]))
