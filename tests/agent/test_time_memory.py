"""The memory sampler: each thread's time by line and reason as the target itself counts it, and nothing disturbed."""

from __future__ import annotations

import math
import os
import signal
import sys
import threading
import time
import unittest
from pathlib import Path
from typing import List

from .reader_support import TARGETS, Python, ReaderTest, on_each_python, wait_until
from .test_reader_torn import CHAINS, impossible, made_at
from .time_support import Times, counted, sampled

from pydebug_agent.system.proc import Proc
from pydebug_agent.reader.target import Target
from pydebug_agent.timing.memory_sampler import MemorySampler

HERE = Python("this", sys.version_info[1], [sys.executable], "")
# Shares come from samples: this many standard errors, and what the two clocks may differ by.
ERRORS = 4.5
SLACK = 0.02

# Thread, function, reason, calls: what the target was built to do.
BUILT = (
    ("sleeps", "sleep_long", "sleep", ("clock_nanosleep", "select", "pselect6")),
    ("sleeps", "sleep_short", "sleep", ("clock_nanosleep", "select", "pselect6")),
    ("holds", "hold", "sleep", ("clock_nanosleep", "select", "pselect6")),
    ("holds", "let_go", "sleep", ("clock_nanosleep", "select", "pselect6")),
    ("locks", "want", "lock", ("futex",)),
    ("reads", "read_slowly", "io", ("read",)),
    ("polls", "poll_socket", "poll", ("select", "pselect6")),
    ("polls", "receive", "io", ("recvfrom",)),
)


def line_of(target: str, text: str) -> int:
    """Return the number of the only line with a text."""
    found = [number for number, line in enumerate((TARGETS / target).read_text().splitlines(), 1) if text in line]
    assert len(found) == 1, text
    return found[0]


class Parts(ReaderTest):
    def assert_whole(self, times: Times) -> None:
        for row in times.result["threads"]:
            parts = [entry["seconds"] for entry in times.result["entries"] if entry["tid"] == row["tid"]]
            self.assertAlmostEqual(sum(parts), row["wall"], places=6)
            self.assertLessEqual(row["wall"], times.result["seconds"] + 1e-6)


class Waits(Parts):
    @on_each_python()
    def test_every_wait_has_its_line_its_reason_and_its_share(self, python: Python) -> None:
        target = self.start(python, "time_waits.py")
        times, truth = counted(target, 3.0, rate=100.0)
        self.assert_whole(times)
        for thread, function, reason, calls in BUILT:
            with self.subTest(python=python.label, function=function):
                row = times.threads[thread]
                entries = times.within(thread, function)
                main = [entry for entry in entries if entry["reason"] == reason]
                self.assertTrue({entry["call"] for entry in main} <= set(calls), main)
                seconds, expected = times.seconds(entries), truth[thread][function]
                share = seconds / row["wall"]
                # The rest of it is on the way into the wait and out of it.
                self.assertGreater(times.seconds(main), 0.9 * seconds)
                error = math.sqrt(share * (1 - share) / row["reads"]) * row["wall"]
                self.assertAlmostEqual(seconds, expected, delta=ERRORS * error + SLACK * row["wall"])
        for function, text in (("sleep_long", None), ("read_slowly", "os.read(pipe, 1)"), ("receive", "near.recv(1)"),
                               ("want", "lock.acquire()"), ("poll_socket", "select.select(")):
            thread = next(entry[0] for entry in BUILT if entry[1] == function)
            lines = {place[2] for entry in times.within(thread, function)
                     for place in times.places(entry) if place[0] == function}
            line = line_of("time_waits.py", "def sleep_long") + 1 if text is None else line_of("time_waits.py", text)
            self.assertIn(line, lines)

    @on_each_python()
    def test_a_thread_that_never_moved_is_there_with_its_stack(self, python: Python) -> None:
        target = self.start(python, "time_waits.py")
        # On a busy machine it takes a while until it waits.
        wait_until(lambda: sampled(target.pid, 0.3).threads["never"]["switches"] == 0)
        times = sampled(target.pid, 0.6)
        for name, function, reason in (("never", "never", "lock"), ("MainThread", "<module>", "io")):
            (entry,) = times.entries(name)
            row = times.threads[name]
            self.assertEqual((entry["reason"], entry["seconds"], row["cpu"]), (reason, row["wall"], 0.0))
            self.assertIn(function, times.names(entry))
            self.assertEqual((entry["samples"], row["switches"]), (row["reads"], 0))

    @on_each_python()
    def test_waiting_threads_are_never_held(self, python: Python) -> None:
        target = self.start(python, "shapes.py")
        wait_until(lambda: _settled(target.pid))
        before = _turns(target.pid)
        times = sampled(target.pid, 0.7, rate=50.0)
        self.assertIsNone(times.result["held"])
        self.assertEqual(_turns(target.pid), before)
        # Every shape of frame has its stack.
        self.assertEqual(times.result["truth"]["misses"], 0)
        self.assertEqual(times.result["truth"]["unresolved"], 0)

    def test_a_stopped_process_is_stopped_time(self) -> None:
        target = self.start(HERE, "time_waits.py")
        os.kill(target.pid, signal.SIGSTOP)
        self.addCleanup(os.kill, target.pid, signal.SIGCONT)
        stats = [task / "stat" for task in Path("/proc/%d/task" % target.pid).iterdir()]
        wait_until(lambda: all(stat.read_text().rpartition(")")[2].split()[0] == "T" for stat in stats))
        # A thread shows the state a moment before it leaves the processor.
        time.sleep(0.1)
        times = sampled(target.pid, 0.5)
        self.assertEqual({entry["reason"] for entry in times.result["entries"]}, {"stopped"})
        self.assertEqual(Proc().stat(target.pid).state, "T")


