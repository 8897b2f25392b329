"""The frames of machine code on a thread's stack, by the tables that compilers leave for exceptions. x86-64."""

from __future__ import annotations

import bisect
import struct
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

from ..reader.memory import Fault, Source
from ..system.proc import Mapping
from .registers import Registers

_NAMES = "rax rdx rcx rbx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15".split()
_RSP, _RETURN = 7, 16
_KEPT = (3, 6, 12, 13, 14, 15)
_PT_LOAD, _PT_EH_FRAME = 1, 0x6474E550
# How the linkers write the table: offsets of four bytes from where it begins.
_HEAD = b"\x01\x1b\x03\x3b"
_LARGEST_TABLE, _LARGEST_ENTRY = 1 << 24, 1 << 16
_MOST_MODULES = 2000


class Lost(Exception):
    """The frames cannot be followed any further."""


class Frame(NamedTuple):
    """Where a thread is, or returns to: the address, its file's mapping, whether a signal handler returns there."""

    address: int
    path: str
    is_signal: bool


class _Rule(NamedTuple):
    """How a caller's registers are found: the base is a register and an offset; others lie at offsets from the base."""

    register: int
    offset: int
    saved: Tuple[Tuple[int, int], ...]
    is_signal: bool


class _Module(NamedTuple):
    start: int
    table: int
    # Where each function begins, and its entry, both from where the table begins.
    begins: Tuple[int, ...]
    entries: Tuple[int, ...]


