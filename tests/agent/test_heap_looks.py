"""Parts of known size, growth at a known rate, and what a look does where it cannot be one."""

from __future__ import annotations

import os
import time
import unittest
from typing import Any, Dict, List

from .driver import Agent, failures, results
from .heap_support import by_name, subject_of
from .reader_support import Python, ReaderTest, Running, on_each_python, wait_until

from pydebug_agent.system.errors import AgentError
from pydebug_agent.heap import choose
from pydebug_agent.heap.growth import line, quantile, verdict
from pydebug_agent.heap.holders import Holders
from pydebug_agent.heap.options import Options
from pydebug_agent.heap.watch import Watch
from pydebug_agent.system.proc import Proc

PLAIN = Options(1.0, None, [], False, None, None, False, False)
INTERPRETERS = """
import json, sys, threading, time
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
other = interpreters.create()
code = '''
import time
class Other:
    def __init__(self, number): self.number = number + 100000; self.text = "other%d" % number
kept = [Other(number) for number in range(20000)]
time.sleep(3600)
'''
class Mine:
    def __init__(self, number): self.number = number + 100000; self.text = "mine%d" % number
kept = [Mine(number) for number in range(20000)]
run = interpreters.exec if hasattr(interpreters, "exec") else interpreters.run_string
threading.Thread(target=lambda: run(other, code), daemon=True).start()
time.sleep(2)
print(json.dumps(1), flush=True)
sys.stdin.readline()
"""
FORGED = """
import ctypes, json, mmap, struct, sys
# Pages that look like pools of an arena that there is not, and lists of free blocks that end nowhere.
size = 64 << 20
area = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
start = ctypes.addressof(ctypes.c_char.from_buffer(area))
for place in range(-start % 16384, size - 16384, 16384):
    free = start + place + 48
    area[place:place + 48] = struct.pack("<QQQQIIII", 3, free, 0, 0, 77, 3, 16368, 16384 - 64)
    area[place + 48:place + 56] = struct.pack("<Q", free)
print(json.dumps(1), flush=True)
sys.stdin.readline()
"""


class Parts(ReaderTest):
    @on_each_python(lambda python: python.minor in (9, 11, 13, 15))
    def test_each_part_has_what_was_put_there(self, python: Python) -> None:
        target = self.start(python, "heap_parts.py")
        with subject_of(target.pid) as subject:
            look = subject.take()
        parts, known = look.split.parts, target.ready
        self.assertGreater(look.split.coverage, 0.99)
        self.assertLess(look.split.coverage, 1.01)
        for name, size in known.items():
            if python.minor >= 15 and name == "Table":
                # From 3.15 on a bytearray's buffer is an object.
                size -= 12_000_000
            self.assertGreater(parts[name], 0.95 * size, name)
            self.assertLess(parts[name], size * 1.2 + 4_000_000, name)
        self.assertLess(look.split.unknown, 0.03 * look.split.rss)

    @on_each_python(lambda python: python.minor in (13, 14))
    def test_interpreters_with_allocators_of_their_own(self, python: Python) -> None:
        target = self.start_source(python, INTERPRETERS)
        with subject_of(target.pid) as subject:
            found = by_name(subject, subject.take())
        # The last one may have left a copy that waits to be used again.
        self.assertLessEqual(abs(found["Mine"].count - 20000) + abs(found["Other"].count - 20000), 1)

    @on_each_python(lambda python: python.minor == 14)
    def test_mimalloc_is_refused_by_name_and_the_parts_stay(self, python: Python) -> None:
        source = "import json, sys; print(json.dumps(1), flush=True); sys.stdin.readline()"
        target = self.start_command(
            [*python.command, "-u", "-c", source], python, env={**os.environ, "PYTHONMALLOC": "mimalloc"})
        target.line()
        with subject_of(target.pid) as subject:
            look = subject.take()
        self.assertEqual(look.why_not.cause, "HeapAllocator")
        self.assertIn("mimalloc", look.why_not.message)
        self.assertIsNone(look.census)
        self.assertGreater(look.split.coverage, 0.99)

    @on_each_python(lambda python: python.minor == 13)
    def test_forged_pools_are_refused_and_the_parts_stay(self, python: Python) -> None:
        target = self.start_source(python, FORGED)
        begun = time.process_time()
        with subject_of(target.pid) as subject:
            look = subject.take()
        self.assertIsNone(look.census)
        self.assertEqual(look.why_not.cause, "HeapUnreadable")
        self.assertGreater(look.split.coverage, 0.99)
        self.assertLess(time.process_time() - begun, 20)


