"""memray in processes that have none: how long it holds them up."""

from __future__ import annotations

import unittest
from typing import List

from .memray_support import Tracked, ask, needs


class Pause(Tracked):
    def test_other_threads_are_held_up_for_milliseconds(self) -> None:
        """The best of several attaches, each to a new process: what is measured must not be this machine's load."""
        python = self.newest()
        payloads = needs(python)
        debug, place = self.container(python), self.container(python)
        longest: List[float] = []
        for _ in range(4):
            running = self.target(place, source=_TICKING)
            with debug.agent() as agent:
                result = ask(agent, payloads, pids=[running.pid], seconds=1).only()
            running.say("?")
            longest.append(running.line())
            self.assertLess(result["pause"]["held"], 1_000_000)
            running.end()
        # An attach that stops the whole process takes some 400 ms; a busy machine alone is late by tens.
        self.assertLess(min(longest), 0.1, f"gaps of {longest} s")


_TICKING = """
import sys, threading, time
worst = [0.0]
def tick():
    last = time.perf_counter()
    while True:
        time.sleep(0.005)
        now = time.perf_counter()
        worst[0] = max(worst[0], now - last)
        last = now
threading.Thread(target=tick, daemon=True).start()
print('"ready"', flush=True)
sys.stdin.readline()
print(worst[0], flush=True)
sys.stdin.read()
"""


if __name__ == "__main__":
    unittest.main()
