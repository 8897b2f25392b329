"""Where members lie in the kernel's structures, and the ids of its types, from the kernel's own description."""

from __future__ import annotations

import struct
from typing import Dict, Iterable, Tuple

PATH = "/sys/kernel/btf/vmlinux"
STRUCT, TYPEDEF, FUNCTION = 4, 8, 12

_MAGIC = 0xEB9F
_HEADER = struct.Struct("<HBBIIIII")
_TYPE = struct.Struct("<III").unpack_from
# By kind: bytes after the head, for each of its n members and in all.
_EACH = [{4: 12, 5: 12, 6: 8, 13: 8, 15: 12, 19: 12}.get(kind, 0) for kind in range(32)]
_FIXED = [{1: 4, 3: 12, 14: 4, 17: 4}.get(kind, 0) for kind in range(32)]

Member = Tuple[str, str]
TypeName = Tuple[str, int]


class Btf:
    """Answers for the members and types that it was made for; what the kernel lacks is in ``missing``."""

    def __init__(self, members: Iterable[Member], types: Iterable[TypeName], path: str = PATH) -> None:
        with open(path, "rb") as file:
            self._data = file.read()
        if len(self._data) < _HEADER.size:
            raise ValueError("%s is cut short" % path)
        magic, _, _, head, types_at, types_length, strings_at, strings_length = _HEADER.unpack_from(self._data)
        if magic != _MAGIC:
            raise ValueError("%s is no BTF" % path)
        self._first = head + types_at
        self._end = self._first + types_length
        self._strings = self._data[head + strings_at : head + strings_at + strings_length]
        self.members: Dict[Member, int] = {}
        self.types: Dict[TypeName, int] = {}
        self._read(set(members), set(types))
        self.missing = sorted("%s.%s" % member for member in set(members) - set(self.members))
        self.missing += sorted(name for name, kind in set(types) - {key for key in self.types})
        del self._data, self._strings

    def _read(self, members: "set[Member]", types: "set[TypeName]") -> None:
        structs = {self._place(name): name for name, _ in members}
        named = {(self._place(name), kind): name for name, kind in types}
        wanted = set(structs) | {place for place, _ in named}
        # Some hundred thousand types: what is done for each is little.
        words = memoryview(self._data[self._first : self._end]).cast("I")
        each, fixed = [size // 4 for size in _EACH], [size // 4 for size in _FIXED]
        place, number, end = 0, 0, len(words)
        while place < end:
            number += 1
            information = words[place + 1]
            kind = information >> 24 & 31
            if words[place] in wanted:
                name = words[place]
                if kind == STRUCT and name in structs:
                    at = self._first + 4 * place + 12
                    self._members(structs[name], at, information & 0xFFFF, information >> 31, members)
                if (name, kind) in named:
                    self.types.setdefault((named[name, kind], kind), number)
            place += 3 + fixed[kind] + each[kind] * (information & 0xFFFF)

    def _members(self, name: str, place: int, count: int, bits: int, members: "set[Member]") -> None:
        for index in range(count):
            text, _, offset = _TYPE(self._data, place + 12 * index)
            key = (name, self._string(text))
            if key in members:
                self.members.setdefault(key, (offset & 0xFFFFFF if bits else offset) // 8)

    def _place(self, name: str) -> int:
        found = self._strings.find(b"\0" + name.encode() + b"\0")
        return found + 1 if found >= 0 else -1

    def _string(self, place: int) -> str:
        return self._strings[place : self._strings.index(b"\0", place)].decode("ascii", "replace")
