"""Where things lie inside CPython 3.8 to 3.15.

3.13 and later publish most of it in the process itself; for the older ones the numbers come from each minor's headers.
Every layout is checked against the live process before it is used (selfcheck.py).
"""

from __future__ import annotations

import struct
from typing import Dict, List, Tuple

COOKIE = b"xdebugpy"
OLDEST, NEWEST = 8, 15
PUBLISHED = (15, 14, 13)

_FIELDS = (
    "runtime_head runtime_gil interpreter_threads interpreter_next interpreter_modules interpreter_gil "
    "thread_next thread_interpreter thread_ident thread_native thread_frame thread_cframe cframe_frame thread_chunk "
    "frame_previous frame_code frame_instruction frame_owner frame_locals frame_stacktop "
    "code_file code_qualname code_name code_lines code_first_line code_start "
    "bytes_value str_state str_length str_ascii str_compact type_keys generator_frame"
).split()

# -1: that minor has no such field. Which member of which structure of CPython's headers each number is, and the program
# that makes these rows from the headers: tests/agent/layout_tables.py.
_OLD: Dict[int, Tuple[int, ...]] = {
    8: (32, 1152, 8, 0, 56, -1, 8, 16, 176, -1, 24, -1, -1, -1, 24, 32, 104, -1, 360, -1,
        104, 112, 112, 120, 40, -1, 32, 32, 16, 48, 72, 872, 16),
    9: (32, 352, 8, 0, 856, -1, 8, 16, 176, -1, 24, -1, -1, -1, 24, 32, 104, -1, 360, -1,
        104, 112, 112, 120, 40, -1, 32, 32, 16, 48, 72, 864, 16),
    10: (32, 352, 8, 0, 856, -1, 8, 16, 176, -1, 24, -1, -1, -1, 24, 32, 96, -1, 352, -1,
         104, 112, 112, 120, 40, -1, 32, 32, 16, 48, 72, 872, 16),
    11: (40, 360, 16, 0, 888, -1, 8, 16, 152, 160, -1, 56, 8, 296, 48, 32, 56, 69, 72, 64,
         112, 128, 120, 136, 72, 184, 32, 32, 16, 48, 72, 872, 80),
    12: (40, -1, 72, 0, 944, 384, 8, 16, 136, 144, -1, 56, 0, 232, 8, 0, 56, 70, 72, 64,
         112, 128, 120, 136, 68, 192, 32, 32, 16, 40, 56, 880, 72),
}

# How long the lock of the GIL is at most: struct _gil_runtime_state of pycore_gil.h has 208 bytes, and a member more in
# a free-threaded build. Whoever waits for an address in it waits for the GIL.
GIL_BYTES = 216

# _Py_DebugOffsets of pycore_runtime.h (3.13), of pycore_debug_offsets.h from 3.14 on.
# The published structure's fields in order, each eight bytes; "+14" and "+15": only from that minor on.
_SCHEMA = """
runtime: size finalizing head
interpreter: size id next threads +14main gc modules sysdict builtins gil own_gil gil_enabled gil_locked gil_holder
    +14code_generation +14tlbc_generation
thread: size prev next interpreter frame +15base_frame +15profiled +15profiled_sequence ident native chunk status
    +15holds_gil +15gil_requested +15exception +15exc_state
+15error: value
frame: size previous code instruction locals owner +14stackpointer +14tlbc
code: size file name qualname lines first_line argcount localnames localkinds start +14tlbc
object: size type
type: size name repr flags +15basicsize +15dictoffset
+15heap_type: size keys
tuple: size item length
list: size item length
+14set: size used table mask
dict: size keys values
float: size value
long: size tag digit
bytes: size length value
str: size state length ascii +15compact
gc: size collecting +15frame +15stats_size +15stats
+14generator: size name frame state
"""


