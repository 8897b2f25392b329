"""The little of an ELF file that tells whether it holds a Python, and which one."""

from __future__ import annotations

import mmap
import os
import re
import stat
import struct
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

_LARGEST = 1 << 30
_RELEASE_LEVELS = {0xA: "a", 0xB: "b", 0xC: "rc"}
# Linkers keep a string as the tail of a longer one that ends alike, such as a directory's name.
_VERSION_TEXT = re.compile(rb"(?<![0-9.])(3\.(\d{1,2})\.\d{1,3}(?:(?:a|b|rc)\d{1,2})?\+?)\0")
_SYMBOLS = (b"_PyRuntime", b"Py_Version", b"Py_Main", b"Py_BytesMain", b"PyPy_Main", b"pypy_main_startup")


class _Section(NamedTuple):
    name: bytes
    kind: int
    address: int
    offset: int
    size: int
    link: int
    entry: int


class Image(NamedTuple):
    """What a file says: whether CPython's or PyPy's runtime is in it, and its version where it tells."""

    python: bool
    pypy: bool
    version: Optional[str]


def inspect(descriptor: int, minor: Optional[int] = None) -> Image:
    """Read an open ELF file. ``minor`` is the 3.x that a name already told; None where it is not known."""
    nothing = Image(False, False, None)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or not 64 <= status.st_size <= _LARGEST:
        return nothing
    try:
        data = mmap.mmap(descriptor, status.st_size, mmap.MAP_SHARED, mmap.PROT_READ)
    except (OSError, ValueError):
        return nothing
    try:
        return _inspect(data, minor)
    except (struct.error, IndexError, ValueError, OverflowError):
        return nothing
    finally:
        data.close()


def version_text(number: int) -> str:
    """Write the number that Py_Version holds as people know it."""
    text = f"{number >> 24}.{number >> 16 & 0xFF}.{number >> 8 & 0xFF}"
    level = number >> 4 & 0xF
    return text if level == 0xF else f"{text}{_RELEASE_LEVELS.get(level, '?')}{number & 0xF}"


def _inspect(data: mmap.mmap, minor: Optional[int]) -> Image:
    if data[:6] != b"\x7fELF\x02\x01":
        return Image(False, False, None)
    sections = _sections(data)
    symbols = _find_symbols(data, sections)
    pypy = b"PyPy_Main" in symbols or b"pypy_main_startup" in symbols
    runtime = any(section.name == b".PyRuntime" for section in sections)
    python = not pypy and (runtime or b"_PyRuntime" in symbols or b"Py_BytesMain" in symbols or b"Py_Main" in symbols)
    if not python:
        return Image(False, pypy, None)
    version: Optional[str] = None
    if b"Py_Version" in symbols:
        version = _read_version(data, sections, symbols[b"Py_Version"])
    return Image(True, False, version or _search_version(data, sections, minor))


def _sections(data: mmap.mmap) -> List[_Section]:
    (table,) = struct.unpack_from("<Q", data, 0x28)
    size, count, names = struct.unpack_from("<HHH", data, 0x3A)
    if size < 64 or count > 4096:
        return []
    raw: List[Tuple[int, ...]] = []
    for index in range(count):
        raw.append(struct.unpack_from("<IIQQQQIIQQ", data, table + index * size))
    if not 0 <= names < len(raw):
        return []
    base = raw[names][4]
    result: List[_Section] = []
    for entry in raw:
        start = base + entry[0]
        end = data.find(b"\0", start, start + 256)
        result.append(
            _Section(data[start:end] if end >= 0 else b"", entry[1], entry[3], entry[4], entry[5], entry[6], entry[9])
        )
    return result


def _find_symbols(data: mmap.mmap, sections: List[_Section]) -> Dict[bytes, int]:
    found: Dict[bytes, int] = {}
    for section in sections:
        # 11 is SHT_DYNSYM, 2 is SHT_SYMTAB: a binary that exports nothing may still have the latter.
        if section.kind not in (11, 2) or section.entry != 24 or section.link >= len(sections):
            continue
        strings = sections[section.link]
        wanted = dict(_name_offsets(data, strings))
        if not wanted:
            continue
        block = data[section.offset : section.offset + section.size - section.size % 24]
        for name, _, _, place, value, _ in struct.iter_unpack("<IBBHQQ", block):
            if name in wanted and place != 0:
                found[wanted[name]] = value
    return found


def _name_offsets(data: mmap.mmap, strings: _Section) -> Iterator[Tuple[int, bytes]]:
    end = strings.offset + strings.size
    for symbol in _SYMBOLS:
        at = data.find(b"\0" + symbol + b"\0", strings.offset, end)
        if at >= 0:
            yield at + 1 - strings.offset, symbol


def _read_version(data: mmap.mmap, sections: List[_Section], address: int) -> Optional[str]:
    for section in sections:
        if section.kind == 1 and section.address <= address < section.address + section.size:
            (number,) = struct.unpack_from("<I", data, section.offset + address - section.address)
            return version_text(number) if number >> 24 == 3 else None
    return None


def _search_version(data: mmap.mmap, sections: List[_Section], minor: Optional[int]) -> Optional[str]:
    found = set()
    for section in sections:
        if section.name in (b".rodata", b".rodata.str1.1", b".rodata.str1.8"):
            for match in _VERSION_TEXT.finditer(data, section.offset, section.offset + section.size):
                found_minor = int(match.group(2))
                # From 3.11 on there is Py_Version; other libraries' versions look alike (SQLite's 3.40.1).
                if found_minor == minor or (minor is None and 8 <= found_minor <= 10):
                    found.add(match.group(1).decode("ascii"))
    return found.pop() if len(found) == 1 else None
