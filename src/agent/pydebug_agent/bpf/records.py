"""What the kernel programs keep in their maps and send through the ring, and where each field lies."""

from __future__ import annotations

import struct
from typing import Dict, Iterable, List, NamedTuple, Tuple

_U64 = struct.Struct("<Q").unpack_from

# Keys. The key of a thread is the beginning of the key of a stack.
THREAD_KEY = struct.Struct("<IIQ")
STACK_KEY = struct.Struct("<IIQQII")
KEY_TGID, KEY_TID, KEY_START, KEY_HASH, KEY_REASON, KEY_CALL = 0, 4, 8, 16, 24, 28

# Of a process: what its threads' stacks look like, and what was counted of it.
_TARGET_FIELDS = (
    "thread_pointer frame_pointer inner_frame frame_low frame_size code instruction previous owner identity "
    "interpreter fixed_gil gil begun ended lost runs nanoseconds switches"
).split()
TARGET: Dict[str, int] = {name: 8 * index for index, name in enumerate(_TARGET_FIELDS)}
TARGET_BYTES = 8 * len(_TARGET_FIELDS)
NO_INNER_FRAME = -1

# Of a thread: the counters at its beginning and now, and what the looks at it found.
_THREAD_FIELDS = (
    "first_time first_cpu first_delay first_switches time cpu delay switches exited reads on_cpu moved visible "
    "proven_turns proven_hash proven_reason"
).split()
THREAD: Dict[str, int] = {name: 8 * index for index, name in enumerate(_THREAD_FIELDS)}
THREAD["comm"] = 8 * len(_THREAD_FIELDS)
COMM_BYTES = 16
THREAD_BYTES = THREAD["comm"] + COMM_BYTES

# Where every wait is taken: of a thread, when its last one began and where; of a stack, all of its waits.
_OPEN_FIELDS = "time cpu delay switches hash reason".split()
OPEN: Dict[str, int] = {name: 8 * index for index, name in enumerate(_OPEN_FIELDS)}
OPEN_ENTRY = struct.Struct("<%dQ" % len(_OPEN_FIELDS))
WAIT_COUNT, WAIT_BLOCKED, WAIT_LONGEST = 0, 8, 16
WAIT_ENTRY = struct.Struct("<3Q")

# The head of each record of the ring: what it is, and how many frames follow the key.
RECORD_KIND, RECORD_DEPTH, RECORD_KEY = 0, 4, 8
RECORD_STACK, RECORD_ENDED, RECORD_PROBE = 1, 2, 3
STACK_FRAMES = RECORD_KEY + STACK_KEY.size
ENDED_THREAD = RECORD_KEY + THREAD_KEY.size
ENDED_BYTES = ENDED_THREAD + THREAD_BYTES
PROBE = struct.Struct("<IIIIQQ")  # kind, level, tgid, tid as it is seen here, start, thread pointer
# Of each frame: code and kind, instruction, and a hash of the bytes that tell this code object from another.
FRAME_BYTES = 24
LARGEST_FRAME = 128  # how much of a frame can be copied, at most less one
IDENTITY_BYTES = 80
MIX = 0x9E3779B97F4A7C15

REASON_CPU, REASON_CPU_GIL, REASON_CALL, REASON_GIL, REASON_FAULT = 1, 2, 3, 4, 5
REASON_RUNNABLE, REASON_PREEMPTED, REASON_STOPPED = 6, 7, 8
REASON_MASK = 0xFF
FLAG_TRUNCATED, FLAG_BROKEN, FLAG_FIRST_ZERO, FLAG_SECOND_ZERO = 0x100, 0x200, 0x400, 0x800


class ThreadEntry(NamedTuple):
    """A thread's entry; times and counters in nanoseconds, ``exited`` 0 while it lives."""

    first_time: int
    first_cpu: int
    first_delay: int
    first_switches: int
    time: int
    cpu: int
    delay: int
    switches: int
    exited: int
    reads: int
    on_cpu: int
    moved: int
    visible: int
    proven_turns: int
    proven_hash: int
    proven_reason: int
    comm: str


_THREAD = struct.Struct("<%dQ%ds" % (len(_THREAD_FIELDS), COMM_BYTES))


def thread_key(data: bytes) -> Tuple[int, int, int]:
    """Read a thread's key: its process, itself, and when it began."""
    tgid, tid, start = THREAD_KEY.unpack(data)
    return tgid, tid, start


def thread_entry(data: bytes, offset: int = 0) -> ThreadEntry:
    """Read a thread's entry."""
    fields = _THREAD.unpack_from(data, offset)
    comm = fields[-1].split(b"\0")[0].decode("utf-8", "backslashreplace")
    return ThreadEntry(*(*fields[:-1], comm))


def stack_hash(record: bytes) -> int:
    """Return the hash of a stack's record."""
    return int(_U64(record, RECORD_KEY + KEY_HASH)[0])


def stack_frames(record: bytes) -> "List[Tuple[int, int, int]]":
    """Return (code and kind, instruction, identity) of each frame of a stack's record."""
    depth = struct.unpack_from("<I", record, RECORD_DEPTH)[0]
    words = struct.unpack_from("<%dQ" % (3 * depth), record, STACK_FRAMES)
    return list(zip(words[::3], words[1::3], words[2::3]))


def mixed(words: Iterable[int]) -> int:
    """Return the hash that the programs make of some words."""
    value = MIX
    for word in words:
        value = (value ^ word) * MIX & (1 << 64) - 1
        value ^= value >> 32
    return value


# In the area in which a stack is put together, before the record: a frame, and the telling bytes of a code object.
AREA_HEAD = LARGEST_FRAME + IDENTITY_BYTES
FRAME_AREA, IDENTITY_AREA = -AREA_HEAD, -IDENTITY_BYTES


def scratch_bytes(depth: int) -> int:
    """Return the size of that area."""
    return AREA_HEAD + STACK_FRAMES + FRAME_BYTES * depth
