"""Shrinks an ELF library to what the loader maps: no debug information, no symbol table, no section headers."""

from __future__ import annotations

import struct
from typing import List, Tuple

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_PT_LOAD, _PT_DYNAMIC = 1, 2
_PAGE = 4096
_DT_NEEDED, _DT_STRTAB, _DT_SONAME = 1, 5, 14

Segment = Tuple[int, ...]


def shrink(data: bytes) -> bytes:
    """Return a 64-bit little-endian ELF library with its loaded segments alone, moved together."""
    header, segments = _read(data)
    moved: List[Tuple[int, int, int]] = []
    body = bytearray()
    for segment in sorted((entry for entry in segments if entry[0] == _PT_LOAD), key=lambda entry: entry[2]):
        offset, size, align = segment[2], segment[5], max(segment[7], _PAGE)
        # The loader maps pages: place in the file and address must agree within one.
        place = len(body) + (offset - len(body)) % align
        body += bytes(place - len(body)) + data[offset : offset + size]
        moved.append((offset, offset + size, place - offset))
    table = bytearray()
    for segment in segments:
        shift = next((by for start, end, by in moved if start <= segment[2] < end and segment[5]), 0)
        table += _SEGMENT.pack(segment[0], segment[1], segment[2] + shift, *segment[3:])
    body[header[5] : header[5] + len(table)] = table
    # No section headers: entry size, count and index of names are zero with them.
    body[: _HEADER.size] = _HEADER.pack(*header[:6], 0, *header[7:11], 0, 0, 0)
    return bytes(body)


def needed(data: bytes) -> List[str]:
    """Return the libraries that an ELF library asks for."""
    return [_text(data, value) for tag, value in _dynamic(data) if tag == _DT_NEEDED]


def own_name(data: bytes) -> str:
    """Return the name by which others ask for an ELF library."""
    return next((_text(data, value) for tag, value in _dynamic(data) if tag == _DT_SONAME), "")


def _read(data: bytes) -> Tuple[Tuple[object, ...], List[Segment]]:
    if data[:6] != b"\x7fELF\x02\x01":
        raise ValueError("no 64-bit little-endian ELF file")
    header = _HEADER.unpack_from(data)
    table, size, count = header[5], header[9], header[10]
    if size != _SEGMENT.size:
        raise ValueError("odd program headers")
    return header, [_SEGMENT.unpack_from(data, table + size * index) for index in range(count)]


def _dynamic(data: bytes) -> List[Tuple[int, int]]:
    found: List[Tuple[int, int]] = []
    for segment in _read(data)[1]:
        if segment[0] == _PT_DYNAMIC:
            for tag, value in struct.iter_unpack("<QQ", data[segment[2] : segment[2] + segment[5]]):
                if tag == 0:
                    break
                found.append((tag, value))
    return found


def _text(data: bytes, offset: int) -> str:
    address = next(value for tag, value in _dynamic(data) if tag == _DT_STRTAB)
    for segment in _read(data)[1]:
        if segment[0] == _PT_LOAD and segment[3] <= address < segment[3] + segment[5]:
            start = segment[2] + address - segment[3] + offset
            return data[start : data.index(b"\0", start)].decode("ascii")
    raise ValueError("no table of strings")
