"""A service that fills its pod's memory to the byte:  python3 room_target.py

It computes a little, waits in threads, has asyncio tasks and allocates, as services do. The file /tmp/fill holds how
many bytes it has beside that; it is looked at fifty times a second, and /tmp/filled then says the same.
"""

from __future__ import annotations

import asyncio
import mmap
import threading
import time

MOST = 1 << 30
PAGE = 4096


def compute() -> None:
    while True:
        sum(range(2000))
        time.sleep(0.05)


def wait_in(depth: int, event: threading.Event) -> None:
    if depth:
        wait_in(depth - 1, event)
    else:
        event.wait()


def fill(room: mmap.mmap, has: int) -> int:
    try:
        with open("/tmp/fill") as file:
            wanted = min(MOST, int(file.read() or has)) // PAGE * PAGE
    except (OSError, ValueError):
        return has
    for place in range(has, wanted, PAGE):
        room[place] = 1
    if wanted < has:
        room.madvise(mmap.MADV_DONTNEED, wanted, has - wanted)
    if wanted != has:
        with open("/tmp/filled", "w") as file:
            file.write(str(wanted))
    return wanted


async def sleeper() -> None:
    while True:
        await asyncio.sleep(0.5)


async def main() -> None:
    event = threading.Event()
    threading.Thread(target=compute, name="computes", daemon=True).start()
    for number in range(4):
        threading.Thread(target=wait_in, args=(10, event), name="waits %d" % number, daemon=True).start()
    tasks = [asyncio.ensure_future(sleeper()) for _ in range(8)]
    room, has = mmap.mmap(-1, MOST, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS), 0
    print("ready", flush=True)
    while tasks:
        has = fill(room, has)
        # Something for Get-MemrayReport to see; it is not kept.
        bytearray(30_000)
        await asyncio.sleep(0.02)


asyncio.run(main())