class Unwinder:
    """Follows stacks of one process. What it learns of its files is kept; of their memory nothing is."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._modules: Dict[Tuple[int, str], Optional[_Module]] = {}
        self._rules: Dict[int, _Rule] = {}

    def frames(self, registers: Registers, maps: List[Mapping]) -> Iterator[Frame]:
        """Yield the frames from the innermost on; raise Lost where one is not described."""
        starts = [entry.start for entry in maps]
        values: Dict[int, int] = {number: registers[name] for number, name in enumerate(_NAMES)}
        address, called = registers["rip"], False
        while True:
            entry = self._mapping(address - called, maps, starts)
            rule = self._rule(address - called, entry, maps)
            yield Frame(address, entry.path, rule.is_signal)
            if rule.is_signal:
                return
            base = values[rule.register] + rule.offset if rule.register in values else 0
            if base <= values[_RSP] - 8 * called or base & 7:
                raise Lost("its stack does not grow")
            try:
                found = {number: self._source.u64(base + offset) for number, offset in rule.saved}
            except Fault:
                raise Lost("its stack cannot be read") from None
            address, called = found.pop(_RETURN, 0), True
            if not address:
                return
            # What a function need not keep is not known of its caller.
            values = {
                number: found.get(number, values[number]) for number in _KEPT if number in values or number in found}
            values[_RSP] = base

    @staticmethod
    def _mapping(address: int, maps: List[Mapping], starts: List[int]) -> Mapping:
        place = bisect.bisect_right(starts, address) - 1
        if place < 0 or address >= maps[place].end or "x" not in maps[place].permissions:
            raise Lost(f"it returns to {address:#x}, where no code is")
        return maps[place]

    def _rule(self, address: int, entry: Mapping, maps: List[Mapping]) -> _Rule:
        rule = self._rules.get(address)
        if rule is None:
            try:
                rule = self._rules[address] = self._find(address, entry, maps)
            except (Fault, struct.error, IndexError, KeyError):
                raise Lost(f"what describes {address:#x} cannot be read") from None
        return rule

    def _find(self, address: int, entry: Mapping, maps: List[Mapping]) -> _Rule:
        module = self._module(entry, maps)
        place = bisect.bisect_right(module.begins, address - module.table) - 1 if module is not None else -1
        if module is None or place < 0:
            raise Lost(f"nothing describes {address:#x} in {entry.path or 'memory without a file'}")
        return _Entry(self._source, module.table + module.entries[place]).rule_at(address)

    def _module(self, entry: Mapping, maps: List[Mapping]) -> Optional[_Module]:
        # The same file may be loaded twice; its parts lie together, the first of it before.
        first = entry
        for other in maps[maps.index(entry) :: -1]:
            if other.path != entry.path:
                break
            first = other
            if other.offset == 0:
                break
        key = (first.start, first.path)
        if key not in self._modules:
            if len(self._modules) >= _MOST_MODULES:
                raise Lost("it has too many files mapped")
            self._modules[key] = self._load(first.start)
        return self._modules[key]

    def _load(self, start: int) -> Optional[_Module]:
        header = self._source.read(start, 64)
        if header[:5] != b"\x7fELF\x02":
            return None
        offset = struct.unpack_from("<Q", header, 32)[0]
        size, count = struct.unpack_from("<HH", header, 54)
        if size != 56 or not 0 < count < 128:
            return None
        data = self._source.read(start + offset, size * count)
        segments = [struct.unpack_from("<IIQQQQ", data, size * index) for index in range(count)]
        bias = start - min(segment[3] & ~4095 for segment in segments if segment[0] == _PT_LOAD)
        for segment in segments:
            if segment[0] == _PT_EH_FRAME:
                return self._table(start, bias + segment[3])
        return None

    def _table(self, start: int, table: int) -> Optional[_Module]:
        head = self._source.read(table, 12)
        count = struct.unpack_from("<I", head, 8)[0]
        if head[:4] != _HEAD or not 0 < count * 8 <= _LARGEST_TABLE:
            return None
        numbers = struct.unpack(f"<{2 * count}i", self._source.read(table + 12, 8 * count))
        return _Module(start, table, numbers[::2], numbers[1::2])


class _Entry:
    """What describes one function: a few words of a small language."""

    def __init__(self, source: Source, place: int) -> None:
        size = source.u32(place)
        if not 0 < size <= _LARGEST_ENTRY:
            raise Lost("what describes it is too large")
        data = source.read(place + 4, size)
        common_place = place + 4 - struct.unpack_from("<I", data)[0]
        common_size = source.u32(common_place)
        if not 0 < common_size <= _LARGEST_ENTRY:
            raise Lost("what describes it is too large")
        common = _Words(source.read(common_place + 4, common_size), 4)
        version = common.byte()
        augmentation = common.text()
        self._code, self._data = common.number(), common.signed()
        return_register = common.byte() if version == 1 else common.number()
        if not augmentation.startswith(b"z") or return_register != _RETURN:
            raise Lost("what describes it is of another kind")
        end = common.number() + common.place
        encoding = self._encoding(augmentation, common)
        self.is_signal = b"S" in augmentation
        common.place = end
        self._common = common
        words = _Words(data, 4)
        if encoding != 0x1B:
            raise Lost("what describes it is of another kind")
        self._begin = place + 8 + words.int32()
        self._size = words.int32() & 0xFFFFFFFF
        words.place += words.number()
        self._words = words

    @staticmethod
    def _encoding(augmentation: bytes, words: "_Words") -> int:
        found = 0
        for letter in augmentation[1:]:
            if letter == ord("R"):
                found = words.byte()
            elif letter == ord("P"):
                kind = words.byte()
                words.place += {0x0B: 4, 0x03: 4, 0x00: 8, 0x04: 8, 0x0C: 8}[kind & 0x0F]
            elif letter == ord("L"):
                words.byte()
            elif letter != ord("S"):
                raise Lost("what describes it is of another kind")
        return found

    def rule_at(self, address: int) -> _Rule:
        """Return how the caller of an address is found."""
        if not self._begin <= address < self._begin + self._size:
            raise Lost(f"nothing describes {address:#x}")
        if self.is_signal:
            return _Rule(_RSP, 0, (), True)
        state = _State(self._code, self._data)
        state.run(self._common, self._begin, address)
        state.initial = dict(state.saved)
        state.run(self._words, self._begin, address)
        if state.register < 0:
            raise Lost("its caller's stack is computed in another way")
        return _Rule(state.register, state.offset, tuple(sorted(state.saved.items())), False)


class _State:
    def __init__(self, code: int, data: int) -> None:
        self._code, self._data = code, data
        self.register, self.offset = _RSP, 8
        self.saved: Dict[int, int] = {}
        self.initial: Dict[int, int] = {}
        self._stack: List[Tuple[int, int, Dict[int, int]]] = []

    def run(self, words: "_Words", at: int, address: int) -> None:
        """Follow what is said up to an address."""
        while words.left():
            byte = words.byte()
            high, low = byte & 0xC0, byte & 0x3F
            step: Optional[int] = None
            if high == 0x40:
                step = low
            elif high == 0x80:
                self.saved[low] = words.number() * self._data
            elif high == 0xC0:
                self._restore(low)
            elif low in (0x02, 0x03, 0x04):
                step = words.plain(1 << (low - 2))
            else:
                self._other(low, words)
            if step is not None:
                at += step * self._code
                if at > address:
                    return

    def _restore(self, register: int) -> None:
        self.saved.pop(register, None)
        if register in self.initial:
            self.saved[register] = self.initial[register]

    def _other(self, code: int, words: "_Words") -> None:
        if code == 0x0C:
            self.register, self.offset = words.number(), words.number()
        elif code == 0x0D:
            self.register = words.number()
        elif code == 0x0E:
            self.offset = words.number()
        elif code == 0x05:
            register = words.number()
            self.saved[register] = words.number() * self._data
        elif code == 0x06:
            self._restore(words.number())
        elif code in (0x07, 0x08):
            self.saved.pop(words.number(), None)
        elif code == 0x0A:
            self._stack.append((self.register, self.offset, dict(self.saved)))
        elif code == 0x0B:
            self.register, self.offset, self.saved = self._stack.pop()
        elif code == 0x0F:
            self.register = -1
            words.place += words.number()
        elif code in (0x10, 0x16):
            self.saved.pop(words.number(), None)
            words.place += words.number()
        elif code == 0x2E:
            words.number()
        elif code:
            raise Lost("what describes it has words that are not known")


class _Words:
    """Reads numbers one after the other."""

    def __init__(self, data: bytes, place: int) -> None:
        self._data = data
        self.place = place

    def left(self) -> bool:
        return self.place < len(self._data)

    def byte(self) -> int:
        self.place += 1
        return self._data[self.place - 1]

    def plain(self, size: int) -> int:
        self.place += size
        return int.from_bytes(self._data[self.place - size : self.place], "little")

    def int32(self) -> int:
        self.place += 4
        return int(struct.unpack_from("<i", self._data, self.place - 4)[0])

    def number(self) -> int:
        result = shift = 0
        while True:
            byte = self.byte()
            result |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return result

    def signed(self) -> int:
        begin = self.place
        value = self.number()
        bits = 7 * (self.place - begin)
        return value - (1 << bits) if value >> (bits - 1) else value

    def text(self) -> bytes:
        end = self._data.index(b"\0", self.place)
        begin, self.place = self.place, end + 1
        return self._data[begin:end]
