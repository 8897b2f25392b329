"""Python stacks for bpftrace: the walk's text, the frames that come back from its map, and what is hidden of it."""

from __future__ import annotations

import os
import re
import unittest
from typing import Any, Dict, Iterator, List, Tuple

from .reader_support import Python, ReaderTest, on_each_python, wait_until

from pydebug_agent.bpftrace import pystack
from pydebug_agent.bpftrace.lines import Lines
from pydebug_agent.system.proc import Proc
from pydebug_agent.reader.layouts import old_layout
from pydebug_agent.reader.target import Target
from pydebug_agent.reader.waits import system_calls
from pydebug_agent.bpf.names import telling_words
from pydebug_agent.bpf.records import mixed

PROGRAM = """
import os
def known():
    os.read(0, 1)
def caller():
    known()
print("{}", flush=True)
caller()
"""
OF_TODAY = on_each_python(lambda python: python.minor >= 11)


class Hidden(unittest.TestCase):
    def test_lines_of_ours_are_left_out_however_they_are_cut(self) -> None:
        text = b'{"a": 1}\n' + pystack.PRINTED + b': {"1": [1, 2]}}}\n\n{"b": 2}\nrest'
        for size in range(1, len(text) + 1):
            lines = Lines([re.escape(pystack.PRINTED)])
            out = b"".join(lines.take(text[place : place + size]) for place in range(0, len(text), size))
            self.assertEqual((b'{"a": 1}\n\n{"b": 2}\n', b"rest"), (out, lines.rest()))

    def test_what_is_hidden_is_not_kept_and_what_is_long_not_held_back(self) -> None:
        lines = Lines([b"hidden"])
        self.assertEqual(b"", lines.take(b"hidden" + b"x" * 100))
        self.assertEqual(b"", lines.take(b"y" * 100))
        self.assertEqual(b"", lines.rest())
        self.assertEqual(b"z\n", lines.take(b"\nz\n"))
        long = b"a" * (1 << 20) + b"b"
        self.assertEqual(long, lines.take(long))
        # Its rest is not taken for the beginning of a line.
        self.assertEqual(b"hidden\n", lines.take(b"hidden\n"))


class Text(unittest.TestCase):
    def walk(self, minor: int, **changes: int) -> pystack.Walk:
        return pystack.Walk(old_layout(minor), 3128, **{"offset": 808, "difference": 0, **changes})

    def test_it_is_whole_statements_in_one_line(self) -> None:
        for version in ((0, 17), (0, 23), (0, 27)):
            text = self.walk(12).text("(MINE)", "(PID)", version)
            self.assertNotIn("\n", text)
            self.assertEqual(text.count("{"), text.count("}"))
            self.assertEqual(text.count("("), text.count(")"))
            self.assertEqual(version >= (0, 27), "for ($pydebug_n : 0.." in text)
            self.assertEqual(version < (0, 27), "while ($pydebug_n < " in text)
            # Others than the target's threads are not read at all.
            self.assertLess(text.index("if ((MINE) && "), text.index("uptr"))

    def test_offsets_below_the_pointer_are_taken_away(self) -> None:
        text = self.walk(12, offset=-24, difference=-16).text("1", "1", (0, 23))
        self.assertIn("uptr($pydebug_t - 24)", text)
        self.assertIn("== $pydebug_t - 16)", text)

    def test_what_is_not_a_threads_own_state_is_not_followed(self) -> None:
        text = self.walk(12).text("1", "1", (0, 23))
        self.assertLess(text.index("uptr($pydebug_s + 136) == $pydebug_t + 0"), text.index("$pydebug_f = *"))


class FakeKernel:
    def __init__(self, *batches: "List[Tuple[int, Tuple[int, int, int, int]]]") -> None:
        self.batches = list(batches)

    def items(self, *_: Any, take: bool) -> Iterator[Tuple[bytes, bytes]]:
        for key, value in self.batches.pop(0) if self.batches else ():
            yield key.to_bytes(8, "little"), b"".join(word.to_bytes(8, "little") for word in value)


class FakeRequest:
    def __init__(self) -> None:
        self.proc = Proc()
        self.frames: Dict[int, List[Any]] = {}

    def result(self, content: Dict[str, Any]) -> None:
        assert content["kind"] == "bpftraceFrames"
        for number, *rest in content["frames"]:
            assert number not in self.frames
            self.frames[number] = rest


