"""Code objects: what a frame's function is called, and at which line it is."""

from __future__ import annotations

import struct
from typing import Dict, NamedTuple, Optional, Tuple

from .frames import OWNED_BY_INTERPRETER, Frame
from .layouts import Layout
from .lines import line_of
from .memory import Fault, Source
from .objects import Objects

_LONGEST_TABLE = 1 << 20
_U32 = struct.Struct("<I").unpack_from
_U64 = struct.Struct("<Q").unpack_from
# Of the word that counts references: the count, and what is zero in it but never in a pointer.
_COUNT, _POINTER = 0xFFFFFFFF, 0xFFFF << 32


class Place(NamedTuple):
    """A frame as people read it."""

    name: str
    file: str
    line: int


# A frame whose code object was gone before it could be named.
UNRESOLVED = Place("<unresolved>", "", 0)

# A frame of code that is the interpreter's own: between a class that is called and its __init__, from 3.12 on.
INTERPRETER = Place("__init__", "__init__", 0)
_LONGEST_OWN = 8

# Where each frame is, innermost first.
Stack = Tuple[Place, ...]


class _Code(NamedTuple):
    name: str
    file: str
    first_line: int
    table: bytes
    units: int


class CodeReader:
    """Names frames; each code object is read once."""

    def __init__(self, source: Source, layout: Layout, code_type: int) -> None:
        self._source = source
        self._layout = layout
        self._code_type = code_type
        self._objects = Objects(source, layout)
        self._codes: Dict[int, Optional[_Code]] = {}
        self._places: Dict[int, Dict[Tuple[int, int], Optional[Place]]] = {}

    def place(self, frame: Frame) -> Optional[Place]:
        """Return where a frame is. None for one that is no Python function's, and for one that cannot be named."""
        if is_shim(self._layout, frame):
            return None
        places = self._places.setdefault(frame.code, {})
        key = (frame.instruction, frame.tlbc)
        if key not in places:
            try:
                places[key] = self._find(frame)
            except Fault:
                places[key] = None
        return places[key]

    def forget(self, code: int) -> None:
        """Drop what is known of a code object: another one may lie there now."""
        self._codes.pop(code, None)
        self._places.pop(code, None)

    def _find(self, frame: Frame) -> Optional[Place]:
        code = self._code(frame.code)
        if code is None:
            return None
        if code.file == INTERPRETER.file and code.name == INTERPRETER.name and code.units <= _LONGEST_OWN:
            return INTERPRETER
        index = frame.instruction
        if not self._layout.heap_frames:
            start = frame.code + self._layout.code_start
            if frame.tlbc:
                # Free-threaded: a thread may run its own copy of the bytecode.
                copies = self._source.u64(frame.code + self._layout.code_tlbc)
                start = self._source.u64(copies + 8 + 8 * frame.tlbc)
            index = (frame.instruction - start) // 2
            # One before the first: the frame was made, but has not run yet.
            if not -1 <= index <= code.units:
                return None
        return Place(code.name, code.file, line_of(self._layout.minor, code.table, code.first_line, index))

    def _code(self, address: int) -> Optional[_Code]:
        if address not in self._codes:
            self._codes[address] = self._read(address)
        return self._codes[address]

    def _read(self, address: int) -> Optional[_Code]:
        layout, source, objects = self._layout, self._source, self._objects
        if objects.type_of(address) != self._code_type:
            return None
        table = source.u64(address + layout.code_lines)
        length = source.u64(table + layout.header)
        return _Code(
            objects.text(source.u64(address + layout.code_qualname)),
            objects.text(source.u64(address + layout.code_file)),
            source.i32(address + layout.code_first_line),
            source.read(table + layout.bytes_value, min(length, _LONGEST_TABLE)),
            source.u64(address + layout.header) if not layout.heap_frames else 0,
        )


def is_shim(layout: Layout, frame: Frame) -> bool:
    """Say whether a frame is one that the interpreter itself lays between C and Python, or one being left."""
    return not frame.code or (not layout.heap_frames and frame.owner >= OWNED_BY_INTERPRETER)


def lives(layout: Layout, header: bytes) -> bool:
    """Say whether an object has references: where it was freed, its first word leads to the next free place."""
    if layout.free_threaded:
        return bool(_U32(header, 12)[0] or _U64(header, 16)[0] >> 2)
    word = _U64(header)[0]
    return bool(word & _COUNT) and not word & _POINTER
