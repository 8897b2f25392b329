"""A loop of requests that allocate, and tells how it fares:  python3 allocating.py objects|buffers

objects: each request makes and parses a document, some thousand small objects. buffers: each request makes forty blocks
of 1 to 40 KiB, in place of earlier ones. A line of JSON each tenth of a second: from, to (seconds since 1970), requests
a second of the thread's own CPU time, and the longest gap in ms that another thread saw which wakes up each
millisecond.
"""

from __future__ import annotations

import collections
import json
import sys
import threading
import time
from typing import Deque, List

BLOCK = 0.1
DOCUMENT = [{"id": number, "name": f"name {number}", "tags": ["a", "b", str(number)]} for number in range(100)]
# So that the C library does not hand memory back, and ask for it again, with each request.
KEPT: Deque[bytes] = collections.deque(maxlen=200)
LONGEST: List[float] = [0.0]


def objects() -> None:
    read = json.loads(json.dumps(DOCUMENT))
    if len(read) != len(DOCUMENT) or read[-1]["id"] != 99:
        raise SystemExit("wrong")


def buffers() -> None:
    made = [bytes(number * 1024) for number in range(1, 41)]
    if sum(map(len, made)) != 820 * 1024:
        raise SystemExit("wrong")
    KEPT.extend(made)


def tick() -> None:
    last = time.perf_counter()
    while True:
        time.sleep(0.001)
        now = time.perf_counter()
        LONGEST[0] = max(LONGEST[0], now - last)
        last = now


def main() -> None:
    handle = {"objects": objects, "buffers": buffers}[sys.argv[1]]
    threading.Thread(target=tick, daemon=True).start()
    while True:
        begun, used, wall, count = time.perf_counter(), time.thread_time(), time.time(), 0
        while time.perf_counter() - begun < BLOCK:
            handle()
            count += 1
        gap, LONGEST[0] = LONGEST[0], 0.0
        seconds = time.thread_time() - used
        said = {"from": wall, "to": time.time(), "requests": count / seconds, "gap": gap * 1e3}
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
