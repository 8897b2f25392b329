"""An asyncio service in which nothing burns and everything waits:  python3 async_app.py [IDLE-TASKS]

`checkout;order 7` waits for charge_card, which waits for a bank that never answers; `report` gathers two pages that
sleep; `batch` is a task group; IDLE-TASKS (default 40) more wait on a queue. A line-based server on 127.0.0.1:8080
(BADAPP_ADDRESS=HOST:PORT for another) answers each line with the number of tasks; the line `burn MS` holds up the loop.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from typing import Awaitable, List


async def call_bank() -> None:
    await asyncio.Event().wait()


async def charge_card() -> None:
    await call_bank()


async def checkout() -> None:
    await asyncio.create_task(charge_card(), name="charge_card")


async def page(number: int) -> None:
    await asyncio.sleep(3600 + number)


async def report() -> None:
    await asyncio.gather(asyncio.create_task(page(1), name="page-1"), asyncio.create_task(page(2), name="page-2"))


async def load_row(number: int) -> None:
    await asyncio.sleep(3600 + number)


async def batch() -> None:
    """A task group where the interpreter has one (3.11 and later), else gather."""
    if sys.version_info >= (3, 11):
        async with asyncio.TaskGroup() as group:
            for number in range(3):
                group.create_task(load_row(number), name=f"row-{number}")
    else:
        await asyncio.gather(*(asyncio.create_task(load_row(number), name=f"row-{number}") for number in range(3)))


async def consume(queue: "asyncio.Queue[str]") -> None:
    while True:
        await queue.get()


def hold_up_the_loop(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        line = (await reader.readline()).decode(errors="replace").split()
        if not line:
            break
        if line[0] == "burn":
            hold_up_the_loop(float(line[1]) / 1000 if len(line) > 1 else 0.1)
        writer.write(f"{len(asyncio.all_tasks())}\n".encode())
        await writer.drain()
    writer.close()


async def main(idle: int) -> None:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    queue: "asyncio.Queue[str]" = asyncio.Queue()
    work: List[Awaitable[None]] = [
        asyncio.create_task(checkout(), name="checkout;order 7"),
        asyncio.create_task(report(), name="report"),
        asyncio.create_task(batch(), name="batch"),
        *(asyncio.create_task(consume(queue), name=f"consumer-{number}") for number in range(idle)),
    ]
    host, _, port = os.environ.get("BADAPP_ADDRESS", "127.0.0.1:8080").rpartition(":")
    server = await asyncio.start_server(serve, host, int(port))
    print(f"badapp (async, {len(work)} tasks) listens on {host}:{port}", flush=True)
    async with server:
        await stopped.wait()
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 40))
