"""The little of an ELF file that tells whether it holds a Python, and which one.

The file is the target's, and may say anything of itself: it is read in windows, up to bounds that no real one comes
near.
"""

from __future__ import annotations

import os
import stat
import struct
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

_RELEASE_LEVELS = {0xA: "a", 0xB: "b", 0xC: "rc"}
_SYMBOLS = (b"_PyRuntime", b"Py_Version", b"Py_Main", b"Py_BytesMain", b"PyPy_Main", b"pypy_main_startup")
_MOST_SECTIONS = 4096
_MOST_NAMES = 1 << 18
# Of one table of symbols, of names or of constants; the largest of CPython's own are some megabytes.
_MOST_TABLE = 16 << 20
# Of one file, and of all that a question looks into.
_MOST_FILE = 64 << 20
_MOST_FILES = 512 << 20
_MOST_PLACES = 1 << 14
# A whole number of symbols.
_WINDOW = 24 << 15
_OVERLAP = 64
_ENTRY = 24


class Budget:
    """What may be read for one question. ``check`` is called before each read, and may raise."""

    def __init__(self, check: Callable[[], None] = lambda: None, most: int = _MOST_FILES) -> None:
        self._check = check
        self._left = most

    @property
    def spent(self) -> bool:
        """Say whether there is nothing left of it."""
        return self._left <= 0

    def take(self, size: int) -> None:
        """Note that so many bytes are read."""
        self._check()
        self._left -= size


class _TooMuch(ValueError):
    """A file says more of itself than is read."""


class _File:
    """Reads an open file within bounds."""

    def __init__(self, descriptor: int, budget: Budget) -> None:
        self._descriptor = descriptor
        self._budget = budget
        self._left = _MOST_FILE

    def read(self, offset: int, size: int) -> bytes:
        """Return what is there, less at the end of the file."""
        self._budget.take(size)
        self._left -= size
        if self._left < 0 or self._budget.spent:
            raise _TooMuch()
        return os.pread(self._descriptor, size, offset) if 0 <= offset < 1 << 62 else b""

    def windows(self, section: "_Section", overlap: int = _OVERLAP) -> Iterator[Tuple[int, bytes]]:
        """Yield offset and bytes of a section's parts, each with the first bytes of the next one."""
        size = min(section.size, _MOST_TABLE)
        for start in range(0, size, _WINDOW):
            data = self.read(section.offset + start, min(_WINDOW + overlap, size - start))
            if not data:
                return
            yield section.offset + start, data


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


def inspect(descriptor: int, minor: Optional[int] = None, budget: Optional[Budget] = None) -> Image:
    """Read an open ELF file. ``minor`` is the 3.x that a name already told; None where it is not known."""
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        return Image(False, False, None)
    try:
        return _inspect(_File(descriptor, budget or Budget()), minor)
    except (OSError, struct.error, IndexError, ValueError, OverflowError):
        return Image(False, False, None)


def version_text(number: int) -> str:
    """Write the number that Py_Version holds as people know it."""
    text = f"{number >> 24}.{number >> 16 & 0xFF}.{number >> 8 & 0xFF}"
    level = number >> 4 & 0xF
    return text if level == 0xF else f"{text}{_RELEASE_LEVELS.get(level, '?')}{number & 0xF}"


def _inspect(file: _File, minor: Optional[int]) -> Image:
    header = file.read(0, 64)
    if header[:6] != b"\x7fELF\x02\x01":
        return Image(False, False, None)
    sections = _sections(file, header)
    symbols = _find_symbols(file, sections)
    pypy = b"PyPy_Main" in symbols or b"pypy_main_startup" in symbols
    runtime = any(section.name == b".PyRuntime" for section in sections)
    python = not pypy and (runtime or b"_PyRuntime" in symbols or b"Py_BytesMain" in symbols or b"Py_Main" in symbols)
    if not python:
        return Image(False, pypy, None)
    version: Optional[str] = None
    if b"Py_Version" in symbols:
        version = _read_version(file, sections, symbols[b"Py_Version"])
    return Image(True, False, version or _search_version(file, sections, minor))


