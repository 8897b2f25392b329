"""The types of a process: found by the types of the types, named by module and qualified name."""

from __future__ import annotations

import struct
from typing import Dict, List, Optional, Set, Tuple

from ..reader.layouts import Layout
from ..reader.memory import Fault, Memory
from ..reader.memory import Pages as Cached
from ..reader.objects import Objects
from .pages import PAGE, Pages

HEAP_TYPE, INLINE_VALUES, MANAGED_WEAKREF, MANAGED_DICT = 1 << 9, 1 << 2, 1 << 3, 1 << 4
READY, COLLECTED = 1 << 12, 1 << 14
INT, LIST, TUPLE, BYTES, TEXT, DICT, EXCEPTION, TYPE = [1 << bit for bit in range(24, 32)]
_NAME, _FLAGS, _DICT_OFFSET, _BASE, _OWN_DICT, _MEMBERS = 8, 152, 272, 240, 248, 224
_HEAD = 288
_LONGEST_NAME = 128
_MOST_TYPES = 1 << 17
_MOST_MEMBERS = 200
_OBJECT_MEMBERS = (6, 16)
# What holds no reference to anything.
ATOMS = frozenset((
    "str", "bytes", "int", "float", "complex", "bool", "datetime.datetime", "datetime.date", "datetime.time",
    "datetime.timedelta", "decimal.Decimal", "_io.BytesIO",
))

class Kind:
    """One type."""

    __slots__ = ("number", "address", "name", "flags", "basic", "item", "before", "dict_offset", "base", "_full",
                 "members")

    def __init__(self, address: int, head: Tuple[int, int, int, int, int, int], name: str, before: int) -> None:
        self.number = 0
        self.address = address
        self.name = name
        _, self.basic, self.item, self.flags, self.base, self.dict_offset = head
        # Words before the object that belong to it, the collector's included.
        self.before = before
        self._full: Optional[str] = None
        self.members: Optional[Dict[int, str]] = None

    @property
    def short(self) -> str:
        """The last part of the name."""
        return self.name.rpartition(".")[2]

    def has(self, flag: int) -> bool:
        """Say whether the type has a flag."""
        return bool(self.flags & flag)


