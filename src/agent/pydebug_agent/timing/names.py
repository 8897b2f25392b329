"""Names the frames of stacks while the target runs on, and code objects come and go."""

from __future__ import annotations

import struct
from typing import Dict, Iterable, Optional, Tuple

from ..reader.codeobj import CodeReader, Place, is_shim
from ..reader.frames import Frame
from ..reader.memory import Fault, Pages
from ..reader.target import Target
from .recording import UNRESOLVED, Stack

_U64 = struct.Struct("<Q").unpack_from
_OWNER = 7
_COUNT_MASK, _POINTER_MASK = 0xFFFFFFFF, 0xFFFF00000000


class StackNames:
    """Names the stacks of one target."""

    def __init__(self, target: Target) -> None:
        self._layout = layout = target.layout
        self._memory = target.memory
        self._pages = Pages(target.memory)
        self._reader = CodeReader(self._pages, layout, target.code_type)
        self._identity = (layout.code_file, layout.code_qualname, layout.code_lines, layout.code_first_line & ~7)
        self._known: Dict[int, Tuple[int, ...]] = {}
        self._checked: Dict[int, bool] = {}

    def begin(self) -> None:
        """What is named from now on is looked at anew: an address may have become another code object's."""
        self._pages.forget()
        self._checked = {}

    def name(self, frames: Iterable[Tuple[int, int]]) -> Tuple[Stack, int]:
        """Return the places of (code and kind, instruction) pairs, and how many have no name."""
        places = []
        unresolved = 0
        for word, instruction in frames:
            frame = Frame(0, word & ~_OWNER, instruction, word & _OWNER, 0, True)
            if is_shim(self._layout, frame):
                continue
            place = self._place(frame)
            if place is None:
                place = UNRESOLVED
                unresolved += 1
            places.append(place)
        return tuple(places), unresolved

    def _place(self, frame: Frame) -> Optional[Place]:
        alive = self._checked.get(frame.code)
        if alive is None:
            alive = self._checked[frame.code] = self._check(frame.code)
        if not alive:
            return None
        try:
            return self._reader.place(frame)
        except (Fault, struct.error):
            return None

    def _check(self, code: int) -> bool:
        """Say whether a code object lives there; drop what is known where it is not the one that was."""
        try:
            data = self._memory.read(code, self._layout.code_start)
        except Fault:
            return False
        # The allocator links free blocks by their first word, where a count of references should be.
        first = _U64(data)[0]
        if not first & _COUNT_MASK or first & _POINTER_MASK:
            return False
        identity = tuple([_U64(data, offset)[0] for offset in self._identity])
        if self._known.get(code) != identity:
            self._reader.forget(code)
            self._known[code] = identity
        return True
