"""The C library's heap, chunk by chunk: what Python keeps there, what others do, and what is free."""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from typing import Callable, Dict, List, NamedTuple, Optional, Set, Tuple

from ..reader.memory import Fault
from .areas import Area, joined
from .pages import PAGE, WINDOW, Pages
from .pools import Pools

_HEAP = 64 << 20
_SMALLEST_MAPPED = 1 << 16
_STRIDE = 1 << 16
_FIRST_CHUNK = 4096
_CHAIN = 50
_LEAST = 32
_TAIL = 96
# A thread's cache of freed chunks: its size from glibc 2.26 to the versions with more bins.
_CACHE_SIZES = range(0x240, 0x401, 16)


class Span(NamedTuple):
    """A stretch of one kind: the heap of the program or of a thread, a chunk of its own, or something else."""

    start: int
    end: int
    kind: str


PROGRAM, THREAD, MAPPED, OTHER = "program", "thread", "mapped", "other"
# Of a chunk in use: its first byte, its bytes, the words from there on, and where it begins in them.
Visit = Callable[[int, int, memoryview, int], None]


class Chunks:
    """The spans of a process's anonymous memory outside the arenas, and sums over the chunks in them."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self.spans: List[Span] = []
        self.used = self.free = self.lost = self.count = 0
        self._lost_pages: List[Tuple[int, int]] = []
        # A chunk's start every so often, from which any other can be found.
        self._marks: "array[int]" = array("Q")
        self._caches: Set[int] = set()
        # What stands in the second word of a chunk that is in such a cache.
        self._keys: Set[int] = set()

    # Spans

    def map(self, areas: List[Area], pools: Pools) -> None:
        """Divide the anonymous memory outside the arenas."""
        starts = [arena.address for arena in pools.arenas]
        self.spans = []
        for area in joined(areas):
            if area.path == "[heap]":
                self.spans.append(Span(area.start, area.end, PROGRAM))
                continue
            place = area.start
            while place < area.end:
                arena = pools.arena_of(place)
                if arena is not None:
                    place = arena.end
                    continue
                span = self._span(area, place, min([area.end] + starts[bisect_right(starts, place) :][:1]))
                if span.kind == OTHER and self.spans and self.spans[-1] == (self.spans[-1].start, place, OTHER):
                    span = Span(self.spans.pop().start, span.end, OTHER)
                self.spans.append(span)
                place = span.end

    def extend(self, areas: List[Area]) -> None:
        """Let heaps reach as far as they do now."""
        ends = {area.start: area.end for area in areas}
        for index, span in enumerate(self.spans):
            if span.kind in (PROGRAM, THREAD):
                self.spans[index] = Span(span.start, max(span.end, ends.get(span.start, 0)), span.kind)

    def _span(self, area: Area, place: int, end: int) -> Span:
        head = self._head(place, 32)
        if place == area.start and not place % _HEAP:
            # A thread's heap: its arena, the one before it, its size.
            arena, _, size = struct.unpack_from("<QQQ", head)
            # It may have grown since the areas were read.
            if PAGE < arena < 1 << 47 and PAGE <= size <= _HEAP and not size % PAGE:
                return Span(place, area.end, THREAD)
        length = _mapped(head, end - place)
        if length:
            return Span(place, place + length, MAPPED)
        # Not known: on to the next page that looks like something.
        for start, size in self._pages.runs(place + PAGE, end, 1 << 26):
            for address, data in self._pages.each(range(start, start + size, PAGE), 16):
                if data[8] & 7 == 2 and not int.from_bytes(data[:8], "little") and _mapped(data, end - address):
                    return Span(place, address, OTHER)
        return Span(place, end, OTHER)

    def _head(self, place: int, size: int) -> bytes:
        try:
            if self._pages.flags(place, place + PAGE) == b"\1":
                return self._pages.read(place, size)
        except Fault:
            pass
        return bytes(size)

    # Chunks

    def walk(self, visit: Optional[Visit], pause: Callable[[], None]) -> None:
        """Go through all chunks; ``visit`` sees each that is in use."""
        self.used = self.free = self.lost = self.count = 0
        self._lost_pages = []
        self._marks = array("Q")
        self._caches, self._keys = set(), set()
        for span in self.spans:
            if span.kind == MAPPED:
                self._one(span, visit)
            elif span.kind != OTHER:
                first, end = self._first(span)
                if first:
                    self._learn(first + 16, span)
                    self._walk(first, end, visit, pause)
                else:
                    self._lose(span.start, span.end)
            pause()

    def lost_bytes(self) -> int:
        """Return the resident bytes of heaps whose chain of chunks broke."""
        return sum(self._pages.resident(start, end) for start, end in self._lost_pages)

    def _lose(self, start: int, end: int) -> None:
        self.lost += end - start
        self._lost_pages.append((start, end))

    def _one(self, span: Span, visit: Optional[Visit]) -> None:
        self.count += 1
        try:
            data = self._pages.read(span.start, _TAIL)
        except Fault:
            return
        if visit is not None:
            visit(span.start + 16, span.end - span.start - 16, memoryview(data).cast("Q"), 2)

    def _first(self, span: Span) -> Tuple[int, int]:
        """Return where a heap's first chunk lies and where the heap ends; 0 where no chain of chunks is found."""
        start, end = span.start, span.end
        if span.kind == THREAD:
            size = struct.unpack_from("<QQQ", self._head(start, 32))[2]
            end = min(end, start + size)
        words = self._fill(start, end)
        for index in range(0, min(_FIRST_CHUNK, end - start) >> 3, 2):
            place, steps = index, 0
            while place + 1 < len(words) and steps < _CHAIN:
                size = words[place + 1] & -8
                if size < _LEAST or size & 8 or (place << 3) + size > end - start:
                    break
                place += size >> 3
                steps += 1
            if steps and (steps == _CHAIN or place + 1 >= len(words)):
                return start + (index << 3), end
        return 0, end

    def _learn(self, start: int, span: Span) -> None:
        """Learn from a heap's first chunk, a thread's cache, how chunks are marked that wait there to be used again."""
        try:
            size = (self._pages.u64(start - 8) & -8) - 16
            if size not in _CACHE_SIZES:
                return
            words = memoryview(self._pages.read(start, size)).cast("Q")
            entries = [word for word in words if span.start < word < span.end and not word & 15]
            marks = Counter(self._pages.u64(entry + 8) for entry in entries)
        except Fault:
            return
        self._caches.add(start)
        # Before glibc 2.34 the mark is the cache's address, since then a number that is the same in all of a process.
        self._keys.add(start)
        if marks:
            mark, count = marks.most_common(1)[0]
            if mark >> 32 and (count > 1 or len(marks) == 1):
                self._keys.add(mark)

    def is_cached(self, start: int) -> bool:
        """Say whether a chunk that counts as used is a thread's cache of freed chunks, or waits in one."""
        try:
            return start in self._caches or self._pages.u64(start + 8) in self._keys
        except Fault:
            return True

    def _fill(self, start: int, end: int) -> memoryview:
        """Read as much as is resident in one piece from the page of an address on, and return its words."""
        first = start & -PAGE
        last = min((end + PAGE - 1) & -PAGE, first + WINDOW)
        flags = self._pages.flags(first, last)
        gap = min([place for place in (flags.find(0), flags.find(2)) if place >= 0], default=len(flags))
        size = min(first + gap * PAGE, end) - start
        got = self._pages.fill(start, max(size, 0) & -8) if size > 0 else 0
        return self._pages.window[: got & -8].cast("Q")

    def _walk(self, first: int, end: int, visit: Optional[Visit], pause: Callable[[], None]) -> None:
        base = first
        words = self._fill(base, end)
        length = len(words)
        place = 0
        used = free = count = 0
        due = first
        while True:
            if place + 16 > length and base + (length << 3) < end:
                base += place << 3
                pause()
                words = self._fill(base, end)
                length, place = len(words), 0
            if place + 1 >= length:
                if base + (place << 3) < end - _LEAST:
                    self._lose(base + (place << 3), end)
                break
            size = words[place + 1] & -8
            here = base + (place << 3)
            if here >= due:
                self._marks.append(here)
                due = here + _STRIDE
            if size < _LEAST or size & 8 or here + size > end:
                if end - here > 64:
                    self._lose(here, end)
                break
            if here + size >= end - 8:
                # The top, from which new chunks are cut.
                free += size
                break
            following = place + (size >> 3) + 1
            if following < length:
                mark = words[following]
            else:
                try:
                    mark = self._pages.u64(here + size + 8)
                except Fault:
                    self._lose(here, end)
                    break
            count += 1
            if mark & 1:
                used += size
                if visit is not None:
                    visit(here + 16, size - 8, words, place + 2)
            else:
                free += size
            place += size >> 3
            if place >= length:
                base += place << 3
                pause()
                words = self._fill(base, end)
                length, place = len(words), 0
        self.used += used
        self.free += free
        self.count += count

    # One chunk

    def sizes(self, pointers: List[int]) -> Dict[int, int]:
        """Return how many bytes the chunk that begins at each pointer has, where it looks like one."""
        found: Dict[int, int] = {}
        inside = [pointer for pointer in pointers if not pointer & 15 and self.span_of(pointer) is not None]
        for address, data in self._pages.each([pointer - 16 for pointer in inside], 16):
            span = self.span_of(address + 16)
            word = int.from_bytes(data[8:], "little")
            size = word & -8
            if span is None:
                continue
            if span.kind == MAPPED:
                if address == span.start:
                    found[address + 16] = self._pages.resident(span.start, span.end)
            elif span.kind != OTHER and _LEAST <= size <= span.end - address and not size & 8:
                found[address + 16] = size
        return found

    def span_of(self, address: int) -> Optional[Span]:
        """Return the span that an address lies in."""
        index = bisect_left(self.spans, (address + 1,)) - 1
        if index >= 0 and address < self.spans[index].end:
            return self.spans[index]
        return None

    def chunk_of(self, address: int) -> Optional[Tuple[int, int]]:
        """Return the chunk in use that an address lies in: its first byte and its size; None for a free one."""
        span = self.span_of(address)
        if span is None or span.kind == OTHER:
            return None
        if span.kind == MAPPED:
            return span.start + 16, span.end - span.start - 16
        index = bisect_right(self._marks, address) - 1
        if index < 0 or self._marks[index] < span.start:
            return None
        here = first = self._marks[index]
        try:
            # One piece holds all headers from the mark on, unless a single chunk is larger.
            data = self._pages.read(first, min(address - first + 16 & -8, _STRIDE))
            while here <= address:
                offset = here - first
                if offset + 16 <= len(data):
                    size = int.from_bytes(data[offset + 8 : offset + 16], "little") & -8
                else:
                    size = self._pages.u64(here + 8) & -8
                if size < _LEAST or size & 8 or here + size > span.end:
                    return None
                if here + 16 <= address < here + size + 8:
                    return (here + 16, size - 8) if self._pages.u64(here + size + 8) & 1 else None
                here += size
        except Fault:
            pass
        return None


def _mapped(head: bytes, most: int) -> int:
    """The whole pages of a chunk that has a mapping of its own, 0 where the words are none's."""
    previous, size = struct.unpack_from("<QQ", head)
    length = size & -8
    # Newer C libraries leave the header's 16 bytes out.
    if size & 7 != 2 or length % PAGE not in (0, PAGE - 16) or previous >= PAGE << 4:
        return 0
    length = length + 16 & -PAGE
    return length if _SMALLEST_MAPPED <= length <= most else 0
