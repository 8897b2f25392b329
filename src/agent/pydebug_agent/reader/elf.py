"""Symbols of ELF images: from the target's memory where they are exported, from a file where they are not."""

from __future__ import annotations

import os
import struct
from typing import Dict, Iterator, List, Optional, Tuple

from .memory import Fault, Source

_PT_LOAD, _PT_DYNAMIC = 1, 2
_DT_HASH, _DT_STRTAB, _DT_SYMTAB, _DT_STRSZ, _DT_GNU_HASH = 4, 5, 6, 10, 0x6FFFFEF5
_SHT_SYMTAB = 2
_MOST_SYMBOLS = 1 << 20
_MOST_SEARCHED = 1 << 16
# In one bucket of a hash table, where real ones have a few.
_MOST_CHAINED = 1 << 12
_MOST_TABLES = 2
_MOST_TABLE = 1 << 24
_SYMBOL = struct.Struct("<IBBHQQ")


class Image:
    """An ELF image as it lies in memory; no file is needed, so a deleted or replaced one does not matter."""

    def __init__(self, source: Source, start: int) -> None:
        self._source = source
        header = source.read(start, 64)
        if header[:4] != b"\x7fELF" or header[4] != 2 or header[5] != 1:
            raise Fault("no 64-bit little-endian ELF image at %#x" % start)
        offset = struct.unpack_from("<Q", header, 32)[0]
        size, count = struct.unpack_from("<HH", header, 54)
        if size != 56 or not 0 < count < 128:
            raise Fault("odd program headers at %#x" % start)
        data = source.read(start + offset, size * count)
        segments: List[Tuple[int, ...]] = [
            struct.unpack_from("<IIQQQQQQ", data, size * index) for index in range(count)
        ]
        loads = [segment for segment in segments if segment[0] == _PT_LOAD]
        if not loads:
            raise Fault("nothing to load at %#x" % start)
        self.bias = start - min(segment[3] & ~4095 for segment in loads)
        self.end = self.bias + max(segment[3] + segment[6] for segment in loads)
        self._dynamic: Dict[int, int] = {}
        for segment in segments:
            if segment[0] == _PT_DYNAMIC:
                self._read_dynamic(self.bias + segment[3], min(segment[6], 1 << 16))

    def _read_dynamic(self, address: int, size: int) -> None:
        data = self._source.read(address, size)
        for offset in range(0, len(data) - 15, 16):
            tag, value = struct.unpack_from("<QQ", data, offset)
            if tag == 0:
                break
            self._dynamic.setdefault(tag, value)

    def _address(self, tag: int) -> int:
        # The loader of glibc relocates these entries in place, musl's does not.
        value: int = self._dynamic[tag]
        return value if self.bias and value >= self.bias else value + self.bias

    def symbol(self, name: str) -> Optional[int]:
        """Return the address of an exported symbol, None when it is not there."""
        found = self.extent(name)
        return found[0] if found else None

    def extent(self, name: str) -> Optional[Tuple[int, int]]:
        """Return the address and the size of an exported symbol, None when it is not there."""
        if _DT_SYMTAB not in self._dynamic or _DT_STRTAB not in self._dynamic:
            return None
        if _DT_GNU_HASH in self._dynamic:
            return self._by_gnu_hash(name.encode())
        if _DT_HASH in self._dynamic:
            return self._by_search(name.encode())
        return None

    def _entry(self, index: int) -> Tuple[int, int, int, int]:
        data = self._source.read(self._address(_DT_SYMTAB) + 24 * index, 24)
        name, _, _, section, value, size = _SYMBOL.unpack(data)
        return name, section, value, size

    def _by_gnu_hash(self, name: bytes) -> Optional[Tuple[int, int]]:
        table = self._address(_DT_GNU_HASH)
        buckets, first, bloom, _ = struct.unpack("<4I", self._source.read(table, 16))
        if not 0 < buckets < _MOST_SYMBOLS or bloom > _MOST_SYMBOLS:
            raise Fault("odd hash table")
        wanted = 5381
        for byte in name:
            wanted = (wanted * 33 + byte) & 0xFFFFFFFF
        bucket_table = table + 16 + 8 * bloom
        index = self._source.u32(bucket_table + 4 * (wanted % buckets))
        if index < first:
            return None
        chain = bucket_table + 4 * buckets
        for _ in range(_MOST_CHAINED):
            found = self._source.u32(chain + 4 * (index - first))
            if found | 1 == wanted | 1:
                string, section, value, size = self._entry(index)
                if self._source.cstring(self._address(_DT_STRTAB) + string, len(name) + 1) == name:
                    return (int(value) + self.bias, size) if section else None
            if found & 1:
                return None
            index += 1
        return None

    def _by_search(self, name: bytes) -> Optional[Tuple[int, int]]:
        count = self._source.u32(self._address(_DT_HASH) + 4)
        if count > _MOST_SEARCHED:
            raise Fault("odd hash table")
        strings = self._source.read(self._address(_DT_STRTAB), min(self._dynamic.get(_DT_STRSZ, 1 << 20), 1 << 23))
        if name + b"\0" not in strings:
            return None
        symbols = self._source.read(self._address(_DT_SYMTAB), 24 * count)
        for string, _, _, section, value, size in _SYMBOL.iter_unpack(symbols):
            if section and strings[string : string + len(name) + 1] == name + b"\0":
                return int(value) + self.bias, int(size)
        return None


def symbol_in_file(descriptor: int, name: str) -> Optional[int]:
    """Return the unrelocated address of a symbol from a file's full table, None where it was stripped off."""
    header = os.pread(descriptor, 64, 0)
    if len(header) != 64 or header[:4] != b"\x7fELF" or header[4] != 2:
        return None
    table = struct.unpack_from("<Q", header, 40)[0]
    size, count = struct.unpack_from("<HH", header, 58)
    if size != 64 or not table:
        return None
    data = os.pread(descriptor, 64 * count, table)
    sections: List[Tuple[int, ...]] = list(struct.iter_unpack("<IIQQQQIIQQ", data[: len(data) // 64 * 64]))
    # A file has one of these.
    for section in [section for section in sections if section[1] == _SHT_SYMTAB][:_MOST_TABLES]:
        if section[6] < len(sections):
            strings = sections[section[6]]
            if section[5] > _MOST_TABLE or strings[5] > _MOST_TABLE:
                return None
            place = os.pread(descriptor, strings[5], strings[4]).find(b"\0" + name.encode() + b"\0")
            if place < 0:
                return None
            for entry in _symbols(descriptor, section[4], section[5]):
                if entry[0] == place + 1 and entry[3]:
                    return int(entry[4])
    return None


def _symbols(descriptor: int, offset: int, size: int) -> Iterator[Tuple[int, ...]]:
    step = 24 * 4096
    for start in range(0, size, step):
        data = os.pread(descriptor, min(step, size - start), offset + start)
        yield from _SYMBOL.iter_unpack(data[: len(data) // 24 * 24])
