"""Wrong offsets are refused, new minors are tried with care, and lines come out right."""

from __future__ import annotations

import dis
import os
import struct
import sys
import unittest
from typing import Any, Dict, Iterator, List, Tuple
from unittest import mock

from .reader_support import Python, ReaderTest, on_each_python

from pydebug_agent.system.errors import AgentError
from pydebug_agent.system.proc import Proc
from pydebug_agent.reader import layouts, target
from pydebug_agent.reader.stacks import read_stacks
from pydebug_agent.reader.layouts import Layout, old_layout, published_layout, schema
from pydebug_agent.reader.lines import line_of
from pydebug_agent.reader.memory import Fault, Pages
from pydebug_agent.reader.selfcheck import Misfit, NotReady, SelfCheck

SLEEPER = "import json, time\nprint(json.dumps('ready'), flush=True)\ntime.sleep(3600)\n"


class WrongTables(ReaderTest):
    def _refused(self, found: target.Target, layout: Layout) -> bool:
        check = SelfCheck(Pages(found.memory), layout, found.found.runtime, found.found.code_type, found.tids)
        try:
            check.run()
        except (Misfit, NotReady, Fault, struct.error):
            return True
        return False

    def _attached(self, python: Python) -> target.Target:
        return target.Target(self.start_source(python, SLEEPER).pid, Proc())

    @on_each_python()
    def test_every_other_minors_table_is_refused(self, python: Python) -> None:
        found = self._attached(python)
        data = found.memory.read(found.found.runtime, schema(15)[1])
        others: List[Tuple[str, Layout]] = [("3.%d" % minor, old_layout(minor)) for minor in range(8, 13)]
        for minor in layouts.PUBLISHED:
            try:
                others.append(("3.%d published" % minor, published_layout(minor, found.found.free_threaded, data)))
            except ValueError:
                continue
        own = "3.%d published" % python.minor if found.found.published else "3.%d" % python.minor
        for name, layout in others:
            self.assertEqual(self._refused(found, layout), name != own, "the table of %s" % name)

    @on_each_python(lambda python: python.minor < 13)
    def test_one_wrong_offset_is_enough(self, python: Python) -> None:
        found = self._attached(python)
        names = ["interpreter_modules", "thread_interpreter", "thread_ident", "code_file",
                 "code_name", "code_first_line", "frame_code"]
        if python.minor >= 11:
            names += ["code_start", "code_qualname"]
        else:
            names += ["frame_previous", "frame_locals"]
        for name in names:
            for distance in (-8, 8):
                wrong = Layout.__new__(Layout)
                wrong.__dict__.update(found.layout.__dict__)
                setattr(wrong, name, getattr(wrong, name) + distance)
                self.assertTrue(self._refused(found, wrong), "%s off by %d" % (name, distance))

    @on_each_python(lambda python: python.minor < 13)
    def test_a_refused_interpreter_says_what_works_instead(self, python: Python) -> None:
        running = self.start_source(python, SLEEPER)
        wrong = mock.patch.object(target, "old_layout", lambda minor: old_layout(9 if minor != 9 else 11))
        with wrong, mock.patch.object(target, "STARTING_SECONDS", 0.0):
            with self.assertRaises(AgentError) as caught:
                read_stacks(running.pid)
        self.assertEqual(caught.exception.cause, "UnsupportedPython")
        self.assertIn("py-spy", caught.exception.message.lower().replace("pyspy", "py-spy"))

    @on_each_python(lambda python: python.minor >= 13)
    def test_an_unknown_minor_is_read_by_the_layout_that_fits_and_says_so(self, python: Python) -> None:
        running = self.start_source(python, SLEEPER)
        real = target.Locator.find

        def as_next(self: Any) -> Any:
            return [found._replace(version=(3, 16, 0)) for found in real(self)]

        with mock.patch.object(target.Locator, "find", as_next):
            result = read_stacks(running.pid)
        self.assertEqual(result["threads"][0]["frames"][-1]["name"], "<module>")
        self.assertIn("Python 3.16 is not known; the layout of 3.%d fits." % python.minor, result["notes"])


class Lines(unittest.TestCase):
    def test_the_table_of_this_interpreter_gives_its_own_lines(self) -> None:
        minor = sys.version_info[1]
        checked = 0
        for code in _codes():
            table = code.co_linetable if minor >= 10 else code.co_lnotab
            for instruction in dis.get_instructions(code):
                expected = _line(code, instruction.offset)
                if expected is None:
                    continue
                index = instruction.offset // 2 if minor >= 10 else instruction.offset
                self.assertEqual(line_of(minor, table, code.co_firstlineno, index), expected)
                checked += 1
        self.assertGreater(checked, 1000)

    def test_a_table_cut_short_gives_no_line_and_no_error(self) -> None:
        code = Lines.test_a_table_cut_short_gives_no_line_and_no_error.__code__
        table = getattr(code, "co_linetable", b"\x80\x01\xf0\x02")
        for minor in (9, 10, 11, 15):
            for length in range(len(table)):
                self.assertIsInstance(line_of(minor, table[:length] + b"\xff", 1, 1000), int)


def _codes() -> Iterator[Any]:
    with open(os.__file__) as source:
        waiting = [compile(source.read(), "os", "exec")]
    while waiting:
        code = waiting.pop()
        yield code
        waiting += [constant for constant in code.co_consts if hasattr(constant, "co_code")]


_LINES: Dict[Any, List[Tuple[int, int, Any]]] = {}


def _line(code: Any, offset: int) -> Any:
    if hasattr(code, "co_lines"):
        spans = _LINES.setdefault(code, list(code.co_lines()))
        return next((line for start, end, line in spans if start <= offset < end), None)
    line = code.co_firstlineno
    for start, number in dis.findlinestarts(code):
        if start <= offset:
            line = number
    return line


if __name__ == "__main__":
    unittest.main()
