"""Stacks from within the kernel are those that were: deep ones, of generators, of code made at run time."""

from __future__ import annotations

import unittest
from typing import List

from .reader_support import Python, ReaderTest, on_each_python
from .timing_support import record, sampled, shares, stacks, thread

from pydebug_agent.reader.codeobj import Stack
from pydebug_agent.timing.recording import Recording

DEEP = """
import json, sys, threading, time
sys.setrecursionlimit(5000)
threading.stack_size(64 << 20)
def burn():
    while True: sum(range(1000))
def rest():
    while True: time.sleep(0.01)
def down(left, last):
    return down(left - 1, last) if left else last()
for work in (burn, rest):
    threading.Thread(target=down, args=(900, work), name=work.__name__, daemon=True).start()
time.sleep(0.1)
print(json.dumps("ready"), flush=True)
while True: time.sleep(1)
"""

SHAPES = """
import asyncio, json, threading, time
def numbers():
    for number in inner(): yield number
def inner():
    while True:
        time.sleep(0.003)
        yield 1
def generates():
    for _ in numbers(): pass
async def leaf():
    end = time.monotonic() + 0.003
    while time.monotonic() < end: pass
    await asyncio.sleep(0.001)
async def trunk():
    while True: await leaf()
def awaits(): asyncio.run(trunk())
class Sorted:
    def __init__(self, value): self.value = value
    def __lt__(self, other):
        time.sleep(0.001)
        return self.value < other.value
def compares():
    while True: sorted([Sorted(number) for number in range(5)])
for work in (generates, awaits, compares):
    threading.Thread(target=work, name=work.__name__, daemon=True).start()
time.sleep(0.1)
print(json.dumps("ready"), flush=True)
while True: time.sleep(1)
"""

# Each function stands at the line that its name says and calls the one that its number says; it lives for a moment,
# and the next takes its memory.
MADE = """
import json, threading, time
def burns(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end: pass
marks = {"burns": burns, "sleeps": time.sleep}
for number in range(7):
    for how in ("burns", "sleeps"):
        exec("def mark_%d_%s(): %s(0.002)" % (number, how, how), marks)
def once(number, how):
    line = number % 9973 + 1
    name = "made_%d_%d" % (line, number)
    source = "\\n" * (line - 1) + "def %s(): mark_%d_%s()" % (name, number % 7, how)
    space = dict(marks)
    exec(compile(source, "made_%d" % line, "exec"), space)
    space[name]()
    space.clear()
def runs(how):
    number = 0
    while True:
        number += 1
        once(number, how)
for how in ("burns", "sleeps"):
    threading.Thread(target=runs, args=(how,), name=how, daemon=True).start()
print(json.dumps("ready"), flush=True)
while True: time.sleep(1)
"""

GIL = """
import ctypes, json, sys, threading, time
library = ctypes.PyDLL(None)
held = [0.0]
def hog():
    while True:
        library.usleep(40000)
        # By a clock it would be more: the lock is let go of before the next instruction.
        held[0] += 0.04
        time.sleep(0.02)
def victim():
    number = 0
    while True: number += 1
for work in (hog, victim):
    threading.Thread(target=work, name=work.__name__, daemon=True).start()
print(json.dumps("ready"), flush=True)
while sys.stdin.readline():
    now = time.monotonic()
    print(json.dumps([now, held[0]]), flush=True)
"""


def names(stack: Stack) -> List[str]:
    """Return the functions of a stack, innermost first."""
    return [place.name for place in stack]