class Layout:
    """Offsets for one interpreter. A name that this minor does not have is -1."""

    minor: int
    free_threaded: bool
    header: int  # sizeof(PyObject)
    runtime_head: int
    runtime_gil: int
    interpreter_threads: int
    interpreter_next: int
    interpreter_modules: int
    interpreter_gil: int
    interpreter_gil_enabled: int
    interpreter_size: int
    thread_next: int
    thread_interpreter: int
    thread_ident: int
    thread_native: int
    thread_frame: int
    thread_cframe: int
    cframe_frame: int
    thread_chunk: int
    frame_previous: int
    frame_code: int
    frame_instruction: int
    frame_owner: int
    frame_locals: int
    frame_stacktop: int
    frame_stackpointer: int
    frame_tlbc: int
    code_file: int
    code_qualname: int
    code_name: int
    code_lines: int
    code_first_line: int
    code_start: int
    code_tlbc: int
    bytes_value: int
    str_state: int
    str_length: int
    str_ascii: int
    str_compact: int
    type_keys: int
    generator_frame: int
    tuple_item: int
    thread_bytes: int  # how much of a thread state is read
    frame_bytes: int  # how much of a frame is read

    def __init__(self, minor: int, free_threaded: bool, fields: Dict[str, int]) -> None:
        self.minor = minor
        self.free_threaded = free_threaded
        self.header = 32 if free_threaded else 16
        for name in _FIELDS + ["frame_stackpointer", "frame_tlbc", "code_tlbc", "interpreter_size",
                               "interpreter_gil_enabled"]:
            setattr(self, name, fields.get(name, -1))
        self.tuple_item = fields.get("tuple_item", self.header + 8)
        if self.code_qualname < 0:
            self.code_qualname = self.code_name
        # datastack_chunk, datastack_top and datastack_limit stand side by side.
        threads = (self.thread_next, self.thread_interpreter, self.thread_ident, self.thread_native,
                   self.thread_frame, self.thread_cframe, self.thread_chunk + 16)
        self.thread_bytes = max(threads) + 8
        if minor >= 11:
            last = max(self.frame_owner + 1, self.frame_instruction + 16, self.frame_tlbc + 4)
        else:
            last = self.frame_instruction + 16
        self.frame_bytes = last + 7 & ~7

    @property
    def heap_frames(self) -> bool:
        """Whether frames are objects of their own (3.8 to 3.10) and not records on a stack of chunks."""
        return self.minor < 11


def old_layout(minor: int) -> Layout:
    """Return the layout of a minor that publishes nothing."""
    return Layout(minor, False, {name: value for name, value in zip(_FIELDS, _OLD[minor])})


def known_old(minor: int) -> bool:
    """Say whether there is a table for a minor that publishes nothing."""
    return minor in _OLD


def schema(minor: int) -> Tuple[Dict[str, int], int]:
    """Return where each published field stands in the structure of a minor, and the structure's length."""
    places: Dict[str, int] = {}
    offset = 24
    for struct_name, struct_since, fields in _parsed_schema():
        for name, since in fields:
            if minor >= max(since, struct_since):
                places["%s_%s" % (struct_name, name)] = offset
                offset += 8
    return places, offset


def published_layout(minor: int, free_threaded: bool, data: bytes) -> Layout:
    """Return the layout that a process publishes, read by the order of fields of ``minor``."""
    places, length = schema(minor)
    if len(data) < length:
        raise ValueError("the published structure is cut short")
    fields: Dict[str, int] = {}
    for name, place in places.items():
        value = struct.unpack_from("<Q", data, place)[0]
        # A wrong minor's order shows as sizes of whole structures where offsets should be, or as addresses.
        fields[name] = value if value < 1 << 24 else -1
    shift = 16 if free_threaded else 0
    fields.setdefault("generator_frame", 72 + shift)
    fields["type_keys"] = fields.get("heap_type_keys", 880 + shift)
    fields["frame_stacktop"] = fields["frame_instruction"] + 8
    fields["str_compact"] = fields["str_ascii"] + 16
    return Layout(minor, free_threaded, fields)


def _parsed_schema() -> List[Tuple[str, int, List[Tuple[str, int]]]]:
    result: List[Tuple[str, int, List[Tuple[str, int]]]] = []
    for line in _SCHEMA.replace("\n    ", " ").strip().splitlines():
        head, _, rest = line.partition(":")
        result.append((_since(head)[0], _since(head)[1], [_since(word) for word in rest.split()]))
    return result


def _since(word: str) -> Tuple[str, int]:
    return (word[3:], int(word[1:3])) if word.startswith("+") and word[1:3].isdigit() else (word, 0)
