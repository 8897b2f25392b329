"""The troubles themselves. Each runs in threads of its own, whose names and functions say what they do."""

from __future__ import annotations

import hashlib
import socket
import threading
import time
import zlib
from typing import Callable, Dict, List

_stop = threading.Event()
_kept: List[bytearray] = []
_convoy = threading.Lock()


def stopping() -> bool:
    """Whether /stop was asked for."""
    return _stop.is_set()


def hot_loop(rounds: int = 20000) -> int:
    """Holds the GIL and a core."""
    total = 0
    for number in range(rounds):
        total += number * number % 7
    return total


def recurse(depth: int) -> int:
    """Burns at the bottom of a call tree, so that the hot line is far from the worker."""
    if depth == 0:
        return hot_loop()
    return recurse(depth - 1)


def cpu_worker() -> None:
    while not stopping():
        recurse(20)


def compress_forever() -> None:
    """Burns a core inside C, without the GIL."""
    data = hashlib.sha256(b"badapp").digest() * 65536
    while not stopping():
        zlib.compress(data, 6)


def hold_the_lock() -> None:
    with _convoy:
        while not stopping():
            time.sleep(0.05)


def waits_for_lock() -> None:
    with _convoy:
        pass


def remember(size: int = 65536) -> None:
    """What nobody ever takes out again."""
    _kept.append(bytearray(size))


def leak_worker() -> None:
    while not stopping() and sum(map(len, _kept[-1:])) * len(_kept) < leak_limit:
        remember()
        time.sleep(0.02)
    wait_for_work("leak stopped at its limit")


def fetch(connection: socket.socket) -> bytes:
    """Waits for an upstream that answers slowly."""
    return connection.recv(64)


def slow_reader() -> None:
    ours, theirs = socket.socketpair()
    threading.Thread(target=slow_upstream, args=(theirs,), name="upstream", daemon=True).start()
    while not stopping():
        fetch(ours)


def slow_upstream(connection: socket.socket) -> None:
    while not stopping():
        time.sleep(1.0)
        connection.sendall(b"answer")


def descend(depth: int) -> None:
    """A deep stack that waits at its bottom."""
    if depth == 0:
        wait_for_work("bottom")
    else:
        descend(depth - 1)


def deep_worker() -> None:
    descend(400)


def wait_for_work(what: str) -> None:
    """Idle until the end; `what` is there to be seen among the locals."""
    while not _stop.wait(3600):
        pass


def sleeper() -> None:
    while not stopping():
        time.sleep(3600)


TROUBLES: Dict[str, List[Callable[[], None]]] = {
    "hot": [cpu_worker],
    "zlib": [compress_forever],
    "locks": [hold_the_lock, waits_for_lock, waits_for_lock, waits_for_lock],
    "leak": [leak_worker],
    "slow": [slow_reader],
    "deep": [deep_worker],
    "sleepers": [sleeper, sleeper, sleeper],
}

NAMES: Dict[Callable[[], None], str] = {
    cpu_worker: "cpu worker",
    compress_forever: "zlib",
    hold_the_lock: "lock-owner",
    waits_for_lock: "lock-waiter",
    leak_worker: "leak",
    slow_reader: "reader",
    deep_worker: "deep",
    sleeper: "sleeper",
}


# What the leak keeps at most, in bytes.
leak_limit = 48 << 20


def switch_on(trouble: str) -> List[str]:
    """Starts the trouble's threads and gives their names. Raises KeyError for a trouble that there is not."""
    started = []
    for number, function in enumerate(TROUBLES[trouble], 1):
        name = f"{NAMES[function]} {number}" if len(TROUBLES[trouble]) > 1 else NAMES[function]
        threading.Thread(target=function, name=name, daemon=True).start()
        started.append(name)
        if function is hold_the_lock:
            while not _convoy.locked():
                time.sleep(0.001)
    return started


def switch_off() -> None:
    """Ends the troubles and lets go of what was kept. They can be switched on again."""
    _stop.set()
    time.sleep(0.2)
    _kept.clear()
    _stop.clear()