class Depth(ReaderTest):
    def _deep(self, python: Python, depth: int) -> Recording:
        target = self.start_source(python, DEEP)
        return record(target.pid, 0.8, depth=depth)

    @on_each_python(sampled)
    def test_900_calls_are_seen_to_their_end(self, python: Python) -> None:
        recording = self._deep(python, 1000)
        for name, reason in (("burn", "cpu"), ("rest", "sleep")):
            found = stacks(recording, thread(recording, name), reason)
            whole = [stack for stack in found if stack and names(stack).count("down") == 901]
            self.assertTrue(whole)
            self.assertEqual(names(whole[0])[-1], "Thread._bootstrap" if python.minor > 10 else "_bootstrap")
            self.assertGreater(sum(found[stack] for stack in whole), 0.9 * sum(found.values()))
        self.assertEqual((recording.truncated, recording.misses), (0, 0))

    @on_each_python(sampled)
    def test_what_is_deeper_than_asked_for_is_cut_and_counted(self, python: Python) -> None:
        recording = self._deep(python, 50)
        for name, reason in (("burn", "cpu"), ("rest", "sleep")):
            for stack in stacks(recording, thread(recording, name), reason):
                self.assertEqual(len(stack), 50)
                self.assertEqual(names(stack)[0], name)
        self.assertGreater(recording.truncated, 50)


class Shapes(ReaderTest):
    @on_each_python(sampled)
    def test_generators_coroutines_and_calls_through_c(self, python: Python) -> None:
        target = self.start_source(python, SHAPES)
        recording = record(target.pid, 1.5, rate=499.0, wait_rate=199.0)
        for name, reason, expected in (
            ("generates", "sleep", ["inner", "numbers", "generates"]),
            ("awaits", "cpu", ["leaf", "trunk"]),
            ("compares", "sleep", ["Sorted.__lt__", "compares"]),
        ):
            found = stacks(recording, thread(recording, name), reason)
            most = max(found, key=lambda stack: found[stack])
            self.assertEqual(names(most)[: len(expected)], expected)
            # No caller that is none.
            for stack in found:
                got = names(stack)
                if "inner" in got:
                    self.assertEqual(got[got.index("inner") + 1], "numbers")
                if "leaf" in got:
                    self.assertEqual(got[got.index("leaf") + 1], "trunk")
        self.assertEqual(recording.unresolved, 0)

    @on_each_python(sampled)
    def test_code_made_at_run_time_has_its_own_name_or_none(self, python: Python) -> None:
        target = self.start_source(python, MADE)
        recording = record(target.pid, 2.0, rate=499.0, wait_rate=199.0)
        right = unresolved = 0
        for key, count in recording.counts.items():
            got = names(key.stack)
            unresolved += count.samples * got.count("<unresolved>")
            for place, callee in zip(key.stack[1:], got):
                if place.name.startswith("made_"):
                    line, number = [int(word) for word in place.name.split("_")[1:]]
                    self.assertEqual((place.file, place.line), ("made_%d" % line, line))
                    self.assertRegex(callee, "^mark_%d_" % (number % 7))
                    right += count.samples
        # Most functions are gone before they could be named, and then they have no name.
        self.assertGreater(right, 10)
        self.assertGreater(unresolved, 50)
        self.assertEqual(recording.unresolved, unresolved)


class TheGil(ReaderTest):
    @on_each_python(sampled)
    def test_the_wait_for_the_gil_is_as_long_as_it_was_held(self, python: Python) -> None:
        target = self.start_source(python, GIL)
        said: List[List[float]] = []

        def mark() -> None:
            target.say("")
            said.append(target.line())

        recording = record(target.pid, 4.0, mark, rate=199.0, wait_rate=199.0)
        mark()
        window = said[1][0] - said[0][0]
        held = (said[1][1] - said[0][1]) / window
        victim, hog = thread(recording, "victim"), thread(recording, "hog")
        parts = shares(recording, victim)
        # It looks for the lock every 5 ms, and needs a processor for that.
        self.assertLess(parts["gil"] / victim.wall, held + 0.03)
        self.assertGreater((parts["gil"] + parts["runnable"]) / victim.wall, held - 0.03)
        cpu = {key.call for key in recording.counts if key.tid == victim.tid and key.reason == "cpu"}
        self.assertIn("gil", cpu)
        self.assertGreater(shares(recording, hog)["sleep"], 0.6 * hog.wall)


if __name__ == "__main__":
    unittest.main()
