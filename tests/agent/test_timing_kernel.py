"""What the kernel's sampler finds equals what targets do."""

from __future__ import annotations

import unittest

from .reader_support import Python, ReaderTest, on_each_python
from .timing_support import lines, record, sampled, shares, thread

SPLIT = """
import json, threading, time
def seven(): burn(0.007)
def three(): burn(0.003)
def burn(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end: pass
def split():
    while True: seven(); three()
threading.Thread(target=split, name="split", daemon=True).start()
print(json.dumps("ready"), flush=True)
while True: time.sleep(0.2)
"""


class Processor(ReaderTest):
    @on_each_python(sampled)
    def test_a_split_of_70_to_30_is_found_within_its_error(self, python: Python) -> None:
        target = self.start_source(python, SPLIT)
        # 500 a second for 4 s: a standard error of a share of 1 point; five of them are allowed.
        recording = record(target.pid, 4.0, rate=499.0)
        times = thread(recording, "split")
        callers = {"seven": 0, "three": 0}
        for key, count in recording.counts.items():
            if key.tid == times.tid and key.reason == "cpu":
                for place in key.stack:
                    if place.name in callers:
                        callers[place.name] += count.samples
        total = sum(callers.values())
        self.assertGreater(total, 1000)
        self.assertAlmostEqual(callers["seven"] / total, 0.7, delta=5 * (0.7 * 0.3 / total) ** 0.5)
        self.assertEqual((recording.misses, recording.lost, recording.unresolved), (0, 0, 0))

    @on_each_python(sampled)
    def test_threads_that_wait_have_reason_and_line(self, python: Python) -> None:
        target = self.start_source(python, SPLIT)
        recording = record(target.pid, 1.0)
        main = thread(recording, "MainThread")
        self.assertGreater(shares(recording, main)["sleep"], 0.8 * main.wall)
        self.assertEqual(lines(recording, main, "sleep")[0].rpartition(":")[2], "12")


if __name__ == "__main__":
    unittest.main()
