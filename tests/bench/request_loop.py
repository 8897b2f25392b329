"""A loop of requests that tells how it fares:  python3 request_loop.py SWITCHES THREADS PROCESSOR

Each request computes and is handed to another thread and back, which takes some context switches; how much it computes
is chosen once so that the process switches about SWITCHES times a second (fewer where it cannot). THREADS more wait.
All run on one PROCESSOR: whether a wake-up crosses processors changes the time of a request more than any tool does.
A line of JSON each third of a second: from, to (seconds since 1970), requests, switches, and the slowest 3 % of the
requests in microseconds, which is enough for the 99th percentile of any number of lines.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
import time

BLOCK = 0.35
# Two loops that leave no moment of two processors can starve the kernel's own threads for a minute.
PAUSE = 0.005
CALIBRATION = 0.5
CALIBRATIONS = 6
ROUNDS = 1_000_000


def compute(rounds: int) -> int:
    total = 0
    for number in range(rounds):
        total += number & 7
    return total


def echo(source: int, sink: int) -> None:
    while True:
        os.write(sink, os.read(source, 1))


def switches() -> int:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_nvcsw + usage.ru_nivcsw


class Loop:
    """One thread that asks and one that answers."""

    def __init__(self) -> None:
        there, self._ask = os.pipe()
        self._answer, back = os.pipe()
        self.rounds = 0
        threading.Thread(target=echo, args=(there, back), name="echo", daemon=True).start()

    def handle(self) -> None:
        compute(self.rounds)
        os.write(self._ask, b"x")
        os.read(self._answer, 1)

    def calibrate(self, wanted: float) -> None:
        """Choose the rounds by what a request turns out to take with them."""
        begun = time.perf_counter()
        compute(ROUNDS)
        one = (time.perf_counter() - begun) / ROUNDS
        for _ in range(CALIBRATIONS):
            begun, before, count = time.perf_counter(), switches(), 0
            while time.perf_counter() - begun < CALIBRATION:
                self.handle()
                count += 1
            took = (time.perf_counter() - begun) / count
            each = (switches() - before) / count
            self.rounds = max(0, self.rounds + int((each / wanted - took) / one))

    def block(self) -> dict:
        """Serve for a third of a second."""
        slow, before = [], switches()
        begun = since = time.perf_counter()
        wall = time.time()
        while since - begun < BLOCK:
            self.handle()
            now = time.perf_counter()
            slow.append(now - since)
            since = now
        slow.sort(reverse=True)
        kept = slow[: len(slow) * 3 // 100 + 1]
        return {"from": wall, "to": time.time(), "requests": len(slow), "seconds": since - begun,
                "switches": switches() - before, "slowest": [round(value * 1e6) for value in kept]}


def main() -> None:
    wanted, threads, processor = sys.argv[1:]
    processors = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {processors[int(processor) % len(processors)]})
    for _ in range(int(threads)):
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    loop = Loop()
    loop.calibrate(float(wanted))
    while True:
        print(json.dumps(loop.block()), flush=True)
        time.sleep(PAUSE)


if __name__ == "__main__":
    main()
