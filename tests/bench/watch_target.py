"""Processes that wait as a service does: N of them, each with T threads and an event loop in its main thread.

    watch_target.py PROCESSES THREADS
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time


def work() -> None:
    while True:
        sum(range(2000))
        time.sleep(0.05)


async def serve() -> None:
    while True:
        await asyncio.sleep(0.01)


def main() -> None:
    processes, threads = int(sys.argv[1]), int(sys.argv[2])
    for _ in range(processes - 1):
        if not os.fork():
            break
    for _ in range(threads - 1):
        threading.Thread(target=work, daemon=True).start()
    asyncio.run(serve())


main()