class Growth(ReaderTest):
    def _watch(self, target: Running, looks: int, gap: float) -> Dict[str, Any]:
        with subject_of(target.pid) as subject:
            watch = Watch(subject)
            for index in range(looks):
                watch.look()
                time.sleep(gap if index < looks - 1 else 0)
            target.say("rows")
            rows: List[List[float]] = target.line()
            holders = Holders(subject, False, 60.0).find(choose.growing(watch, PLAIN))
            lines = {}
            for number in watch.counts:
                kind = subject.kinds.all[number]
                counts = watch.objects(number)
                fitted = watch.line_of(number, counts)
                lines[kind.short] = (fitted, verdict(counts, fitted, len(watch.counts)), watch.survivor_count(number))
            return {"rows": rows, "times": watch.times, "lines": lines, "holders": holders}

    @on_each_python(lambda python: python.minor == 14)
    def test_thirty_leaks_grow_at_their_rate_and_what_stands_does_not(self, python: Python) -> None:
        target = self.start(python, "heap_leaks.py", "300", "60")
        seen = self._watch(target, 7, 0.7)
        rows = [row for row in seen["rows"] if seen["times"][0] <= row[0] <= seen["times"][-1]]
        rate = (rows[-1][1] - rows[0][1]) / (rows[-1][0] - rows[0][0])
        kinds = [name for name in target.ready if name in seen["lines"]]
        self.assertEqual(len(kinds), 30)
        within = [name for name in kinds if abs(seen["lines"][name][0].slope - rate) <= max(
            seen["lines"][name][0].margin(), 0.02 * rate)]
        self.assertGreaterEqual(len(within), 26, (rate, [(name, seen["lines"][name][0]) for name in kinds]))
        grows = [name for name in kinds if seen["lines"][name][1] == "Yes"]
        self.assertGreaterEqual(len(grows), 26)
        for name in ("module", "property", "wrapper_descriptor", "ABCMeta"):
            if name in seen["lines"]:
                self.assertNotEqual(seen["lines"][name][1], "Yes", name)
        grown = [row["rate"] for row in seen["holders"] if row.get("rate", 0) > 0.2 * rate]
        self.assertTrue(grown)
        # Half of some containers' items are of one kind.
        self.assertTrue(all(value < 2.5 * rate for value in grown), grown)
        self.assertTrue(all(row["verified"] for row in seen["holders"] if row["root"] in ("Module", "Class", "Frame")))

    def test_a_line_and_its_margin(self) -> None:
        times = [0.0, 1.0, 2.0, 3.0, 4.0]
        fitted = line(times, [0.0, 10.5, 19.5, 30.5, 39.5])
        self.assertAlmostEqual(fitted.slope, 9.9)
        self.assertAlmostEqual(quantile(0.975, 3), 3.182, 3)
        self.assertAlmostEqual(quantile(0.9995, 5), 6.869, 3)
        self.assertEqual(verdict([5.0] * 5, line(times, [5.0] * 5), 500), "No")
        self.assertEqual(verdict([0.0, 10.0, 20.0, 30.0, 40.0], line(times, [0.0, 10.0, 20.0, 30.0, 40.0]), 500), "Yes")
        self.assertEqual(
            verdict([0.0, 0.0, 90.0, 91.0, 91.0], line(times, [0.0, 0.0, 90.0, 91.0, 91.0]), 500), "Stepped")
        self.assertEqual(verdict([9.0, 1.0, 8.0, 2.0, 12.0], line(times, [9.0, 1.0, 8.0, 2.0, 12.0]), 500), "Unsure")
        self.assertIsNone(verdict([1.0, 2.0, 3.0], line(times[:3], [1.0, 2.0, 3.0]), 500))


class TheOperation(ReaderTest):
    def _ask(self, target: Running, **parameters: Any) -> Any:
        with Agent() as agent:
            frames = agent.ask("heap", pids=[target.pid], **parameters)
            return frames, results(frames, "heap"), failures(frames)

    @on_each_python(lambda python: python.minor == 11)
    def test_the_parts_come_first_and_no_more_is_taken_than_is_allowed(self, python: Python) -> None:
        target = self.start(python, "heap_known.py", "8000")
        begun = time.monotonic()
        frames, found, failed = self._ask(target, seconds=1, looks=4, percent=15)
        wall = time.monotonic() - begun
        self.assertEqual(failed, [])
        # On a busy machine the search for the process is told before.
        first = next(each for each in frames if each.kind in "PR" and "looked at" not in each.json.get("text", ""))
        self.assertEqual(first.kind, "P")
        self.assertIn("Python", first.json["text"])
        self.assertEqual(found[0]["looks"], 4)
        # What is ahead at the beginning, and the last piece of work.
        self.assertLess(found[0]["agentCpu"], 0.15 * wall + 0.6)

    @on_each_python(lambda python: python.minor == 13)
    def test_where_the_time_is_over_the_parts_are_the_answer(self, python: Python) -> None:
        # More than a second of work, of which a hundredth is allowed.
        target = self.start(python, "heap_known.py", "150000")
        _, found, failed = self._ask(target, percent=1, deadline=10.0)
        self.assertEqual(failed, [])
        self.assertEqual(found[0]["types"], [])
        self.assertEqual(found[0]["why"]["cause"], "Deadline")
        self.assertIn("Python", [part["name"] for part in found[0]["parts"]])

    @on_each_python(lambda python: python.minor == 13)
    def test_a_process_that_ends_or_becomes_another_program_is_gone(self, python: Python) -> None:
        source = (
            "import json, os, sys; print(json.dumps(1), flush=True); sys.stdin.readline(); "
            "os.execv('/usr/bin/python3.13', ['x', '-c', 'import time; time.sleep(60)'])"
        )
        target = self.start_source(python, source)
        with subject_of(target.pid) as subject:
            subject.take()
            target.say("go")
            wait_until(lambda: Proc().read(target.pid, "cmdline").startswith(b"x\0"))
            with self.assertRaises(AgentError) as caught:
                subject.take()
        self.assertEqual(caught.exception.cause, "ProcessGone")
        ending = self.start_source(python, "import json, sys, time; print(json.dumps(1), flush=True); time.sleep(1.5)")
        _, found, failed = self._ask(ending, seconds=20, looks=5)
        self.assertEqual((found, [each["cause"] for each in failed]), ([], ["ProcessGone"]))

    def test_parameters_that_make_no_sense_are_refused(self) -> None:
        for wrong in (
            {"seconds": -1}, {"looks": 1, "seconds": 5}, {"types": "Order"}, {"percent": 500}, {"samples": 0.5},
                      {"seconds": 1000, "deadline": 5.0}):
            with self.subTest(wrong), Agent() as agent:
                frames = agent.ask("heap", pids=[os.getpid()], **wrong)
                self.assertEqual(["BadRequest"], [each["cause"] for each in failures(frames)])


if __name__ == "__main__":
    unittest.main()
