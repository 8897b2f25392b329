"""Python objects of the target: str, int, containers and the attributes of instances."""

from __future__ import annotations

import struct
from typing import Dict, Iterator, List, Optional, Sequence, Set, Tuple

from .layouts import Layout
from .memory import Fault, Missing, Source

_U64 = struct.Struct("<Q").unpack_from
_MOST_ENTRIES = 1 << 20
_HEAP_TYPE, _INLINE_VALUES, _MANAGED_DICT = 1 << 9, 1 << 2, 1 << 4
_CODECS = {1: "latin-1", 2: "utf-16-le", 4: "utf-32-le"}


class Objects:
    """Reads objects from a source, all sizes capped."""

    def __init__(self, source: Source, layout: Layout) -> None:
        self.source = source
        self.layout = layout
        self.u64 = source.u64
        self._type_names: Dict[int, str] = {}

    def type_of(self, address: int) -> int:
        """Return the address of an object's type."""
        return self.u64(address + self.layout.header - 8)

    def type_name(self, address: int) -> str:
        """Return the last part of the name of an object's type."""
        return self.type_name_of_type(self.type_of(address))

    def type_name_of_type(self, kind: int) -> str:
        """Return the last part of a type's name."""
        name = self._type_names.get(kind)
        if name is None:
            raw = self.source.cstring(self.u64(kind + self.layout.header + 8), 128)
            name = self._type_names[kind] = raw.decode("utf-8", "replace").rpartition(".")[2]
        return name

    def text(self, address: int, limit: int = 4096) -> str:
        """Return a str, cut after ``limit`` characters."""
        layout = self.layout
        head = self.source.read(address, layout.str_ascii)
        state = struct.unpack_from("<I", head, layout.str_state)[0]
        length = min(_U64(head, layout.str_length)[0], limit)
        # Free-threaded 3.14 and later keep 'interned' in a byte of its own.
        shift = 8 if layout.minor >= 14 and layout.free_threaded else 2
        kind, ascii_only = state >> shift & 7, state >> shift + 4 & 1
        if not length:
            return ""
        if ascii_only:
            return self.source.read(address + layout.str_ascii, length).decode("ascii", "replace")
        if kind not in _CODECS:
            raise Fault("str of kind %d" % kind)
        return self.source.read(address + layout.str_compact, length * kind).decode(_CODECS[kind], "replace")

    def is_text(self, address: int) -> bool:
        """Say whether an object is exactly a str."""
        return self.type_name(address) == "str"

    def integer(self, address: int) -> int:
        """Return an int of at most 120 bits; the sign is dropped."""
        size = self.u64(address + self.layout.header)
        if self.layout.minor >= 12:
            count = size >> 3
        else:
            count = abs(size - (1 << 64) if size >> 63 else size)
        if count > 4:
            raise Fault("int of %d digits" % count)
        value = 0
        for index in range(count):
            value |= self.source.u32(address + self.layout.header + 8 + 4 * index) << 30 * index
        return value

    def pointers(self, address: int, count: int) -> List[int]:
        """Return ``count`` pointers that stand side by side."""
        if not 0 <= count <= _MOST_ENTRIES:
            raise Fault("%d entries" % count)
        return list(struct.unpack("<%dQ" % count, self.source.read(address, 8 * count))) if count else []

    def list_items(self, address: int) -> List[int]:
        """Return the items of a list."""
        return self.pointers(self.u64(address + self.layout.header + 8), self.u64(address + self.layout.header))

    def tuple_items(self, address: int) -> List[int]:
        """Return the items of a tuple."""
        return self.pointers(address + self.layout.tuple_item, self.u64(address + self.layout.header))

    def set_items(self, address: int) -> List[int]:
        """Return the members of a set."""
        _, _, mask, table = struct.unpack("<QQQQ", self.source.read(address + self.layout.header, 32))
        words = self.pointers(table, 2 * (mask + 1))
        # A removed member leaves a dummy with the hash -1.
        return [words[index] for index in range(0, len(words), 2) if words[index] and words[index + 1] != (1 << 64) - 1]

    def dict_items(self, address: int) -> List[Tuple[int, int]]:
        """Return the pairs of a dict, in order."""
        keys = self.u64(address + self.layout.header + 16)
        values = self.u64(address + self.layout.header + 24)
        if values:
            return self._with_values(keys, values)
        return [(key, value) for key, value in self._keys(keys) if value]

    def text_dict(self, address: int) -> Dict[str, int]:
        """Return a dict whose keys are str; keys of another kind are left out."""
        return self._named(self.dict_items(address))

    def attributes(self, address: int) -> Dict[str, int]:
        """Return the attributes of an instance that has a dict."""
        layout = self.layout
        kind = self.type_of(address)
        flags = self.u64(kind + layout.header + 152)
        if layout.minor < 11 or not flags & _MANAGED_DICT:
            place = self.u64(kind + layout.header + 272)
            held = self.u64(address + place) if 0 < place < 1 << 20 else 0
            return self.text_dict(held) if held else {}
        values = 0
        held = self.u64(address - (8 if layout.free_threaded else 24))
        if layout.minor == 11:
            values = 0 if held else self.u64(address - 32)
        elif layout.minor == 12:
            # The pointer to values is told from one to a dict by its lowest bit, and points one too low.
            if held & 1:
                values, held = held + 1, 0
        elif not held and flags & _INLINE_VALUES:
            values = address + self.u64(kind + layout.header + 16)
        if held:
            return self.text_dict(held)
        return self._named(self._with_values(self.u64(kind + layout.type_keys), values)) if values else {}

    def module(self, interpreter: int, name: str) -> Dict[str, int]:
        """Return the names of a loaded module, nothing when it is not loaded."""
        module = self.find_module(interpreter, name)
        return self.text_dict(self.u64(module + self.layout.header)) if module else {}

    def find_module(self, interpreter: int, name: str) -> int:
        """Return the address of a loaded module, 0 when it is not loaded."""
        modules = self.u64(interpreter + self.layout.interpreter_modules)
        for key, value in self.dict_items(modules):
            try:
                # None stands for one that must not be loaded.
                if self.is_text(key) and self.text(key, 64) == name and self.type_name(value) != "NoneType":
                    return value
            except Fault:
                continue
        return 0

    def modules(self, interpreter: int, names: Sequence[str]) -> Set[str]:
        """Return which of some modules are loaded."""
        found: Set[str] = set()
        longest = max(map(len, names)) + 1
        for key, value in self.dict_items(self.u64(interpreter + self.layout.interpreter_modules)):
            try:
                if self.is_text(key) and self.text(key, longest) in names and self.type_name(value) != "NoneType":
                    found.add(self.text(key, longest))
            except Fault:
                continue
        return found

    def _named(self, pairs: List[Tuple[int, int]]) -> Dict[str, int]:
        result: Dict[str, int] = {}
        for key, value in pairs:
            try:
                if self.is_text(key):
                    result[self.text(key, 256)] = value
            except Missing:
                # Left out silently it would pass for an attribute that is not there.
                raise
            except Fault:
                continue
        return result

    def _keys(self, address: int) -> List[Tuple[int, int]]:
        """Return (key, value) of a dict's table of keys, empty entries included."""
        if self.layout.minor < 11:
            size = self.u64(address + 8)
            count = self.u64(address + 32)
            width = 1 if size <= 0xFF else 2 if size <= 0xFFFF else 4 if size <= 0xFFFFFFFF else 8
            entries, step, first = address + 40 + size * width, 3, 1
        else:
            head = self.source.read(address, 32)
            count = _U64(head, 24)[0]
            if head[9] > 40:
                raise Fault("dict index of 2^%d bytes" % head[9])
            # Tables with str keys alone do not keep the hashes.
            step, first = (3, 1) if head[10] == 0 else (2, 0)
            entries = address + 32 + (1 << head[9])
        words = self.pointers(entries, step * count)
        return list(zip(words[first::step], words[first + 1 :: step]))

    def _with_values(self, keys: int, values: int) -> List[Tuple[int, int]]:
        names = self._keys(keys)
        found = self.pointers(values + (8 if self.layout.minor >= 13 else 0), len(names))
        return [(name, value) for (name, _), value in zip(names, found) if value]


def interpreters(source: Source, layout: Layout, runtime: int, most: int = 256) -> Iterator[int]:
    """Yield the addresses of the interpreter states."""
    current: Optional[int] = source.u64(runtime + layout.runtime_head)
    seen = 0
    while current and seen < most:
        yield current
        seen += 1
        current = source.u64(current + layout.interpreter_next)
