"""Counts every object by type: pools column by column, large ones chunk by chunk."""

from __future__ import annotations

import struct
import time
from array import array
from collections import Counter
from itertools import compress, repeat
from operator import eq
from typing import Callable, Dict, List, Optional, Sequence, Set, Tuple

from ..reader.memory import Fault
from .kinds import ATOMS, INT, TEXT, TYPE, Kind, Kinds
from .pages import PAGE, Pages
from .pools import CLASSES, HEADER, Arena, Pools
from .tables import Tables

_HEADER_WORDS = HEADER >> 3
_REREADS = 4
HASH = 0x9E3779B97F4A7C15
_MOST_LENGTH = 1 << 48
_SLACK = 64
_MOST_TIMED = 600
# Of pools with owners of tables.
_OWNING_PART = 400 << 20
# Their items are a frame, whose length is not where that of others is.
_UNCOUNTED = frozenset(("generator", "coroutine", "async_generator", "frame"))

_Column = List[Optional[int]]
Key = int  # the type's number, times 32, plus the size class


def kept_of(address: int, every: int) -> bool:
    """Say whether an address is one of those kept, of so many one."""
    return not (address * HASH >> 24 & 0xFFFFFF) % every


class Wanted:
    """Types whose objects' addresses are kept: as many as there is room for, chosen by the addresses themselves."""

    def __init__(self, wants: Callable[[Kind], bool], most: int, pools: int = 1) -> None:
        self._wants = wants
        self._most = most
        # Of how many pools one is searched for them.
        self._pools = pools
        self._numbers: Dict[int, bool] = {}
        # The number of a type -> of how many objects one is kept, and the addresses.
        self.every: Dict[int, int] = {}
        self.addresses: Dict[int, "array[int]"] = {}

    def wants(self, kind: Optional[Kind], base: int = 0) -> bool:
        """Say whether a type's addresses are kept, in this pool."""
        if kind is None or self._pools > 1 and (base * HASH >> 36) % self._pools:
            return False
        known = self._numbers.get(kind.number)
        if known is None:
            known = self._numbers[kind.number] = self._wants(kind)
        return known

    def keep(self, number: int, addresses: Sequence[int]) -> None:
        """Keep some of the addresses of objects of a type."""
        every = self.every.setdefault(number, 1)
        kept = self.addresses.setdefault(number, array("Q"))
        kept.extend([each for each in addresses if kept_of(each, every)] if every > 1 else addresses)
        while len(kept) > self._most:
            every = self.every[number] = every * 2
            kept = array("Q", [each for each in kept if kept_of(each, every)])
            self.addresses[number] = kept