class Kinds:
    """All types of a process, by address and by number; number 0 is none."""

    def __init__(self, pages: Pages, layout: Layout, memory: Memory) -> None:
        self._pages = pages
        self._layout = layout
        self._cached = Cached(memory)
        self._objects = Objects(self._cached, layout)
        self._names: Dict[int, Tuple[str, str]] = {}
        self.keys_offset = layout.type_keys
        self.by_address: Dict[int, Kind] = {}
        self.all: List[Optional[Kind]] = [None]
        # Where the type stands in a block, in words, is told by what lies before the object.
        self.columns: Tuple[Dict[int, int], Dict[int, int], Dict[int, int]] = ({}, {}, {})

    def look(self, modules: int, spans: List[Tuple[int, int]]) -> None:
        """Find the types in the given memory, those that are new."""
        header = self._layout.header
        own = self._pages.u64(self._pages.u64(modules + header - 8) + header - 8)
        if self._pages.u64(own + header - 8) != own:
            raise Fault("the type of types is not its own type")
        seen: Set[int] = set()
        todo = [own]
        while todo:
            seen.update(todo)
            words = [struct.pack("<Q", address) for address in todo]
            todo = []
            places: List[int] = []
            for low, high in spans:
                for start, length in self._pages.runs(low, high):
                    got = self._pages.fill(start, length)
                    for word in words:
                        places += [start + place - header + 8 for place in self._pages.find(word, got)]
            for kind in self._check(places):
                if kind.has(TYPE) and kind.address not in seen:
                    todo.append(kind.address)

    def forget(self) -> None:
        """Drop what was read for names: the next ones are read anew."""
        self._cached.forget()

    def _check(self, places: List[int]) -> List[Kind]:
        """Return those places at which a type begins that was not known."""
        header = self._layout.header
        heads: Dict[int, Tuple[int, int, int, int, int, int]] = {}
        for place, data in self._pages.each([at for at in places if at not in self.by_address], header + _HEAD):
            references = struct.unpack_from("<Q", data, header - 16)[0]
            name, basic, item = struct.unpack_from("<QQQ", data, header + _NAME)
            flags = struct.unpack_from("<Q", data, header + _FLAGS)[0]
            base = struct.unpack_from("<Q", data, header + _BASE)[0]
            dict_offset = struct.unpack_from("<q", data, header + _DICT_OFFSET)[0]
            if flags & READY and 8 <= basic < 1 << 20 and item <= 1 << 16 and references and PAGE <= name < 1 << 47:
                heads[place] = (name, basic, item, flags, base, dict_offset)
        texts = self._texts([head[0] for head in heads.values()])
        found: List[Kind] = []
        for place, head in heads.items():
            text = texts.get(head[0], "")
            if text and text.isprintable() and len(self.all) < _MOST_TYPES:
                found.append(self._add(Kind(place, head, text, self._before(head[3]))))
        return found

    def _texts(self, addresses: List[int]) -> Dict[int, str]:
        result: Dict[int, str] = {}
        for address, data in self._pages.each(addresses, _LONGEST_NAME):
            result[address] = data.split(b"\0")[0].decode("utf-8", "replace")
        for address in addresses:
            if address not in result:
                # It may end just before a page that is not there.
                try:
                    data = self._pages.read(address, min(_LONGEST_NAME, PAGE - address % PAGE))
                    result[address] = data.split(b"\0")[0].decode("utf-8", "replace")
                except Fault:
                    continue
        return result

    def _before(self, flags: int) -> int:
        words = 2 if flags & COLLECTED and not self._layout.free_threaded else 0
        minor = self._layout.minor
        managed = MANAGED_DICT if minor == 11 else MANAGED_DICT | MANAGED_WEAKREF if minor >= 12 else 0
        return words + (2 if flags & managed else 0)

    def _add(self, kind: Kind) -> Kind:
        kind.number = len(self.all)
        self.all.append(kind)
        self.by_address[kind.address] = kind
        self.columns[kind.before // 2][kind.address] = kind.number
        return kind

    # Names

    def full_name(self, kind: Kind) -> Tuple[str, str]:
        """Return the module and the qualified name of a type; builtins have no module."""
        found = self._names.get(kind.address)
        if found is None:
            found = self._names[kind.address] = self._full(kind)
        return found

    def title(self, kind: Kind) -> str:
        """Return a type's name with its module as people write it."""
        module, name = self.full_name(kind)
        return "%s.%s" % (module, name) if module and module != "builtins" else name

    def _full(self, kind: Kind) -> Tuple[str, str]:
        module, _, name = kind.name.rpartition(".")
        if not kind.has(HEAP_TYPE):
            return module or "builtins", name
        header, source = self._layout.header, self._cached
        try:
            qualified = source.u64(kind.address + self._layout.type_keys - 8)
            if self._objects.is_text(qualified):
                name = self._objects.text(qualified, _LONGEST_NAME) or name
            own = source.u64(kind.address + header + _OWN_DICT)
            held = self._objects.text_dict(own).get("__module__") if own else None
            if held and self._objects.is_text(held):
                module = self._objects.text(held, _LONGEST_NAME)
        except (Fault, struct.error, IndexError):
            pass
        return module or "builtins", name

    def members_of(self, kind: Kind) -> Dict[int, str]:
        """Return the names of a type's fields that are objects, by offset; those of its bases too."""
        if kind.members is None:
            kind.members = {}
            header, source = self._layout.header, self._cached
            try:
                place = source.u64(kind.address + header + _MEMBERS)
                for _ in range(_MOST_MEMBERS if place else 0):
                    name, what, offset = struct.unpack("<QQQ", source.read(place, 24))
                    if not name:
                        break
                    if what & 0xFFFFFFFF in _OBJECT_MEMBERS:
                        kind.members[offset] = source.cstring(name, 64).decode("utf-8", "replace")
                    place += 40
            except (Fault, struct.error):
                pass
            base = self.by_address.get(kind.base)
            if base is not None and base is not kind:
                for offset, text in self.members_of(base).items():
                    kind.members.setdefault(offset, text)
        return kind.members
