"""What the kernel's sampler finds equals what targets do."""

from __future__ import annotations

import statistics
import unittest
from typing import Any, List
from unittest import mock

from .reader_support import Python, ReaderTest, on_each_python
from .timing_support import lines, record, record_all, sampled, shares, stacks, thread

from pydebug_agent.timing import kernel_sampler
from pydebug_agent.timing.kernel_sampler import KernelSampler
from pydebug_agent.timing.recording import Recording

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
        # 500 a second: a standard error of a share of some 1 point; five of them are allowed.
        recording = record(target.pid, 4.0, rate=499.0)
        times = thread(recording, "split")
        callers = {"seven": 0, "three": 0}
        for key, count in recording.counts.items():
            if key.tid == times.tid and key.reason == "cpu":
                for place in key.stack:
                    if place.name in callers:
                        callers[place.name] += count.samples
        total = sum(callers.values())
        self.assertAlmostEqual(total, 499 * times.cpu, delta=0.25 * 499 * times.cpu)
        self.assertAlmostEqual(callers["seven"] / total, 0.7, delta=5 * (0.7 * 0.3 / total) ** 0.5)
        self.assertEqual((recording.misses, recording.lost, recording.unresolved), (0, 0, 0))

    @on_each_python(sampled)
    def test_threads_that_wait_have_reason_and_line(self, python: Python) -> None:
        target = self.start_source(python, SPLIT)
        recording = record(target.pid, 1.0)
        main = thread(recording, "MainThread")
        self.assertGreater(shares(recording, main)["sleep"], 0.8 * main.wall)
        self.assertEqual(lines(recording, main, "sleep")[0].rpartition(":")[2], "12")


class Waits(ReaderTest):
    @on_each_python(sampled)
    def test_parts_of_each_thread_equal_its_own_count(self, python: Python) -> None:
        target = self.start(python, "waits.py")
        said: List[Any] = []

        def mark() -> None:
            target.say("")
            said.append(target.line())

        # Some 1,000 looks, whatever they take of a processor: the error of a share of 90 % is one point.
        sampler = KernelSampler(rate=199.0, wait_rate=199.0)
        with mock.patch.multiple(kernel_sampler, _LARGEST_SHARE=0.12, _SMALLEST_SHARE=0.12):
            recording = record_all([target.pid], 5.0, mark, sampler)[target.pid]
        self.assertGreater(max(times.reads for times in recording.threads.values()), 500)
        mark()
        (began, before, _), (ended, after, shorts) = said
        window = ended - began
        self.assertGreaterEqual(len(after), 8)
        for name, (tid, reason, line, spent, _, _) in after.items():
            times = recording.threads[tid]
            self.assertEqual(times.name, name)
            self.assertAlmostEqual(times.wall, recording.seconds, delta=0.01 * window, msg=name)
            parts = shares(recording, times)
            self.assertAlmostEqual(sum(parts.values()), times.wall, delta=0.01 * window, msg=name)
            # By its own clock it waits until it goes on: until it has a processor and the GIL.
            found, until = parts.get(reason, 0.0), parts["runnable"] + parts.get("gil", 0.0)
            own = (spent - before[name][3]) / window
            self.assertLess(found / times.wall, own + 0.02, name)
            self.assertGreater((found + until) / times.wall, own - 0.02, name)
            place = max(stacks(recording, times, reason).items(), key=lambda item: item[1])[0]
            self.assertIn((name, line), [(frame.name, frame.line) for frame in place])
        self._shorts(recording, shorts)
        self.assertEqual((recording.misses, recording.lost), (0, 0))

    def _shorts(self, recording: Recording, shorts: List[Any]) -> None:
        """Threads of 5 ms: counted whole, each of them."""
        whole = [row for row in shorts if row[0] in recording.threads and recording.threads[row[0]].began
                 and recording.threads[row[0]].ended]
        self.assertGreater(len(whole), 30)
        # What a thread says of itself lacks its first and its last moments; who started it saw some more.
        for tid, _, own, cpu, seen in whole:
            times = recording.threads[tid]
            self.assertGreater(times.wall, 0.99 * own)
            self.assertGreater(times.cpu, 0.99 * cpu)
        walls = [recording.threads[row[0]].wall for row in whole]
        self.assertLess(statistics.median(walls), 1.05 * statistics.median([row[4] for row in whole]))
        burnt = [recording.threads[row[0]].cpu / row[3] for row in whole if row[1] == "short_burn"]
        self.assertLess(statistics.median(burnt), 1.05)


if __name__ == "__main__":
    unittest.main()
