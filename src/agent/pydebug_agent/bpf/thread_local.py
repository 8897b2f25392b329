"""Where threads keep the address of their Python state: a slot at the same distance from each thread's pointer."""

from __future__ import annotations

import struct
from typing import Iterable, List, Optional, Set, Tuple

from ..reader.frames import Thread
from ..reader.memory import Fault, Memory

_SPAN = 8192
_PAGE = 4096
_MOST_THREADS = 64


def find_offset(memory: Memory, threads: Iterable[Tuple[Thread, int]]) -> Optional[int]:
    """Return the slot's distance from the thread pointer, by pairs of thread and pointer; None for none."""
    common: Optional[Set[int]] = None
    for thread, pointer in list(threads)[:_MOST_THREADS]:
        # Of a thread that is in several interpreters it has the state of the one that was entered last.
        found = {place for state in thread.states for place in _places(memory, state.address, pointer)}
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