class Running(Parts):
    @on_each_python()
    def test_a_split_of_the_cpu_is_found_within_its_stated_error(self, python: Python) -> None:
        target = self.start(python, "time_cpu.py", "one")
        times, truth = counted(target, 3.0, rate=100.0)
        self.assert_whole(times)
        row, mine = times.threads["one"], truth["one"]
        expected = mine["hot"] / (mine["hot"] + mine["cold"])
        hot = [entry for entry in times.within("one", "hot") if entry["reason"] == "cpu"]
        share = times.seconds(hot) / row["cpu"]
        samples = row["samples"]
        self.assertGreater(samples, 30)
        self.assertAlmostEqual(share, expected, delta=ERRORS * math.sqrt(0.21 / samples))
        self.assertAlmostEqual(row["cpu"], mine["hot"] + mine["cold"], delta=0.05 * row["cpu"] + 0.02)

    @on_each_python(lambda python: "t (" not in python.label)
    def test_threads_that_fight_for_the_gil(self, python: Python) -> None:
        target = self.start(python, "time_cpu.py", "one", "two")
        times, truth = counted(target, 2.0, rate=100.0)
        self.assert_whole(times)
        for name in ("one", "two"):
            row, reasons = times.threads[name], times.reasons(name)
            self.assertAlmostEqual(row["cpu"], sum(truth[name].values()), delta=0.05 * row["wall"])
            # What is not CPU, nor waiting for one, is waiting for the GIL.
            self.assertGreater(reasons["gil"], 0.8 * (row["wall"] - row["cpu"] - row["runnable"]) - 0.02)
            self.assertNotIn("lock", reasons)
            gil = times.entries(name, reason="gil")
            self.assertEqual({entry["call"] for entry in gil}, {"futex"})
            for entry in gil:
                self.assertIn("burn", times.names(entry))
            holding = times.seconds(times.entries(name, reason="cpu", call="gil"))
            self.assertGreater(holding, 0.7 * row["cpu"])

    @on_each_python()
    def test_no_stack_is_impossible(self, python: Python) -> None:
        processors = sorted(os.sched_getaffinity(0))
        if len(processors) < 2:
            self.skipTest("one processor: a torn read cannot be seen on it")
        for name in CHAINS:
            target = self.start(python, name)
            os.sched_setaffinity(target.pid, {processors[-1]})
            os.sched_setaffinity(0, {processors[0]})
            try:
                times = _driven(target.pid, 1500)
            finally:
                os.sched_setaffinity(0, processors)
            self.assertGreater(times.threads[times.main]["samples"], 300)
            for entry in times.entries(times.main, reason="cpu"):
                stack = [(place[0], place[2]) for place in reversed(times.places(entry))]
                self.assertFalse(impossible(name, stack), stack)

    @on_each_python()
    def test_code_that_is_gone_at_once_never_gets_anothers_name(self, python: Python) -> None:
        target = self.start(python, "made_code.py")
        seen = unknown = 0
        # On a busy machine a target is seen running less often.
        for _ in range(5):
            times = sampled(target.pid, 2.0, rate=100.0)
            unresolved = 0
            for entry in times.entries(times.main):
                places = times.places(entry)
                unresolved += entry["samples"] * sum(place[0] == "<unresolved>" for place in places)
                made = made_at(places)
                seen += entry["samples"] * (made is not None)
                self.assertIsNot(made, False, places)
            self.assertEqual(times.result["truth"]["unresolved"] > 0, unresolved > 0)
            unknown += unresolved
            if seen > 30:
                break
        self.assertGreater(seen, 30)
        self.assertLess(unknown, seen)

    def test_deep_recursion_is_cut_and_counted(self) -> None:
        target = self.start_source(HERE, DEEP)
        times = sampled(target.pid, 0.6, depth=100)
        entries = [entry for entry in times.entries(times.main) if entry["frames"]]
        self.assertTrue(entries)
        self.assertEqual({len(entry["frames"]) for entry in entries}, {100})
        whole = sampled(target.pid, 0.6, depth=2000)
        self.assertEqual({len(entry["frames"]) for entry in whole.entries(whole.main) if entry["frames"]}, {901})
        self.assertGreater(times.result["truth"]["truncated"], 0)
        self.assertEqual(whole.result["truth"]["truncated"], 0)

    @on_each_python()
    def test_generators_and_coroutines_have_all_their_frames(self, python: Python) -> None:
        target = self.start_source(python, SHAPES)
        times = sampled(target.pid, 1.5, rate=100.0)
        stacks = {tuple(times.names(entry)) for entry in times.entries(times.main, reason="cpu") if entry["frames"]}
        self.assertTrue(stacks)
        chains = {chain[chain.index("spin") :] for chain in stacks if "spin" in chain}
        self.assertTrue(any(chain[:4] == ("spin", "yields", "passes", "takes") for chain in chains), chains)
        self.assertTrue(any(chain[:3] == ("spin", "inner", "outer") for chain in chains), chains)
        for chain in chains:
            self.assertIn(chain[1], ("yields", "inner"))

    def test_without_a_hold_stacks_are_those_that_two_reads_agreed_on(self) -> None:
        target = self.start(HERE, "time_cpu.py", "one")
        times = sampled(target.pid, 1.0, rate=50.0, hold=False)
        self.assertIsNone(times.result["held"])
        self.assertTrue(any("not held" in note for note in times.notes), times.notes)
        self.assert_whole(times)

    def test_what_somebody_else_traces_is_read_without_a_hold(self) -> None:
        target = self.start(HERE, "time_cpu.py", "one")
        tid = max(Proc().threads(target.pid))
        attached, done = threading.Event(), threading.Event()

        def trace() -> None:
            import ctypes

            libc = ctypes.CDLL(None)
            libc.ptrace(0x4206, tid, None, None)
            attached.set()
            done.wait()
            libc.ptrace(0x4207, tid, None, None)
            os.waitpid(tid, 0x40000000)
            libc.ptrace(17, tid, None, None)

        tracer = threading.Thread(target=trace)
        tracer.start()
        attached.wait()
        try:
            times = sampled(target.pid, 0.6)
        finally:
            done.set()
            tracer.join()
        self.assertTrue(any("not held (ptrace: Operation not permitted)" in note for note in times.notes), times.notes)