def _sections(file: _File, header: bytes) -> List[_Section]:
    (table,) = struct.unpack_from("<Q", header, 0x28)
    size, count, names = struct.unpack_from("<HHH", header, 0x3A)
    if size != 64 or count > _MOST_SECTIONS:
        return []
    data = file.read(table, size * count)
    raw: List[Tuple[int, ...]] = list(struct.iter_unpack("<IIQQQQIIQQ", data[: len(data) // 64 * 64]))
    if not 0 <= names < len(raw):
        return []
    words = file.read(raw[names][4], min(raw[names][5], _MOST_NAMES))
    result: List[_Section] = []
    for entry in raw:
        end = words.find(b"\0", entry[0], entry[0] + 256)
        name = words[entry[0] : end] if end >= 0 else b""
        result.append(_Section(name, entry[1], entry[3], entry[4], entry[5], entry[6], entry[9]))
    return result


def _find_symbols(file: _File, sections: List[_Section]) -> Dict[bytes, int]:
    found: Dict[bytes, int] = {}
    for section in sections:
        # 11 is SHT_DYNSYM, 2 is SHT_SYMTAB: a binary that exports nothing may still have the latter.
        if section.kind not in (11, 2) or section.entry != _ENTRY or section.link >= len(sections):
            continue
        wanted = _name_offsets(file, sections[section.link])
        if not wanted:
            continue
        here: Dict[bytes, int] = {}
        for _, data in file.windows(section._replace(size=section.size // _ENTRY * _ENTRY), 0):
            for name, _, _, place, value, _ in struct.iter_unpack("<IBBHQQ", data[: len(data) // _ENTRY * _ENTRY]):
                if name in wanted and place != 0:
                    here[wanted[name]] = value
            if len(here) == len(wanted):
                break
        found.update(here)
    return found


def _name_offsets(file: _File, strings: _Section) -> Dict[int, bytes]:
    found: Dict[bytes, int] = {}
    for start, data in file.windows(strings):
        for symbol in _SYMBOLS:
            at = data.find(b"\0" + symbol + b"\0") if symbol not in found else -1
            if at >= 0:
                found[symbol] = start + at + 1 - strings.offset
    return {place: symbol for symbol, place in found.items()}


def _read_version(file: _File, sections: List[_Section], address: int) -> Optional[str]:
    for section in sections:
        if section.kind == 1 and section.address <= address < section.address + section.size:
            (number,) = struct.unpack("<I", file.read(section.offset + address - section.address, 4))
            return version_text(number) if number >> 24 == 3 else None
    return None


def _search_version(file: _File, sections: List[_Section], minor: Optional[int]) -> Optional[str]:
    found = set()
    texts = [section for section in sections if section.name in (b".rodata", b".rodata.str1.1", b".rodata.str1.8")]
    if minor is None:
        minor = _tagged(file, texts)
    for data, place in _places(file, texts, b"3."):
        text = _version_at(data, place)
        # From 3.11 on there is Py_Version; other libraries' versions look alike (SQLite's 3.40.1).
        number = int(text.split(".")[1]) if text else -1
        if text and (number == minor or (minor is None and 8 <= number <= 10)):
            found.add(text)
    return found.pop() if len(found) == 1 else None


def _places(file: _File, sections: List[_Section], text: bytes) -> Iterator[Tuple[bytes, int]]:
    """Yield where a text stands: bytes with what is around it, and the place of it in them."""
    left = _MOST_PLACES
    for section in sections:
        before = b""
        for _, data in file.windows(section):
            data = before + data
            place = data.find(text)
            # What begins in the part that comes again is the next window's.
            while 0 <= place < len(before) + _WINDOW:
                if place >= len(before):
                    yield data, place
                    left -= 1
                    if not left:
                        return
                place = data.find(text, place + len(text))
            before = data[len(before) + _WINDOW - 1 : len(before) + _WINDOW]


def _tagged(file: _File, sections: List[_Section]) -> Optional[int]:
    """Return the x of the tag that 3.x puts into the names of its bytecode files, such as cpython-311."""
    found = set()
    for data, place in _places(file, sections, b"cpython-3"):
        digits = data[place + 9 : place + 12].partition(b"\0")
        if digits[1] and digits[0].isdigit():
            found.add(int(digits[0]))
    return found.pop() if len(found) == 1 else None


def _version_at(data: bytes, place: int) -> str:
    """Return the version that is written there, such as 3.10.2 or 3.9.0rc1+, and nothing where it is none.

    Linkers keep a string as the tail of a longer one that ends alike, such as a directory's name.
    """
    if place and data[place - 1] in b"0123456789.":
        return ""
    text = data[place : place + 16].partition(b"\0")
    words = text[0].decode("latin-1").split(".")
    if not text[1] or len(words) != 3 or not words[1].isdigit() or len(words[1]) > 2:
        return ""
    last = words[2][:-1] if words[2].endswith("+") else words[2]
    for mark in ("rc", "a", "b"):
        number, found, release = last.partition(mark)
        if found:
            return ".".join(words) if _is_number(number, 3) and _is_number(release, 2) else ""
    return ".".join(words) if _is_number(last, 3) else ""


def _is_number(text: str, most: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= most
