"""Threads that wait in known places, and one line of JSON with the interpreter's own word on where they are."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from types import FrameType
from typing import Dict, Iterator, List, Optional

_never = threading.Event()
_lock = threading.Lock()


class Service:
    """Methods, so that names are qualified ones."""

    def handle(self, depth: int) -> None:
        if depth:
            self.handle(depth - 1)
        else:
            self.wait()

    @staticmethod
    def wait() -> None:
        _never.wait()


def rows() -> Iterator[int]:
    yield 1
    _never.wait()
    yield 2


def through_generator() -> None:
    for _ in rows():
        pass


def through_c() -> None:
    sorted([2, 1], key=lambda number: _never.wait() and number)


def in_closure() -> None:
    def inner() -> None:
        exec(compile("import time\nwhile True:\n    time.sleep(3600)\n", "/srv/made up.py", "exec"), {})

    inner()


def for_lock() -> None:
    with _lock:
        pass


def in_loop() -> None:
    async def forever() -> None:
        await asyncio.sleep(3600)

    asyncio.run(forever())


def frames_of(frame: Optional[FrameType]) -> List[List[object]]:
    found: List[List[object]] = []
    while frame:
        code = frame.f_code
        found.append([getattr(code, "co_qualname", code.co_name), code.co_filename, frame.f_lineno])
        frame = frame.f_back
    return found


def tell() -> None:
    """Twice the same answer means that all threads have come to rest."""
    last: Dict[int, object] = {}
    while True:
        now = {thread.native_id: frames_of(sys._current_frames().get(thread.ident or 0))
               for thread in threading.enumerate() if thread is not threading.current_thread()}
        if now == last:
            break
        last = {key or 0: value for key, value in now.items()}
        time.sleep(0.3)
    print("frames " + json.dumps(now), flush=True)
    _never.wait()


def main() -> None:
    _lock.acquire()
    for target, arguments in ((Service().handle, (40,)), (through_generator, ()), (through_c, ()), (in_closure, ()),
                              (for_lock, ()), (in_loop, ())):
        threading.Thread(target=target, args=arguments, name=f"at {target.__name__}", daemon=True).start()
    threading.Thread(target=tell, name="teller", daemon=True).start()
    _never.wait()


if __name__ == "__main__":
    main()
