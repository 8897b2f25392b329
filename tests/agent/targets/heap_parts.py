"""Memory of known size in each part; says how much, then stands still."""

import array
import ctypes
import json
import mmap
import sys
import threading

MIB = 1 << 20
library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p
library.malloc.argtypes = [ctypes.c_size_t]
library.free.argtypes = [ctypes.c_void_p]


def filled(size):
    place = library.malloc(size)
    ctypes.memset(place, 1, size)
    return place


# Of 200,000 texts every 40th lives: the pools of the others are partly free.
texts = ["text number %d of many" % number for number in range(200000)]
kept = texts[::40]
del texts
used = [filled(2000) for _ in range(5000)]
buffers = [bytearray(b"x" * 300000) for _ in range(40)]
numbers = list(range(500000))
doubles = array.array("d", [1.0]) * 500000
shared = mmap.mmap(-1, 15 * MIB)
shared[:] = b"a" * (15 * MIB)
never_touched = mmap.mmap(-1, 64 * MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


def deep(depth):
    return deep(depth - 1) if depth else event.wait()


freed = [filled(3000) for _ in range(4000)]
guard = filled(3000)
for each in freed:
    library.free(each)
event = threading.Event()
for _ in range(5):
    threading.Thread(target=deep, args=(100,), daemon=True).start()
print(json.dumps({
    "Shared": 15 * MIB, "CLibraryUsed": 10_000_000, "Table": 40 * 300000 + 4_000_000 + 4_000_000,
    "FreeInPython": 12_000_000, "CLibraryFree": 12_000_000,
}), flush=True)
sys.stdin.readline()