class Census:
    """One pass over the memory of Python."""

    def __init__(
        self, pages: Pages, pools: Pools, kinds: Kinds, tables: Tables, shift: int, chunk_shift: int, minor: int,
        every: int,
    ) -> None:
        self._pages = pages
        self._pools = pools
        self._kinds = kinds
        self._tables = tables
        self._shift = shift
        self._chunk_shift = chunk_shift
        self._minor = minor
        self._every = every
        self._columns = kinds.columns
        self._befores = [kind.before if kind is not None else 0 for kind in kinds.all]
        self._sizes = [_least(kind) if kind is not None else 0 for kind in kinds.all]
        self._atoms = frozenset(kind.number for kind in kinds.all if kind is not None and kind.name in ATOMS)
        self.wanted: Optional[Wanted] = None
        # Objects in pools by type and size class, and where a part was looked at, sums over its pools.
        self.counts: Dict[Key, int] = {}
        # When each arena was looked at, and how many objects of each type there were in it.
        self.by_arena: Dict[int, Tuple[float, Dict[int, int]]] = {}
        self._here: Dict[int, int] = {}
        self._read_at = 0.0
        self.squares: Dict[Key, Tuple[int, int]] = {}
        self.pools_seen = [0] * CLASSES
        self.blocks_seen = [0] * CLASSES
        self.block_squares = [0] * CLASSES
        self.unknown = [0] * CLASSES
        self.large: Dict[int, List[int]] = {}
        self.free = self.empty = 0
        self.torn = self.torn_bytes = 0
        # Chunks of their own that hold text or the like.
        self.dull: Set[int] = set()

    # Pools

    def arenas(self, pause: Callable[[], None]) -> None:
        """Go through all arenas, or a part of their pools; of those that have owners of tables through more of them.

        A table may be as large as all others together: it must not be missed by chance.
        """
        if self._every == 1:
            self._through(self._whole, pause)
            return
        self._through(lambda arena: self._some(arena, lambda base, kind: self._is_chosen(base, self._every)), pause)
        owning = {key & 31 for key in self.counts if self._owns(key >> 5)}
        size = sum(self._pools.pools[kind] for kind in owning) * self._pools.size
        every = max(1, -(-size // _OWNING_PART))
        if owning and every < self._every:
            self._through(lambda arena: self._some(arena, lambda base, kind: kind in owning and self._is_chosen(
                base, every) and not self._is_chosen(base, self._every)), pause)

    def _through(self, look: Callable[[Arena], None], pause: Callable[[], None]) -> None:
        for arena in list(self._pools.arenas):
            self._here = {}
            self._read_at = 0.0
            look(arena)
            if self._read_at and len(self.by_arena) < _MOST_TIMED:
                self.by_arena[arena.address] = (self._read_at, self._here)
            self._tables.flush_full()
            pause()

    def _owns(self, number: int) -> bool:
        owner = self._tables.owners.get(number)
        return owner is not None and owner.shape != "values"

    @staticmethod
    def _is_chosen(base: int, every: int) -> bool:
        return not (base * HASH >> 32 & 0xFFFFFF) % every

    def _whole(self, arena: Arena) -> None:
        size = arena.end - arena.address
        flags = self._pages.flags(arena.address, arena.end)
        if flags.count(1) != len(flags):
            self._pages.window[:size] = bytes(size)
        for start, length in self._pages.runs(arena.address, arena.end):
            self._pages.fill(start, length, start - arena.address)
        self._read_at = time.monotonic()
        words = self._pages.window[:size].cast("Q")
        for base in self._pools.places(arena):
            if base >= arena.carved:
                break
            place = base - arena.address
            # What is swapped out stays there.
            if 2 not in flags[place // PAGE : (place + self._pools.size) // PAGE]:
                self._pool(base, words, place >> 3)

    def _some(self, arena: Arena, chosen: Callable[[int, int], bool]) -> None:
        size = self._pools.size
        for base in self._pools.places(arena):
            if base >= arena.carved:
                break
            size_class = self._pools.class_of(base)
            if size_class is None or not chosen(base, size_class):
                continue
            flags = self._pages.flags(base, base + size)
            if 2 in flags:
                continue
            self._pages.window[:size] = bytes(size)
            for start, length in self._pages.runs(base, base + size):
                self._pages.fill(start, length, start - base)
            self._pool(base, self._pages.window[:size].cast("Q"), 0)

    def _pool(self, base: int, words: memoryview, at: int, reads: int = 0) -> None:
        pool_size = self._pools.size
        count = words[at] & 0xFFFFFFFF
        kind = words[at + 4] >> 32
        if not count or kind >= CLASSES:
            self.empty += pool_size
            return
        ends, size = words[at + 5], kind + 1 << 4
        following = ends & 0xFFFFFFFF
        carved = (following - HEADER) // size
        free = self._free(base, words, at, following, size, carved)
        sound = ends >> 32 == pool_size - size and HEADER <= following <= pool_size and free is not None
        if free is None or not sound or carved - len(free) != count:
            # Torn: it changed while it was copied. Alone it is one copy of a few microseconds.
            if reads < _REREADS:
                try:
                    fresh = memoryview(self._pages.read(base, pool_size)).cast("Q")
                except Fault:
                    pass
                else:
                    self._pool(base, fresh, 0, reads + 1)
                    return
            self.torn += 1
            self.torn_bytes += pool_size
            return
        self.pools_seen[kind] += 1
        self.blocks_seen[kind] += count
        self.block_squares[kind] += count * count
        self.free += len(free) * size
        numbers = self._numbers(words[at + _HEADER_WORDS : at + _HEADER_WORDS + carved * (size >> 3)], size >> 3, free)
        if numbers is None:
            self.unknown[kind] += count
            self._pools.mark(base, size, False)
            return
        self._sum(base, words, at, kind, count, numbers, carved == count)

    @staticmethod
    def _free(
        base: int, words: memoryview, at: int, following: int, size: int, carved: int
    ) -> Optional[List[int]]:
        """Return which blocks wait to be used again; None where their list leads astray."""
        free: List[int] = []
        block = words[at + 1]
        while block:
            offset = block - base
            if not HEADER <= offset < following or (offset - HEADER) % size or len(free) > carved:
                return None
            free.append((offset - HEADER) // size)
            block = words[at + (offset >> 3)]
        return free

    def _numbers(self, blocks: memoryview, stride: int, free: List[int]) -> Optional[_Column]:
        """Return the number of the type of each block's object, None for a block that holds none."""
        merged: Optional[_Column] = None
        for index, column in enumerate(self._columns):
            place = self._shift + 2 * index + 1
            if place >= stride:
                break
            found: _Column = list(map(column.get, blocks[place::stride]))
            for block in free:
                found[block] = None
            if not any(found):
                continue
            self._alive(found, blocks, place - 1, stride)
            if merged is None:
                merged = found
            else:
                # What stands further in may be a field of the object.
                merged = [first or second for first, second in zip(merged, found)]
        return merged

    @staticmethod
    def _alive(found: _Column, blocks: memoryview, place: int, stride: int) -> None:
        """Take out what has no reference: it waits in one of the interpreter's own lists."""
        data = blocks.cast("B")
        middle = data.cast("H")[place * 4 + 2 :: stride * 4]
        low = data.cast("I")[place * 2 :: stride * 2]
        if any(middle) or not all(low):
            for index, number in enumerate(found):
                if number and (middle[index] or not low[index]):
                    found[index] = None

    def _sum(
        self, base: int, words: memoryview, at: int, kind: int, count: int, numbers: _Column, whole: bool
    ) -> None:
        size = kind + 1 << 4
        found = Counter(numbers)
        found.pop(None, None)
        known = 0
        first = at + _HEADER_WORDS
        stride = size >> 3
        last = first + len(numbers) * stride
        for number, many in found.items():
            assert number is not None
            if self._sizes[number] > size:
                continue
            known += many
            key = number << 5 | kind
            self.counts[key] = self.counts.get(key, 0) + many
            self._here[number] = self._here.get(number, 0) + many
            if self._every > 1:
                square, product = self.squares.get(key, (0, 0))
                self.squares[key] = square + many * many, product + many * count
            owner = self._tables.owners.get(number)
            wanted = self.wanted is not None and self.wanted.wants(self._kinds.all[number], base)
            if owner is None and not wanted:
                continue
            before = self._befores[number] + self._shift
            alone = whole and many == len(numbers)
            chosen = None if alone else list(map(eq, numbers, repeat(number)))
            if owner is not None:
                columns: List[Sequence[int]] = []
                for word in owner.words:
                    column = words[first + before + word : last : stride]
                    columns.append(column if chosen is None else array("Q", compress(column, chosen)))
                self._tables.add(key, owner, columns)
            if wanted and self.wanted is not None:
                start = base + HEADER + 8 * before
                places: Sequence[int] = range(start, start + len(numbers) * size, size)
                self.wanted.keep(number, places if chosen is None else list(compress(places, chosen)))
        self.unknown[kind] += count - known
        self._pools.mark(base, size, known == count and self._atoms.issuperset(found))

    # Chunks

    def chunk(self, address: int, size: int, words: memoryview, place: int) -> None:
        """Count the object in a chunk of the C library, if it holds one."""
        shift = place + self._chunk_shift
        length = len(words)
        for index, column in enumerate(self._columns):
            at = shift + 2 * index
            if at + 1 >= length:
                return
            number = column.get(words[at + 1])
            if number and words[at] & 0xFFFFFFFF and not words[at] >> 32 & 0xFFFF:
                break
        else:
            return
        # Its end must lie within the chunk: what was there before looks like an object, too.
        kind = self._kinds.all[number]
        assert kind is not None
        needed = kind.basic
        if kind.item and at + 2 < length and not kind.has(TYPE) and kind.name not in _UNCOUNTED:
            items = words[at + 2]
            if kind.has(INT):
                items = items >> 3 if self._minor >= 12 else min(items, -items & (1 << 64) - 1)
            needed += kind.item * (items if items < _MOST_LENGTH else 0)
        if needed + 8 * kind.before > size + _SLACK:
            return
        entry = self.large.setdefault(number, [0, 0])
        entry[0] += 1
        entry[1] += size + 8
        start = address + 8 * (at - place)
        if number in self._atoms:
            self.dull.add(address - 16)
        if self.wanted is not None and self.wanted.wants(kind):
            self.wanted.keep(number, (start,))
        owner = self._tables.owners.get(number)
        if owner is not None and at + max(owner.words) < length:
            self._tables.add(
                number << 5 | CLASSES - 1,
                owner,
                [(words[at + word],) for word in owner.words],
            )


def _least(kind: Kind) -> int:
    """The least that an object of a type takes. A text's type has the size of one that is not compact."""
    return 40 if kind.has(TEXT) and kind.basic <= 80 else kind.basic + 8 * kind.before


def debug_shift(pages: Pages, pools: Pools) -> int:
    """Return how many words the allocator's debug hooks put before each block: 2 or 0."""
    marked = seen = 0
    for arena in pools.arenas[:8]:
        for base, data in pages.each(list(pools.places(arena))[:16], 256):
            kind = struct.unpack_from("<I", data, 36)[0]
            if base < arena.carved and kind < 12 and struct.unpack_from("<I", data)[0]:
                seen += 1
                # The second of two words: an 'o' or 'm' and seven forbidden bytes.
                size = kind + 1 << 4
                marked += any(
                    data[place + 9 : place + 16] == b"\xfd" * 7 for place in range(HEADER, 240, size)
                )
    return 2 if seen and marked > seen // 2 else 0
