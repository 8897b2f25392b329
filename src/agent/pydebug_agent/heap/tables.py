"""Memory that belongs to an object but lies elsewhere: keys, items, members, blocks, buffers."""

from __future__ import annotations

from array import array
from collections import Counter
from typing import Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from ..reader.memory import Fault
from .chunks import Chunks
from .kinds import DICT, HEAP_TYPE, LIST, MANAGED_DICT, Kind, Kinds
from .pages import Pages
from .pools import Pools

_FULL = 1 << 16
_OWN_DATA = 4
_SMALL_SET = 7
_BLOCK = 65 * 8
_MOST_BLOCKS = 100_000
# Bases whose instances own memory elsewhere; the shape that is read of them.
_BASES = {
    "set": "set", "frozenset": "set", "bytearray": "bytearray", "collections.deque": "deque", "array.array": "array",
    "numpy.ndarray": "ndarray",
}


class Owner(NamedTuple):
    """Which words of an object tell of its table, counted from the object; ``signed`` ones lie before it."""

    shape: str
    words: Tuple[int, ...]
    signed: bool = False


_OWNERS = {
    "list": Owner("list", (3,)),
    "dict": Owner("dict", (4, 5)),
    "set": Owner("set", (5, 4)),
    "bytearray": Owner("bytearray", (4,)),
    "deque": Owner("deque", (3, 4)),
    "array": Owner("array", (3,)),
    "ndarray": Owner("ndarray", (2, 8, 7)),
}
# Their buffers hold no references, unless an array's elements are objects.
_PLAIN = frozenset(("bytearray", "array", "ndarray"))


def shape_of(kinds: Kinds, kind: Kind) -> str:
    """Return the container that a type is or derives from, empty for another."""
    if kind.has(LIST):
        return "list"
    if kind.has(DICT):
        return "dict"
    current: Optional[Kind] = kind
    for _ in range(64):
        if current is None:
            break
        shape = _BASES.get(current.name)
        if shape is not None:
            return shape
        current = kinds.by_address.get(current.base)
    return ""


def owners_of(kinds: Kinds, minor: int) -> Dict[int, Owner]:
    """Return what is read of which type, by number."""
    owners: Dict[int, Owner] = {}
    for kind in kinds.all[1:]:
        assert kind is not None
        shape = shape_of(kinds, kind)
        if shape and not (shape == "bytearray" and minor >= 15):
            owners[kind.number] = _OWNERS[shape]
        elif kind.has(MANAGED_DICT) and minor in (11, 12):
            # The values lie apart: their pointer stands before the collector's words.
            owners[kind.number] = Owner("values", (-4 if minor == 11 else -3,), True)
    return owners


class Tables:
    """Sums the tables of a census by the type that owns them."""

    def __init__(self, pages: Pages, pools: Pools, chunks: Chunks, kinds: Kinds, minor: int, shift: int) -> None:
        self._pages = pages
        self._pools = pools
        self._chunks = chunks
        self._kinds = kinds
        self._minor = minor
        self._shift = 8 * shift
        self.owners = owners_of(kinds, minor)
        self._waiting: Dict[int, "array[int]"] = {}
        # By type and size class of the owner: bytes, their squares' sum, how many.
        self.sums: Dict[int, List[int]] = {}
        # Chunks of their own in which no reference lies.
        self.dull: Set[int] = set()
        self._referring: Set[int] = set()
        self._descriptions: Dict[int, bool] = {}
        self.in_chunks = 0
        self.pooled: Dict[int, int] = {}

    def add(self, key: int, owner: Owner, columns: List[Sequence[int]]) -> None:
        """Note the tables of some objects of one type."""
        waiting = self._waiting.get(key)
        if waiting is None:
            waiting = self._waiting[key] = array("Q")
        shape = owner.shape
        if shape == "dict":
            # Keys that are shared belong to the class.
            waiting.extend([values or keys for keys, values in zip(*columns)])
        elif shape == "set":
            waiting.extend([table for table, mask in zip(*columns) if mask > _SMALL_SET])
        elif shape == "ndarray":
            for data, flags, description in zip(*columns):
                if flags & _OWN_DATA:
                    waiting.append(data)
                    if self._has_objects(description):
                        self._referring.add(data)
        elif shape == "values":
            pointers = columns[0]
            if self._minor == 12:
                waiting.extend([pointer + 1 for pointer in pointers if pointer & 1])
            else:
                waiting.extend([pointer for pointer in pointers if pointer])
        elif shape == "deque":
            for left, right in zip(*columns):
                waiting.extend(self._blocks(left, right))
        else:
            waiting.extend(columns[0])

    def _has_objects(self, description: int) -> bool:
        """Whether the elements of an array are references, by its dtype."""
        found = self._descriptions.get(description)
        if found is None:
            try:
                found = self._pages.read(description + 24, 1) == b"O"
            except Fault:
                found = True
            self._descriptions[description] = found
        return found

    def _blocks(self, left: int, right: int) -> List[int]:
        blocks = [left]
        while blocks[-1] and blocks[-1] != right and len(blocks) < _MOST_BLOCKS:
            try:
                blocks.append(self._pages.u64(blocks[-1] + _BLOCK))
            except Fault:
                break
        return blocks

    def flush_full(self) -> None:
        """Sum up what has become much."""
        for key, waiting in self._waiting.items():
            if len(waiting) >= _FULL:
                self._sum(key, waiting)
                self._waiting[key] = array("Q")

    def flush(self) -> None:
        """Sum up the rest."""
        for key, waiting in self._waiting.items():
            self._sum(key, waiting)
        self._waiting = {}

    def classes(self, own: int) -> None:
        """Count the keys that instances share to the class of classes, whose number is given."""
        classes = [kind for kind in self._kinds.all if kind is not None and kind.has(HEAP_TYPE)]
        shared = self._pages.words([kind.address + self._kinds.keys_offset for kind in classes])
        self._sum(own << 5 | 31, array("Q", sorted({word for word in shared if word})))

    def _sum(self, key: int, pointers: "array[int]") -> None:
        entry = self.sums.setdefault(key, [0, 0, 0])
        sizes = self._pools.sizes(pointers)
        for size, count in Counter(sizes).items():
            if size:
                self._note(entry, size, count)
                kind = (size >> 4) - 1
                self.pooled[kind] = self.pooled.get(kind, 0) + count
        if 0 in sizes:
            elsewhere = [pointer - self._shift for pointer, size in zip(pointers, sizes) if not size and pointer]
            owner = self.owners.get(key >> 5)
            plain = owner is not None and owner.shape in _PLAIN
            for pointer, size in self._chunks.sizes(elsewhere).items():
                self._note(entry, size, 1)
                self.in_chunks += size
                if plain and pointer + self._shift not in self._referring:
                    self.dull.add(pointer - 16)

    @staticmethod
    def _note(entry: List[int], size: int, count: int) -> None:
        entry[0] += size * count
        entry[1] += size * size * count
        entry[2] += count


