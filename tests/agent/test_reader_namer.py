"""Names of code: what was freed has none, although its bytes lie there still."""

from __future__ import annotations

import unittest
from typing import Tuple

from .reader_support import Python, ReaderTest, Running, on_each_python

from pydebug_agent.system.proc import Proc
from pydebug_agent.reader.frames import Frame
from pydebug_agent.reader.namer import Namer
from pydebug_agent.reader.target import Target

CODES = """
import gc, json, sys
gc.disable()
codes = [compile("def made(): pass", "<made %d>" % number, "exec").co_consts[0] for number in range(50)]
print(json.dumps([id(code) for code in codes]), flush=True)
while True:
    codes[int(sys.stdin.readline())] = None
    print("0", flush=True)
"""


class Names(ReaderTest):
    def _start(self, python: Python) -> Tuple[Running, Target, Namer]:
        running = self.start_source(python, CODES)
        target = Target(running.pid, Proc())
        return running, target, Namer(target.memory, target.layout, target.code_type, 10)

    def _frame(self, target: Target, code: int) -> Frame:
        first = 0 if target.layout.heap_frames else code + target.layout.code_start
        return Frame(1, code, first, 0, 0, True)

    @on_each_python()
    def test_code_that_lives_on_gets_its_name(self, python: Python) -> None:
        running, target, namer = self._start(python)
        frames = [self._frame(target, running.ready[20])]
        self.assertIsNone(namer.stack(frames, False, lambda: False))
        place = namer.stack(frames, False, lambda: False, namer.heads(frames))[0]
        self.assertEqual((place.name, place.file, place.line), ("made", "<made 20>", 1))
        self.assertEqual(namer.stack(frames, False, lambda: False), (place,))
        self.assertEqual((namer.doubts, namer.unresolved), (0, 0))

    @on_each_python()
    def test_code_that_was_freed_gets_none(self, python: Python) -> None:
        running, target, namer = self._start(python)
        untouched = 0
        for number in range(5, 45):
            frames = [self._frame(target, running.ready[number])]
            heads, fresh = namer.note(frames)
            self.assertEqual(fresh, {running.ready[number]})
            running.say(str(number))
            running.line()
            untouched += namer.note(frames)[0] == heads
            self.assertEqual(namer.stack(frames, False, lambda: False, heads)[0].name, "<unresolved>")
        self.assertEqual(namer.unresolved, 40)
        if python.minor > 11:
            self.assertGreater(untouched, 20, "all was overwritten at once: nothing was proven")


if __name__ == "__main__":
    unittest.main()
