"""Objects by type, blocks and tables equal what the target says of itself, on every version and allocator there is."""

from __future__ import annotations

import os
import unittest
from typing import Any

from .heap_support import by_name, subject_of
from .reader_support import TARGETS, Python, ReaderTest, Running, on_each_python, wait_until

from pydebug_agent.system.proc import Proc

NUMBER = 5000
# What the target's own count made and dropped again.
OWN = 20
# Blocks that the interpreter takes for itself before it can count.
RAW = 2500


class TheCensusEqualsTheTargetsOwn(ReaderTest):
    def _known(self, python: Python, **environment: str) -> Running:
        command = [*python.command, "-u", "-c", (TARGETS / "heap_known.py").read_text(), str(NUMBER)]
        target = self.start_command(command, python, env={**os.environ, **environment})
        target.ready = target.line()
        wait_until(lambda: Proc().stat(target.pid).state == "S")
        return target

    def _check(self, target: Any) -> None:
        with subject_of(target.pid) as subject:
            look = subject.take()
            self.assertIsNone(look.why_not)
            found = by_name(subject, look)
        truth = target.ready["counts"]
        for name in ("Order", "Slot", "set", "function", "deque", "generator", "Rows", "module"):
            if name in truth:
                self.assertEqual(found[name].count, truth[name], name)
        self.assertEqual(found["Order"].count, NUMBER)
        for name in ("list", "dict"):
            self.assertLessEqual(abs(found[name].count - truth[name]), OWN, name)
        self.assertIn(found["bytearray"].count, (100, 101))
        self.assertEqual(look.census.torn, 0)
        # A set of 9 has a table of 32 entries, a deque of 200 four blocks, a buffer 5,001 bytes.
        self.assertGreaterEqual(found["set"].tables, truth["set"] * 32 * 16 * 0.9)
        self.assertGreaterEqual(found["deque"].tables, NUMBER // 50 * 4 * 528)
        self.assertGreaterEqual(found["list"].tables, 50 * 8000)
        if target.python.minor < 15:
            self.assertGreaterEqual(found["bytearray"].tables, 100 * 5001)
            self.assertLess(found["bytearray"].tables, 100 * 5100)
        self.assertGreater(look.split.coverage, 0.99)
        self.assertLess(look.split.coverage, 1.01)
        self.assertLess(look.split.unknown, 0.05 * look.split.rss)

    @on_each_python()
    def test_objects_tables_and_all_of_the_resident_memory(self, python: Python) -> None:
        target = self._known(python)
        self._check(target)
        with subject_of(target.pid) as subject:
            blocks = sum(subject.take().census.blocks_seen)
        # What others than objects have in pools is not counted alike in all versions.
        self.assertLessEqual(blocks, target.ready["blocks"] + 2)
        self.assertGreaterEqual(blocks, target.ready["blocks"] - RAW)

    @on_each_python(lambda python: python.minor in (11, 14))
    def test_other_allocators(self, python: Python) -> None:
        for allocator, title in (("malloc", "malloc"), ("debug", "pymalloc with debug hooks"),
                                 ("malloc_debug", "malloc with debug hooks")):
            with self.subTest(allocator):
                target = self._known(python, PYTHONMALLOC=allocator)
                self._check(target)
                with subject_of(target.pid) as subject:
                    subject.take()
                    self.assertEqual(subject.allocator(), title)

    @on_each_python(lambda python: python.minor == 13)
    def test_looks_do_not_change_the_target(self, python: Python) -> None:
        target = self._known(python)

        def state() -> Any:
            with open("/proc/%d/status" % target.pid) as file:
                lines = dict(line.split(":", 1) for line in file)
            return lines["VmRSS"], lines["voluntary_ctxt_switches"], lines["nonvoluntary_ctxt_switches"]

        before = state()
        with subject_of(target.pid) as subject:
            for _ in range(3):
                subject.take()
        self.assertEqual(state(), before)


if __name__ == "__main__":
    unittest.main()