def stacks(walk: pystack.Walk, kernel: FakeKernel, entries: int = 100) -> "Tuple[pystack.PyStacks, FakeRequest]":
    request = FakeRequest()
    made = pystack.PyStacks(request, walk)
    made.close()
    made._kernel, made._map, made._entries = kernel, 0, entries
    return made, request


def reads(pid: int) -> bool:
    """Say whether a process waits in a read, as the program does at its innermost line."""
    number = Proc().text(pid, "syscall").split()[0]
    return number.isdigit() and system_calls().get(int(number)) == "read"


class Frames(ReaderTest):
    @OF_TODAY
    def test_frames_are_named_by_the_code_that_the_walk_saw(self, python: Python) -> None:
        process = self.start_source(python, PROGRAM)
        wait_until(lambda: reads(process.pid))
        target = Target(process.pid, Proc())
        walk = pystack.Walk(target.layout, 0, 0, 0)
        memory, layout = target.memory, target.layout
        (thread,) = target.threads()
        frame = memory.u64(thread.address + max(layout.thread_frame, layout.thread_cframe))
        if layout.thread_cframe >= 0:
            frame = memory.u64(frame + layout.cframe_frame)
        hash_, batch = process.pid, []
        while frame:
            code = memory.u64(frame + layout.frame_code) & ~7
            owner = memory.read(frame + layout.frame_owner, 1)[0] & 7
            words = [memory.u64(code + word) for word in telling_words(layout)] if code else []
            entry = (hash_, code + owner, memory.u64(frame + layout.frame_instruction), mixed(words))
            hash_ = mixed((hash_ << 20, *entry))
            batch.append((hash_, entry))
            frame = memory.u64(frame + layout.frame_previous)
        # The outermost frame comes first: it waits for those between it and the process.
        made, request = stacks(walk, FakeKernel([batch[-1]], batch[:-1], batch))
        made.poll(0)
        self.assertEqual({}, request.frames)
        made.poll(0)
        made.poll(0)
        named = [request.frames[key][1:] for key, _ in batch if len(request.frames[key]) > 1]
        self.assertEqual(["known", "caller", "<module>"], [name for name, _, _ in named])
        self.assertEqual([4, 6, 8], [line for _, _, line in named])
        self.assertEqual({"found": True, "unresolved": 0, "cut": 0, "full": False}, made.summary())
        # Another code object lies at the address by now.
        entry = batch[0][1]
        made, request = stacks(walk, FakeKernel([(1 << 40, entry[:3] + (entry[3] ^ 1,))]))
        made.poll(0)
        self.assertEqual(["<unresolved>", "", 0], request.frames[1 << 40][1:])
        self.assertEqual(1, made.summary()["unresolved"])
        # The target ended before all that was met had a name.
        late = (process.pid, *batch[1][1][1:])
        made, request = stacks(walk, FakeKernel([batch[0]], [(1 << 40, late)]))
        made.poll(0)
        self.assertEqual("known", request.frames[batch[0][0]][1])
        self.end_targets()
        made.poll(0)
        self.assertEqual(["<unresolved>", "", 0], request.frames[1 << 40][1:])

    @OF_TODAY
    def test_where_threads_keep_their_state_is_found(self, python: Python) -> None:
        if os.geteuid() != 0:
            self.skipTest("BPF needs root")
        process = self.start_source(python, PROGRAM)
        walk = pystack._walk_of(process.pid, Proc())
        target = Target(process.pid, Proc())
        (thread,) = target.threads()
        pointer = thread.ident - walk.difference
        self.assertEqual(thread.address, target.memory.u64(pointer + walk.offset))

    def test_what_is_lost_is_told(self) -> None:
        walk = pystack.Walk(old_layout(12), 0, 0, 0)
        gone = (1 << 22) + 1
        made, request = stacks(
            walk,
            FakeKernel(
                [(1 << 40, (gone, 4096, 1, 1)), (1 << 41, (1 << 40, 1, 0, 0)), (1 << 42, (1 << 50, 4096, 1, 1))]),
            entries=3,
        )
        made.poll(0)
        self.assertEqual([gone, "<unresolved>", "", 0], request.frames[1 << 40])
        self.assertEqual([1 << 40, "...", "", 0], request.frames[1 << 41])
        self.assertEqual({"found": True, "unresolved": 2, "cut": 1, "full": True}, made.summary())

