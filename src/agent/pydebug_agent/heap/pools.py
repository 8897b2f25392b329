"""CPython's allocator for up to 512 bytes: pools that prove themselves, and the arrays of arenas that name them."""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_left
from collections import Counter
from typing import Dict, List, NamedTuple, Optional, Tuple

from ..reader.memory import Fault
from .areas import Area, joined
from .pages import PAGE, Pages

HEADER = 48
CLASSES = 32
# Pools of atoms alone hold no reference.
ATOMS = 0x80
_HEADER = struct.Struct("<IIQQQIIII")
_RECORD = struct.Struct("<QQIIQQQ")
_RECORDS = 64
_MOST_RECORDS = 1 << 18
_MOST_INDEX = 1 << 20
_TRIED = 6
_GRANULE = 20
# More pools than this share that nothing explains are no accident.
_STRAY = 0.002
_SMALLEST_CHUNK = 1 << 16


class Arena(NamedTuple):
    """A piece of memory that is cut into pools; what lies behind ``carved`` has never been one."""

    address: int
    end: int
    carved: int


class Pools:
    """The pools of a process as their headers tell, all interpreters' together."""

    def __init__(self, pages: Pages, minor: int) -> None:
        self._pages = pages
        self.size = 16384 if minor >= 10 else 4096
        self.shift = self.size.bit_length() - 1
        self._mask = (1 << _GRANULE - self.shift) - 1
        self._none = bytes(self._mask + 1)
        self.granules: Dict[int, bytearray] = {}
        self._before: Dict[int, bytearray] = {}
        self.arenas: List[Arena] = []
        self.count = 0
        self.stray = 0
        # By size class: how many pools, and blocks in use.
        self.pools = [0] * CLASSES
        self.used = [0] * CLASSES

    def look(self, areas: List[Area]) -> None:
        """Find pools and arenas as they are now."""
        addresses, indexes = array("Q"), array("I")
        self._before, self.granules, self.arenas = self.granules, {}, []
        self.pools, self.used = [0] * CLASSES, [0] * CLASSES
        for area in joined(areas):
            if area.path != "[heap]":
                self._headers(area, addresses, indexes)
        self._before = {}
        self.count = len(addresses)
        self._name(areas, addresses, indexes)

    @property
    def used_bytes(self) -> int:
        """How much the blocks in use take."""
        return sum((index + 1) * 16 * count for index, count in enumerate(self.used))

    def sizes(self, pointers: "array[int]") -> List[int]:
        """Return the size of the block that each pointer points into, 0 for one in no pool."""
        get, none, shift, mask = self.granules.get, self._none, self.shift, self._mask
        return [(get(pointer >> _GRANULE, none)[pointer >> shift & mask] & 63) << 4 for pointer in pointers]

    def mark(self, base: int, size: int, atoms: bool) -> None:
        """Note what a pool holds now."""
        granule = self.granules.get(base >> _GRANULE)
        if granule is None:
            granule = self.granules[base >> _GRANULE] = bytearray(self._none)
        granule[base >> self.shift & self._mask] = size >> 4 | (ATOMS if atoms else 0)

    def class_of(self, base: int) -> Optional[int]:
        """Return the size class of a pool, None where none was found there."""
        code = self.granules.get(base >> _GRANULE, self._none)[base >> self.shift & self._mask] & 63
        return code - 1 if code else None

    def holds_atoms(self, base: int) -> bool:
        """Say whether nothing but text, numbers and the like was found in a pool."""
        return self.granules.get(base >> _GRANULE, self._none)[base >> self.shift & self._mask] >= ATOMS

    def places(self, arena: Arena) -> range:
        """Return where pools of an arena may lie."""
        size = self.size
        return range((arena.address + size - 1) & -size, arena.end - size + 1, size)

    def arena_of(self, address: int) -> Optional[Arena]:
        """Return the arena that an address lies in."""
        place = bisect_left(self.arenas, (address + 1,)) - 1
        if place >= 0 and address < self.arenas[place].end:
            return self.arenas[place]
        return None

    # Headers

    def _headers(self, area: Area, addresses: "array[int]", indexes: "array[int]") -> None:
        size = self.size
        for start, length in self._pages.runs(self._behind_chunks(area), area.end, 1 << 26):
            places = range((start + size - 1) & -size, start + length, size)
            for base, data in self._pages.each(places, HEADER):
                count, _, free, _, _, index, kind, following, last = _HEADER.unpack(data)
                block = kind + 1 << 4
                if (
                    kind < CLASSES
                    and last == size - block
                    and HEADER <= following <= size
                    and not (following - HEADER) % block
                    and count <= (size - HEADER) // block
                    and index < _MOST_INDEX
                    and (not free or base < free < base + size)
                ):
                    addresses.append(base)
                    indexes.append(index)
                    # What was found there stays known as long as the pool has blocks of that size.
                    old = self._before.get(base >> _GRANULE, self._none)[base >> self.shift & self._mask]
                    self.mark(base, block, old == block >> 4 | ATOMS)
                    if count:
                        self.pools[kind] += 1
                        self.used[kind] += count

    def _behind_chunks(self, area: Area) -> int:
        """Where an area goes on behind large chunks of the C library, in which no pool lies."""
        place = area.start
        while place < area.end:
            try:
                previous, size = struct.unpack("<QQ", self._pages.read(place, 16))
            except Fault:
                break
            length = (size & -8) + 16 & -PAGE
            if size & 7 != 2 or size & -8 & (PAGE - 1) not in (0, PAGE - 16) or previous >= PAGE << 4:
                break
            if not _SMALLEST_CHUNK <= length <= area.end - place:
                break
            place += length
        return place

    # Arenas

    def _name(self, areas: List[Area], addresses: "array[int]", indexes: "array[int]") -> None:
        """Find the arrays that explain the pools; each interpreter may have one of its own."""
        while addresses:
            arenas = self._array(areas, addresses, indexes)
            if arenas is None:
                break
            self.arenas += arenas
            left, left_indexes = array("Q"), array("I")
            place = 0
            for arena in sorted(arenas):
                first = bisect_left(addresses, arena.address, place)
                left += addresses[place:first]
                left_indexes += indexes[place:first]
                place = bisect_left(addresses, arena.end, first)
            left += addresses[place:]
            left_indexes += indexes[place:]
            if len(left) == len(addresses):
                break
            addresses, indexes = left, left_indexes
            if len(left) <= _STRAY * self.count:
                break
        self.stray = len(addresses)
        self.arenas.sort()

    def _array(self, areas: List[Area], addresses: "array[int]", indexes: "array[int]") -> Optional[List[Arena]]:
        most = max(indexes)
        for index, _ in Counter(indexes).most_common(_TRIED):
            lowest = addresses[indexes.index(index)]
            wanted = [struct.pack("<Q", place) for place in range(lowest - self.size + PAGE, lowest + 1, PAGE)]
            # The array lies in the C library's heap, most often the program's own.
            for area in sorted(joined(areas), key=lambda area: (area.path != "[heap]", area.end - area.start)):
                for start, length in self._pages.runs(area.start, area.end):
                    got = self._pages.fill(start, length)
                    hits = [start + place for word in wanted for place in self._pages.find(word, got)]
                    for hit in hits:
                        arenas = self._records(hit - 48 * index, index, most, addresses, indexes)
                        if arenas:
                            return arenas
        return None

    def _records(
        self, base: int, wanted: int, most: int, addresses: "array[int]", indexes: "array[int]"
    ) -> Optional[List[Arena]]:
        """Return the arenas of what may be an array; None where it does not agree with the pools."""
        records: List[Tuple[int, int, int, int]] = []
        largest = 0
        for first in range(0, _MOST_RECORDS, _RECORDS):
            try:
                data = self._pages.read(base + 48 * first, 48 * _RECORDS)
            except Fault:
                break
            ended = False
            for offset, record in enumerate(_RECORD.iter_unpack(data)):
                address, carved, free, total = record[:4]
                if not address:
                    ended = first + offset > most
                elif address % PAGE or address >> 47 or not 0 < total <= 1 << 10 or free > total:
                    ended = True
                else:
                    largest = max(largest, total)
                    records.append((first + offset, address, carved, total))
                if ended:
                    break
            if ended:
                break
        length = 1 << (largest * self.size - 1).bit_length() if largest else 0
        good = bad = 0
        arenas: List[Arena] = []
        named = False
        for index, address, carved, _ in records:
            if not address <= carved <= address + length:
                break
            low, high = bisect_left(addresses, address), bisect_left(addresses, address + length)
            same = sum(1 for found in indexes[low:high] if found == index)
            good, bad = good + same, bad + high - low - same
            arenas.append(Arena(address, address + length, carved))
            named = named or index == wanted
        return arenas if named and good and bad <= 0.02 * (good + bad) + 1 else None
