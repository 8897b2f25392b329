"""Runs Python on a stack of its own making, as libraries with coroutines do, and waits there."""
import ctypes
import json
import os
import struct
import sys
import time

libc = ctypes.CDLL(None)
ROOM = int(sys.argv[1])
# Memory from the middle of the heap, not a mapping of its own.
heap = ctypes.create_string_buffer(3 * ROOM)
stack = (ctypes.addressof(heap) + ROOM) & ~15
main, other = ctypes.create_string_buffer(4096), ctypes.create_string_buffer(4096)


@ctypes.CFUNCTYPE(None)
def run():
    os.write(1, b'"ready"\n')
    while True:
        time.sleep(1000)


libc.getcontext(other)
# uc_link, and in uc_stack where it begins and how long it is.
struct.pack_into("<QQiiQ", other, 8, ctypes.addressof(main), stack, 0, 0, ROOM)
libc.makecontext(other, run, 0)
libc.swapcontext(main, other)
print(json.dumps("back"), flush=True)
