"""Names the frames of stacks while the target runs on, and code objects come and go."""

from __future__ import annotations

import struct
from typing import Dict, Iterable, List, Optional, Tuple

from ..reader.codeobj import INTERPRETER, UNRESOLVED, CodeReader, Place, Stack, is_shim, lives
from ..reader.frames import Frame
from ..reader.layouts import Layout
from ..reader.memory import Denied, Fault, Gone, Pages
from ..reader.target import Target
from .records import IDENTITY_BYTES, mixed

_OWNER = 7
_MOST_PLACES = 200_000
_U64 = struct.Struct("<Q").unpack_from

_Code = Tuple[int, int]  # address and identity


def identity_offset(layout: Layout) -> int:
    """Return where the bytes of a code object begin that tell it from others.

    They hold the first line, the addresses of file, name and table of lines, and from 3.12 on a number that no other
    code object has.
    """
    fields = (layout.code_first_line, layout.code_file, layout.code_qualname, layout.code_lines)
    first = min(fields) & ~7
    if max(fields) + 8 - first > IDENTITY_BYTES:
        raise Fault("the fields of a code object lie %d bytes apart" % (max(fields) - first))
    return first


def telling_words(layout: Layout) -> List[int]:
    """Return where the words of a code object lie that do most to tell it from others, for those who read few.

    The second is a number that no other code object has, from 3.12 on.
    """
    first = layout.code_first_line & ~7
    return [first, (layout.code_first_line + 24) & ~7, layout.code_qualname, layout.code_lines]


class StackNames:
    """Names the stacks of one target.

    Each frame comes with the identity that its code object had when the stack was taken: the hash of some ``words`` of
    it, of all that tell it from others unless given. A code object that was freed since, or whose memory is another's,
    has another one, and the frame gets no name. Only 3.11 has no number of its own for each code object: there what is
    known is not kept, and two that follow one another at the same addresses, with the same first line, within a moment,
    are taken for one.
    """

    def __init__(self, target: Target, words: Optional[List[int]] = None) -> None:
        first = identity_offset(target.layout)
        self._words = words if words is not None else list(range(first, first + IDENTITY_BYTES, 8))
        self._head = max(self._words) + 8
        self._layout = target.layout
        self._memory = target.memory
        self._pages = Pages(target.memory)
        self._reader = CodeReader(self._pages, target.layout, target.code_type)
        self._places: Dict[_Code, Dict[int, Optional[Place]]] = {}
        self._count = 0
        self._numbered = target.layout.minor > 11

    def begin(self) -> None:
        """What is named from now on came since the last time."""
        if not self._numbered:
            self._places.clear()

    def name(self, frames: Iterable[Tuple[int, int, int]]) -> Tuple[Stack, int]:
        """Return the places of (code and kind, instruction, identity), and how many have no name."""
        places: List[Place] = []
        unresolved = 0
        for word, instruction, identity in frames:
            known = self._places.get((word & ~_OWNER, identity))
            place = known.get(instruction) if known else None
            if place is None:
                frame = Frame(0, word & ~_OWNER, instruction, word & _OWNER, 0, True)
                if is_shim(self._layout, frame):
                    continue
                place = self._read(frame, identity)
                if place is None:
                    place = UNRESOLVED
                    unresolved += 1
            if place is not INTERPRETER:
                places.append(place)
        return tuple(places), unresolved

    def _read(self, frame: Frame, identity: int) -> Optional[Place]:
        """Read a place; it counts only if the code object is the same before and after."""
        try:
            if self._identity(frame.code) != identity:
                return None
            self._pages.forget()
            self._reader.forget(frame.code)
            place = self._reader.place(frame)
            if place is None or self._identity(frame.code) != identity:
                return None
        except (Fault, Gone, Denied, struct.error):
            # Freed by now, or the target with it: counted as unresolved.
            return None
        if self._count >= _MOST_PLACES:
            # A target that makes code without end.
            self._places.clear()
            self._count = 0
        self._count += 1
        self._places.setdefault((frame.code, identity), {})[frame.instruction] = place
        return place

    def _identity(self, code: int) -> int:
        """Return the identity of what lies there, 0 for a code object that was freed."""
        data = self._memory.read(code, self._head)
        if not lives(self._layout, data):
            return 0
        return mixed(_U64(data, word)[0] for word in self._words)
