"""The memory sampler, as threads and processes come and go."""

from __future__ import annotations

import os
import unittest

from .test_time_memory import HERE, Parts
from .time_support import sampled

from pydebug_agent.system.proc import Proc
from pydebug_agent.reader.target import Target
from pydebug_agent.timing.memory_sampler import MemorySampler


class Threads(Parts):
    def test_threads_begin_and_end_within_the_window(self) -> None:
        target = self.start_source(HERE, SHORT)
        times = sampled(target.pid, 2.0, rate=50.0)
        self.assert_whole(times)
        born = [row for row in times.result["threads"] if row["began"]]
        whole = [row for row in born if row["ended"]]
        self.assertGreaterEqual(len(whole), 3)
        for row in whole:
            # It lives 0.3 s, longer where processors are busy: the last part of it is lost between two looks.
            self.assertGreater(row["wall"], 0.2)
            self.assertLess(row["wall"], 1.5)
        main = times.threads[times.main]
        self.assertEqual((main["began"], main["ended"]), (False, False))

    def test_cpu_of_threads_that_were_never_seen_is_said(self) -> None:
        target = self.start_source(HERE, BRIEF)
        times = sampled(target.pid, 1.5, rate=5.0)
        self.assertTrue(any("ended between two looks" in note for note in times.notes), times.notes)

    def test_a_target_that_exits_leaves_what_was_had(self) -> None:
        target = self.start_source(HERE, "import json, time\nprint(json.dumps(1), flush=True)\ntime.sleep(0.7)\n")
        times = sampled(target.pid, 10.0)
        self.assert_whole(times)
        self.assertTrue(times.result["ended"])
        self.assertLess(times.result["seconds"], 5.0)
        self.assertGreater(times.seconds(times.entries(times.main, reason="sleep")), 0.2)
        self.assertTrue(any("ended" in note for note in times.notes), times.notes)

    def test_a_target_that_becomes_another_program_leaves_what_was_had(self) -> None:
        target = self.start_source(HERE, EXECS)
        times = sampled(target.pid, 10.0)
        self.assert_whole(times)
        self.assertTrue(times.result["ended"])
        self.assertLess(times.result["seconds"], 5.0)
        self.assertEqual(set(times.reasons(times.main)) - {"cpu", "runnable"}, {"sleep"})
        self.assertTrue(Proc().exists(target.pid))

    def test_many_threads_are_looked_at_less_often_and_it_says_so(self) -> None:
        target = self.start_source(HERE, MANY)
        times = sampled(target.pid, 3.0)
        self.assertEqual(len(times.result["threads"]), 401)
        self.assertLess(times.result["rate"], 15.0)
        self.assertTrue(any("% of a processor" in note for note in times.notes), times.notes)

    def test_threads_that_are_not_wanted_are_left_alone(self) -> None:
        target = self.start(HERE, "time_cpu.py", "one", "two")
        times = sampled(target.pid, 0.6, wanted=lambda name: name == "MainThread")
        self.assertIsNone(times.result["held"])
        self.assertGreater(times.threads[times.main]["reads"], 3)
        self.assertEqual(times.threads["one"]["reads"], 0)

    def test_nothing_stays_open(self) -> None:
        target = self.start(HERE, "time_waits.py")
        before = sorted(os.listdir("/proc/self/fd"))
        sampler = MemorySampler(Target(target.pid, Proc()))
        sampler.start()
        sampler.tick()
        self.assertGreater(len(os.listdir("/proc/self/fd")), len(before))
        sampler.close()
        sampler.close()
        self.assertEqual(sorted(os.listdir("/proc/self/fd")), before)
        self.assertEqual(Proc().status(target.pid)["TracerPid"], "0")


SHORT = """
import json, threading, time
def lives():
    until = time.monotonic() + 0.3
    while time.monotonic() < until:
        time.sleep(0.02)
print(json.dumps("ready"), flush=True)
while True:
    threading.Thread(target=lives).start()
    time.sleep(0.25)
"""

BRIEF = """
import json, threading, time
def burns():
    until = time.thread_time() + 0.02
    while time.thread_time() < until:
        sum(range(500))
print(json.dumps("ready"), flush=True)
while True:
    thread = threading.Thread(target=burns)
    thread.start()
    thread.join()
    time.sleep(0.005)
"""

EXECS = """
import json, os, sys, time
print(json.dumps("ready"), flush=True)
time.sleep(0.7)
os.execv(sys.executable, [sys.executable, "-c", "import time\\ntime.sleep(60)"])
"""

MANY = """
import json, threading, time
def naps():
    while True:
        time.sleep(0.02)
threading.stack_size(1 << 18)
for _ in range(400):
    threading.Thread(target=naps, daemon=True).start()
print(json.dumps("ready"), flush=True)
time.sleep(600)
"""


if __name__ == "__main__":
    unittest.main()
