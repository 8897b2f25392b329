"""Whether a thread's stack may be used, and nobody on it holds a lock that what is called there may want."""

from __future__ import annotations

import struct
from typing import List, Set, Tuple

from ..reader.elf import Image
from ..reader.memory import Fault, Memory
from ..system.proc import Mapping
from .libraries import is_libc, is_loader, name_of
from .registers import Registers, Unusable
from .unwind import Lost, Unwinder

# What pthread_create needs of the stack it runs on, with much to spare.
_LEAST = 32 << 10
_MOST_FRAMES = 4000
_MAIN = "[stack]"
_ALLOCATION = ("malloc", "calloc", "realloc", "free", "posix_memalign", "aligned_alloc", "memalign")


class Stacks:
    """Judges the stacks of one process."""

    def __init__(self, pid: int, memory: Memory, maps: List[Mapping]) -> None:
        self._pid = pid
        self._unwinder = Unwinder(memory)
        # Where memory is managed: libraries that are there for that, and functions of programs that also do that.
        self._allocators: Set[str] = set()
        self._functions: List[Tuple[int, int]] = []
        self._find_allocators(memory, maps)

    def check(self, tid: int, registers: Registers, maps: List[Mapping]) -> None:
        """Raise Unusable where a thread that stands with these registers is not to be sent elsewhere."""
        self._check_headroom(tid, registers, maps)
        count = 0
        try:
            for frame in self._unwinder.frames(registers, maps):
                count += 1
                if frame.is_signal:
                    raise Unusable("it handles a signal")
                if is_loader(name_of(frame.path)):
                    raise Unusable("it is loading a library")
                if frame.path in self._allocators or any(low <= frame.address < high for low, high in self._functions):
                    raise Unusable("it is allocating memory")
                if count > _MOST_FRAMES:
                    raise Unusable(f"its stack has more than {_MOST_FRAMES} frames")
        except Lost as reason:
            raise Unusable(f"its stack cannot be followed: {reason}") from None

    def learn(self, registers: Registers, maps: List[Mapping]) -> None:
        """Follow the stack of a thread that may have gone on: the same frames take less time later."""
        try:
            for number, _ in enumerate(self._unwinder.frames(registers, maps)):
                if number > _MOST_FRAMES:
                    break
        except Lost:
            pass

    def _check_headroom(self, tid: int, registers: Registers, maps: List[Mapping]) -> None:
        """Raise where the stack is not the thread's own, whose end is known: a coroutine's, a signal handler's."""
        stack = registers["rsp"]
        for place, entry in enumerate(maps):
            if not entry.start <= stack < entry.end:
                continue
            if tid == self._pid:
                own = entry.path == _MAIN
            else:
                # A stack that the C library made has the thread's own data above it and a guard below.
                guard = maps[place - 1] if place else None
                own = stack < registers["fs_base"] < entry.end and guard is not None
                own = own and guard is not None and guard.end == entry.start and guard.permissions.startswith("---")
            if not own or not entry.permissions.startswith("rw"):
                raise Unusable("it is not on the stack that it was given")
            if stack - entry.start < _LEAST:
                raise Unusable("its stack is nearly used up")
            return
        raise Unusable("its stack is not where it should be")

    def _find_allocators(self, memory: Memory, maps: List[Mapping]) -> None:
        seen: Set[Tuple[int, str]] = set()
        for entry in maps:
            name = name_of(entry.path)
            if entry.offset or not entry.path.startswith("/") or (entry.inode, entry.path) in seen:
                continue
            seen.add((entry.inode, entry.path))
            if is_libc(name) or is_loader(name):
                continue
            try:
                image = Image(memory, entry.start)
                found = [place for place in map(image.extent, _ALLOCATION) if place is not None]
            except (Fault, struct.error):
                continue
            if found and ".so" in name and "python" not in name:
                self._allocators.add(entry.path)
            self._functions += [(address, address + size) for address, size in found]
