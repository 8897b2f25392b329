"""Writes small ELF libraries that stand in for others: for libdebuginfod, which would bring libssl and Kerberos along.

That one says that there is no server to ask. Each function has the symbol version that the real library gives it: a
loader that finds a library without the versions asked for ends the process.
"""

from __future__ import annotations

import struct
from typing import Dict, List, Tuple

_EM_X86_64, _EM_AARCH64 = 62, 183
_PAGE = 4096
_ALIGN = 1 << 16

_NOTHING, _MISSING = "nothing", "missing"
# Return 0, and return -ENOSYS.
_CODE: Dict[str, Tuple[int, Dict[str, bytes]]] = {
    "x86_64": (_EM_X86_64, {_NOTHING: b"\x31\xc0\xc3", _MISSING: b"\xb8\xda\xff\xff\xff\xc3"}),
    "aarch64": (
        _EM_AARCH64,
        {_NOTHING: struct.pack("<2I", 0xD2800000, 0xD65F03C0), _MISSING: struct.pack("<2I", 0x128004A0, 0xD65F03C0)},
    ),
}

DEBUGINFOD: List[Tuple[str, List[Tuple[str, str]]]] = [
    ("ELFUTILS_0", []),
    (
        "ELFUTILS_0.178",
        [
            ("debuginfod_begin", _NOTHING),
            ("debuginfod_end", _NOTHING),
            ("debuginfod_find_debuginfo", _MISSING),
            ("debuginfod_find_executable", _MISSING),
            ("debuginfod_find_source", _MISSING),
            ("debuginfod_set_progressfn", _NOTHING),
        ],
    ),
    (
        "ELFUTILS_0.179",
        [
            ("debuginfod_set_user_data", _NOTHING),
            ("debuginfod_get_user_data", _NOTHING),
            ("debuginfod_get_url", _NOTHING),
            ("debuginfod_add_http_header", _NOTHING),
        ],
    ),
    ("ELFUTILS_0.183", [("debuginfod_set_verbose_fd", _NOTHING)]),
    ("ELFUTILS_0.188", [("debuginfod_get_headers", _NOTHING), ("debuginfod_find_section", _MISSING)]),
]

# All that memray asks of libdl is in libc itself, and found there.
LIBDL: Dict[str, List[Tuple[str, List[Tuple[str, str]]]]] = {
    "x86_64": [("GLIBC_2.2.5", []), ("GLIBC_2.3.3", []), ("GLIBC_2.3.4", [])],
    "aarch64": [("GLIBC_2.17", [])],
}


def stand_in(name: str, machine: str, versions: List[Tuple[str, List[Tuple[str, str]]]]) -> bytes:
    """Return a library called ``name`` that defines functions under symbol versions."""
    number, code = _CODE[machine]
    strings = _Strings()
    own = strings.add(name)
    text = bytearray()
    symbols = [struct.pack("<IBBHQQ", 0, 0, 0, 0, 0, 0)]
    version_of = [0]
    names: List[str] = []
    places: List[Tuple[int, int]] = []
    for index, (_, functions) in enumerate(versions):
        for function, kind in functions:
            body = code[kind]
            text += bytes(-len(text) % 16)
            places.append((len(text), len(body)))
            names.append(function)
            version_of.append(index + 2)
            text += body
    name_offsets = [strings.add(function) for function in names]
    definitions = _definitions(name, own, versions, strings)

    # One page-aligned segment each for what is read, run and written.
    start = 64 + 56 * 5
    code_at = _ALIGN
    data_at = 2 * _ALIGN
    for (place, size), offset in zip(places, name_offsets):
        symbols.append(struct.pack("<IBBHQQ", offset, 0x12, 0, 1, code_at + place, size))
    parts = [b"".join(symbols), strings.content, _hash_table(names), struct.pack(f"<{len(version_of)}H", *version_of),
             definitions]
    addresses: List[int] = []
    read_only = bytearray(start)
    for part in parts:
        read_only += bytes(-len(read_only) % 8)
        addresses.append(len(read_only))
        read_only += part
    symbol_table, string_table, hash_table, version_table, definition_table = addresses
    dynamic = b"".join(
        struct.pack("<QQ", tag, value)
        for tag, value in (
            (14, own),
            (4, hash_table),
            (5, string_table),
            (6, symbol_table),
            (10, len(strings.content)),
            (11, 24),
            (0x6FFFFFF0, version_table),
            (0x6FFFFFFC, definition_table),
            (0x6FFFFFFD, len(versions) + 1),
            (0, 0),
        )
    )
    code_place = -(-len(read_only) // _PAGE) * _PAGE
    data_place = code_place + -(-len(text) // _PAGE) * _PAGE
    # Address and place agree modulo the alignment that the headers give.
    segments = b"".join(
        [
            struct.pack("<IIQQQQQQ", 1, 4, 0, 0, 0, len(read_only), len(read_only), _PAGE),
            struct.pack("<IIQQQQQQ", 1, 5, code_place, code_at, code_at, len(text), len(text), _PAGE),
            struct.pack("<IIQQQQQQ", 1, 6, data_place, data_at, data_at, len(dynamic), len(dynamic), _PAGE),
            struct.pack("<IIQQQQQQ", 2, 6, data_place, data_at, data_at, len(dynamic), len(dynamic), 8),
            # Without it the loader would make every stack of the process executable.
            struct.pack("<IIQQQQQQ", 0x6474E551, 6, 0, 0, 0, 0, 0, 16),
        ]
    )
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 3, number, 1, 0, 64, 0, 0, 64, 56, 5, 0, 0, 0)
    read_only[: 64 + len(segments)] = header + segments
    whole = bytearray(read_only)
    for place, content in ((code_place, text), (data_place, dynamic)):
        whole += bytes(place - len(whole)) + content
    return bytes(whole)


class _Strings:
    def __init__(self) -> None:
        self.content = b"\0"

    def add(self, text: str) -> int:
        """Return where a string lies in the table."""
        offset = len(self.content)
        self.content += text.encode("ascii") + b"\0"
        return offset


def _definitions(
    name: str, own: int, versions: List[Tuple[str, List[Tuple[str, str]]]], strings: _Strings
) -> bytes:
    result = struct.pack("<HHHHIII", 1, 1, 1, 1, _elf_hash(name), 20, 28) + struct.pack("<II", own, 0)
    previous = 0
    for index, (version, _) in enumerate(versions):
        offset = strings.add(version)
        last = index == len(versions) - 1
        parents = [previous] if previous else []
        size = 20 + 8 * (1 + len(parents))
        result += struct.pack(
            "<HHHHIII", 1, 0, index + 2, 1 + len(parents), _elf_hash(version), 20, 0 if last else size
        )
        for number, parent in enumerate([offset, *parents]):
            result += struct.pack("<II", parent, 8 if number < len(parents) else 0)
        previous = offset
    return result


def _hash_table(names: List[str]) -> bytes:
    buckets = max(1, len(names) // 2)
    heads = [0] * buckets
    chain = [0] * (len(names) + 1)
    for index, name in enumerate(names, 1):
        bucket = _elf_hash(name) % buckets
        chain[index] = heads[bucket]
        heads[bucket] = index
    return struct.pack(f"<{2 + buckets + len(chain)}I", buckets, len(chain), *heads, *chain)


def _elf_hash(name: str) -> int:
    value = 0
    for byte in name.encode("ascii"):
        value = (value << 4) + byte
        high = value & 0xF0000000
        value = (value ^ high >> 24) & ~high
    return value
