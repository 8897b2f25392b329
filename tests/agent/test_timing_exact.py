"""Where every wait is taken, counts and lengths are the target's own."""

from __future__ import annotations

import statistics
import time
import unittest
from typing import Any, Dict, List, Tuple

from .reader_support import Python, ReaderTest, on_each_python, pythons
from .timing_support import record, record_all, sampled

from pydebug_agent.system.errors import AgentError
from pydebug_agent.timing.kernel_sampler import KernelSampler
from pydebug_agent.timing.recording import Count, Key, Recording

# Switches as fast as it can, from a second after it is told to.
FAST = """
import json, os, sys, threading, time
here, there = os.pipe(), os.pipe()
def echo():
    while True: os.write(there[1], os.read(here[0], 1))
def fast():
    while True:
        os.write(here[1], b"x")
        os.read(there[0], 1)
print(json.dumps("ready"), flush=True)
sys.stdin.readline()
time.sleep(float(sys.argv[1]))
threading.Thread(target=echo, daemon=True).start()
fast()
"""
# Each of these waits is one switch; the others may wake up more than once.
SINGLE = ("sleeper", "pipe_reader", "receiver", "socket_poller", "empty_select")


def taken(recording: Recording, tid: int) -> "Dict[Key, Count]":
    """Return the waits of a thread that were all taken."""
    return {key: count for key, count in recording.counts.items() if key.tid == tid and count.seconds is not None}


def summed(waits: "Dict[Key, Count]", name: str, reason: str) -> Tuple[float, int, float]:
    """Return seconds, count and longest of the waits in a function for a reason."""
    found = [count for key, count in waits.items()
             if key.reason == reason and any(place.name == name for place in key.stack)]
    return (
        sum(count.seconds or 0.0 for count in found),
        sum(count.count or 0 for count in found),
        max((count.longest or 0.0 for count in found), default=0.0),
    )


class Exact(ReaderTest):
    @on_each_python(sampled)
    def test_each_wait_is_counted_with_its_length(self, python: Python) -> None:
        target = self.start(python, "waits.py")
        said: List[Any] = []

        def mark() -> None:
            target.say("")
            said.append(target.line())

        recording = record_all([target.pid], 4.0, mark, KernelSampler(exact=True))[target.pid]
        mark()
        self.assertTrue(recording.exact)
        (began, before, _), (ended, after, shorts) = said
        window = ended - began
        for name, (tid, reason, line, spent, number, longest) in after.items():
            if reason == "cpu":
                continue
            times, waits = recording.threads[tid], taken(recording, tid)
            seconds, count, most = summed(waits, name, reason)
            own = (spent - before[name][3]) / window
            until = (times.runnable or 0.0) + summed(waits, name, "gil")[0] + times.cpu
            self.assertLess(seconds / times.wall, own + 0.01, name)
            self.assertGreater((seconds + until) / times.wall, own - 0.01, name)
            everything = sum(count.seconds or 0.0 for count in waits.values())
            blocked = times.wall - times.cpu - (times.runnable or 0.0)
            self.assertAlmostEqual(everything, blocked, delta=0.01 * times.wall, msg=name)
            if name in SINGLE:
                # The target was asked a little before and after.
                own = (number - before[name][4]) * recording.seconds / window
                self.assertAlmostEqual(count, own, delta=3, msg=name)
                self.assertLess(most, longest + 0.01, name)
                self.assertGreater(most, 0.09, name)
            self.assertIn((name, line), {place[::2] for key in waits for place in key.stack})
        self._shorts(recording, shorts)
        self.assertEqual((recording.misses, recording.lost), (0, 0))

    def _shorts(self, recording: Recording, shorts: List[Any]) -> None:
        """Threads that sleep for 5 ms and end. Where a processor was not to be had at once, they slept less."""
        found = []
        for tid, work, own, _, _ in shorts:
            times = recording.threads.get(tid)
            if work != "short_sleep" or times is None or not times.began or not times.ended:
                continue
            if own < 0.0055 and (times.runnable or 0.0) < 0.0005:
                seconds, count, _ = summed(taken(recording, tid), "short_sleep", "sleep")
                found.append(seconds)
                self.assertEqual(count, 1)
        self.assertGreater(len(found), 3)
        self.assertAlmostEqual(statistics.median(found), 0.005, delta=0.00025)


class Rates(ReaderTest):
    def _fast(self, after: float) -> Any:
        found = [python for python in pythons() if sampled(python)]
        if not found:
            self.skipTest("no Python to read")
        return self.start_source(found[-1], FAST, str(after))

    def test_threads_that_switch_too_often_are_declined(self) -> None:
        target = self._fast(0.0)
        target.say("go")
        time.sleep(0.3)
        with self.assertRaises(AgentError) as raised:
            record(target.pid, 0.5, exact=True)
        self.assertEqual(raised.exception.cause, "TooManySwitches")
        self.assertRegex(raised.exception.message, r"switch \d{4,} times a second")

    def test_they_are_taken_by_force(self) -> None:
        target = self._fast(0.0)
        target.say("go")
        time.sleep(0.3)
        recording = record(target.pid, 1.5, exact=True, force=True)
        self.assertTrue(recording.exact)
        waits = [count for key, count in recording.counts.items() if key.call == "read" and count.count]
        self.assertGreater(sum(count.count or 0 for count in waits), 2000)

    def test_a_rate_that_rises_gives_way_to_samples(self) -> None:
        target = self._fast(0.5)
        recording = record(target.pid, 3.2, lambda: target.say("go"), exact=True)
        self.assertFalse(recording.exact)
        self.assertEqual([count for count in recording.counts.values() if count.seconds is not None], [])
        self.assertRegex(" ".join(recording.notes), r"sampled and not taken one by one: the threads switched \d+ times")
        self.assertGreater(recording.samples, 20)


if __name__ == "__main__":
    unittest.main()
