"""What lies at a place of a process's memory: a block in use, the object in it, or neither."""

from __future__ import annotations

import struct
from bisect import bisect_right
from typing import Dict, FrozenSet, Iterator, List, NamedTuple, Optional, Set, Tuple

from ..reader.memory import Fault
from .areas import read_areas
from .chunks import MAPPED, OTHER
from .kinds import Kind
from .pools import CLASSES, HEADER
from .subject import Subject

_HEAD_WORDS = 10
_FEW = 6


class Block(NamedTuple):
    """A block in use: its first byte, its size, and the object in it, if there is one."""

    start: int
    size: int
    object: int
    kind: Optional[Kind]
    pooled: bool


class _Pool(NamedTuple):
    size: int
    following: int
    free: FrozenSet[int]
    words: memoryview


class Ground:
    """Answers for places; what moves is read anew with ``refresh``."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._pages = subject.pages
        self._pools = subject.pools
        self._chunks = subject.chunks
        self._kinds = subject.kinds
        self._cache: Dict[int, Optional[_Pool]] = {}
        self._starts: List[int] = []
        # Chunks of their own in which no reference lies.
        self.dull: Set[int] = set()

    def refresh(self) -> None:
        """See where arenas and chunks are now."""
        subject = self._subject
        subject.areas = read_areas(subject.proc, subject.pid, sizes=False)
        self._pools.look(subject.areas)
        self._chunks.map(subject.areas, self._pools)
        self._chunks.walk(None, subject.pause)
        self._starts = [area.start for area in subject.areas]
        self.forget()

    def forget(self) -> None:
        """Drop what was read of pools."""
        self._cache = {}

    # Search

    def pieces(self) -> Iterator[Tuple[int, int]]:
        """Yield what may hold a reference: pools of text and numbers alone, and large buffers, are left out."""
        pools, pages = self._pools, self._pages
        for arena in pools.arenas:
            low = 0
            for base in pools.places(arena):
                if base >= arena.carved or pools.holds_atoms(base):
                    if low:
                        yield from pages.runs(low, base)
                    low = 0
                    if base >= arena.carved:
                        break
                elif not low:
                    low = base
            else:
                if low:
                    yield from pages.runs(low, arena.end)
        for start, end in self._subject.spans():
            yield from pages.runs(start, end)
        for span in self._chunks.spans:
            if span.kind == MAPPED and span.start not in self.dull:
                yield from pages.runs(span.start, span.end)

    def search(self, wanted: Set[int]) -> Iterator[Tuple[int, int]]:
        """Yield each place that holds one of some addresses, with the address."""
        pages = self._pages
        words = {address: struct.pack("<Q", address) for address in wanted}
        few = len(words) <= _FEW
        for start, size in self.pieces():
            self._subject.pause()
            got = pages.fill(start, size)
            found = wanted if few else wanted.intersection(pages.window[: got & -8].cast("Q"))
            # The window is filled anew while the hits are looked at.
            hits = [(start + place, address) for address in found for place in pages.find(words[address], got)]
            yield from hits

    # Places

    def known(self, place: int) -> bool:
        """Say whether it is known what a place is part of, be it free."""
        return (
            self._pools.arena_of(place) is not None
            or self._chunks.span_of(place) is not None
            or self.area_of(place) is not None
        )

    def area_of(self, place: int) -> Optional[int]:
        """Return the index of the area that a place lies in."""
        index = bisect_right(self._starts, place) - 1
        return index if index >= 0 and place < self._subject.areas[index].end else None

    def block(self, place: int) -> Optional[Block]:
        """Return the block in use at a place, None where it is free or no block."""
        arena = self._pools.arena_of(place)
        if arena is not None:
            return self._pooled(place)
        chunk = self._chunks.chunk_of(place)
        if chunk is None:
            return None
        try:
            head = self._pages.read(chunk[0], min(8 * _HEAD_WORDS, chunk[1]) & -8)
        except Fault:
            return None
        block = self._with_object(chunk[0], chunk[1], memoryview(head).cast("Q"), 0, self._subject.chunk_shift, False)
        return None if block.kind is None and self._chunks.is_cached(block.start) else block

    def in_pool(self, place: int) -> bool:
        """Say whether a place lies in an arena."""
        return self._pools.arena_of(place) is not None

    def is_heap(self, place: int) -> bool:
        """Say whether a place lies in a heap of the C library, where what is in no chunk is free."""
        span = self._chunks.span_of(place)
        return span is not None and span.kind != OTHER

    def is_object(self, address: int, kind: Kind) -> bool:
        """Say whether an object of a type lies at an address, in use."""
        block = self.block(address)
        return block is not None and block.object == address and block.kind is kind

    def _pooled(self, place: int) -> Optional[Block]:
        base = place & -self._pools.size
        if base not in self._cache:
            self._cache[base] = self._read(base)
        pool = self._cache[base]
        if pool is None or not HEADER <= place - base < pool.following:
            return None
        offset = HEADER + (place - base - HEADER) // pool.size * pool.size
        if base + offset in pool.free:
            return None
        return self._with_object(base + offset, pool.size, pool.words, offset >> 3, self._subject.shift, True)

    def _read(self, base: int) -> Optional[_Pool]:
        try:
            words = memoryview(self._pages.read(base, self._pools.size)).cast("Q")
        except Fault:
            return None
        kind, following = words[4] >> 32, words[5] & 0xFFFFFFFF
        size = kind + 1 << 4
        if kind >= CLASSES or words[5] >> 32 != self._pools.size - size or not words[0] & 0xFFFFFFFF:
            return None
        free: Set[int] = set()
        block = words[1]
        while block and base <= block < base + self._pools.size and block not in free and not block & 7:
            free.add(block)
            block = words[block - base >> 3]
        return _Pool(size, following, frozenset(free), words)

    def _with_object(
        self, start: int, size: int, words: memoryview, place: int, shift: int, pooled: bool
    ) -> Block:
        end = min(len(words), place + (size >> 3))
        for index, column in enumerate(self._kinds.columns):
            at = place + shift + 2 * index
            if at + 1 >= end:
                break
            number = column.get(words[at + 1])
            if number and words[at] & 0xFFFFFFFF and not words[at] >> 32 & 0xFFFF:
                kind = self._kinds.all[number]
                assert kind is not None
                return Block(start, size, start + 8 * (at - place), kind, pooled)
        return Block(start, size, 0, None, pooled)
