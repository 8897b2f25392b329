"""Where threads keep the address of their Python state: a slot at the same distance from each thread's pointer."""

from __future__ import annotations

import struct
from typing import Iterable, List, Optional, Set, Tuple

from ..reader.memory import Fault, Memory

_SPAN = 8192
_PAGE = 4096
_MOST_THREADS = 64


def find_offset(memory: Memory, threads: Iterable[Tuple[int, int]]) -> Optional[int]:
    """Return the slot's distance from the thread pointer, by pairs of (state, thread pointer); None for none."""
    common: Optional[Set[int]] = None
    for state, pointer in list(threads)[:_MOST_THREADS]:
        found = set(_places(memory, state, pointer))
        common = found if common is None else common & found
    # The C library's own slots, which are kept while a thread waits, lie above the pointer on x86-64. What lies below
    # is the interpreter's variable for the thread that has the GIL: a thread that runs has it, and no other.
    return min(common, key=lambda offset: (offset < 0, abs(offset))) if common else None


def _places(memory: Memory, state: int, pointer: int) -> List[int]:
    wanted = struct.pack("<Q", state)
    result: List[int] = []
    for page in range((pointer - _SPAN) // _PAGE * _PAGE, pointer + _SPAN, _PAGE):
        try:
            data = memory.read(page, _PAGE)
        except Fault:
            continue
        place = data.find(wanted)
        while place >= 0:
            if not place & 7:
                result.append(page + place - pointer)
            place = data.find(wanted, place + 1)
    return result