def _driven(pid: int, looks: int) -> Times:
    """Look at a process as fast as it goes."""
    from pydebug_agent.timing import report

    sampler = MemorySampler(Target(pid, Proc()), rate=1000.0)
    try:
        sampler.start()
        for _ in range(looks):
            sampler.tick()
        return Times(report.build(sampler.finish(), lambda name: True))
    finally:
        sampler.close()


def _turns(pid: int) -> List[str]:
    proc = Proc()
    return [proc.text(pid, "task", tid, "schedstat").split()[2] for tid in proc.threads(pid)]


def _settled(pid: int) -> bool:
    before = _turns(pid)
    time.sleep(0.1)
    return _turns(pid) == before


# Function, file and the caller's line all name the same number.
DEEP = """
import json, sys, time
sys.setrecursionlimit(5000)
def deep(left):
    if left > 1:
        return deep(left - 1)
    print(json.dumps("ready"), flush=True)
    while True:
        sum(range(1000))
deep(900)
"""

SHAPES = """
import json
def spin():
    total = 0
    for value in range(3000):
        total += value
    return total
def yields():
    while True:
        spin()
        yield 1
def passes():
    yield from yields()
def takes(generator):
    for _ in range(3):
        next(generator)
async def inner():
    spin()
async def outer():
    await inner()
print(json.dumps("ready"), flush=True)
while True:
    takes(passes())
    try:
        outer().send(None)
    except StopIteration:
        pass
"""


if __name__ == "__main__":
    unittest.main()
