"""No stack that never existed: targets that change their call chain all the time, on a processor of their own."""

from __future__ import annotations

import collections
import os
import sys
import time
import unittest
from typing import Any, Dict, List, Optional, Sequence, Tuple

from .reader_support import TARGETS, Python, ReaderTest, Running, on_each_python

from pydebug_agent.system.proc import Proc
from pydebug_agent.reader.codeobj import CodeReader, is_shim
from pydebug_agent.reader.stacks import read_stacks
from pydebug_agent.reader.take import Taker
from pydebug_agent.reader.target import Target

READS = int(os.environ.get("PYDEBUG_TORN_READS", "2000"))
# On a busy machine the target gets little of its processor; what counts is that it ran on between two reads.
LEAST_SHARE = 0.02
LEAST_SECONDS = 50e-6
# Reads that agree with the next one are rarer the more of its processor a target gets.
LEAST_REREAD = READS // 20
MOST_READS = 5 * READS
CHAINS = {
    "torn_switch.py": [["a1", "a2", "a3"], ["b1", "b2", "b3"]],
    "torn_shared.py": [["from_left", "shared", "left"], ["from_right", "shared", "right"]],
}


def impossible(target: str, stack: List[Tuple[str, int]]) -> bool:
    """Say whether a stack, outermost first, can never have been: by its functions and by each caller's line."""
    source = (TARGETS / target).read_text().splitlines()
    names = [name for name, _ in stack]
    chain = names[2:]
    known = any(chain == path[: len(chain)] for path in CHAINS[target])
    if not known or names[:2] != ["<module>", "main"][: len(names)]:
        return True
    for (_, line), (callee, _) in zip(stack, stack[1:]):
        text = source[line - 1].strip()
        if callee + "(" not in text and text != "return function()":
            return True
    return False


def made_at(places: Sequence[Sequence[Any]]) -> Optional[bool]:
    """Say whether a stack of made_code.py, innermost first, is one that there was; None where it does not tell."""
    for (name, file, line), (caller, caller_file, caller_line) in zip(places, places[1:]):
        if name.startswith("made_") and caller != "<unresolved>":
            number = int(name[5:])
            whole = (file, caller, caller_file, caller_line)
            return line in (1, 2) and whole == ("<code %d>" % number, "<module>", file, 3 + number % 7)
    return None


class Reads:
    """What came of reading one target again and again."""

    def __init__(self) -> None:
        self.how: "collections.Counter[str]" = collections.Counter()
        self.impossible: "collections.Counter[str]" = collections.Counter()
        self.held: List[float] = []
        self.share = 0.0
        self.seconds = 0.0

    def __str__(self) -> str:
        times = sorted(self.held) or [0.0]
        at = [times[min(len(times) - 1, len(times) * part // 100)] for part in (50, 90, 99)]
        return "%s; impossible %s; target's CPU share %.2f; held us p50 %.0f p90 %.0f p99 %.0f max %.0f" % (
            dict(self.how), dict(self.impossible.most_common(3)), self.share, *at, times[-1])


class TornTargets(ReaderTest):
    def setUp(self) -> None:
        processors = sorted(os.sched_getaffinity(0))
        if len(processors) < 2:
            self.skipTest("one processor: a torn read cannot be seen on it")
        self.addCleanup(os.sched_setaffinity, 0, processors)
        os.sched_setaffinity(0, {processors[0]})
        self.other = processors[-1]

    def _read(self, python: Python, name: str, stop: bool, least: int = 0) -> Reads:
        """Read at least ``READS`` times, and on until more than ``least`` reads agreed with the next one."""
        running = self.start(python, name)
        os.sched_setaffinity(running.pid, {self.other})
        target = Target(running.pid, Proc())
        code = CodeReader(target.memory, target.layout, target.code_type)
        taker = Taker(target, stop)
        reads = Reads()
        began, used = time.monotonic(), running.cpu()
        count = 0
        while count < READS or (least and reads.how["reread"] <= least and count < MOST_READS):
            count += 1
            for taken in taker.take(target.threads()).values():
                reads.how[taken.how] += 1
                if taken.held is not None:
                    reads.held.append(taken.held)
                if taken.frames is None:
                    continue
                places = [code.place(frame) for frame in taken.frames if not is_shim(target.layout, frame)]
                if None in places:
                    # Code and instruction do not belong together: read_stacks gives no stack for such a thread.
                    reads.how["unnamed"] += 1
                    reads.how[taken.how] -= 1
                    continue
                stack = [(place.name, place.line) for place in reversed(places) if place is not None]
                if impossible(name, stack):
                    reads.impossible[" > ".join(function for function, _ in stack)] += 1
        used = running.cpu() - used
        reads.share, reads.seconds = used / (time.monotonic() - began), used / count
        self._still_runs(running)
        print("%s %s %s: %s" % (python.label, name, "held" if stop else "not held", reads), file=sys.stderr)
        return reads

    def _still_runs(self, running: Running) -> None:
        self.assertNotIn(Proc().stat(running.pid).state, "tTZ")

    def _judge(self, reads: Reads) -> None:
        self.assertEqual(dict(reads.impossible), {})
        nothing = "the target did not run beside the reader: nothing was proven"
        self.assertGreater(reads.share, LEAST_SHARE, nothing)
        self.assertGreater(reads.seconds, LEAST_SECONDS, nothing)

    @on_each_python()
    def test_held_stacks_are_never_impossible(self, python: Python) -> None:
        for name in CHAINS:
            reads = self._read(python, name, stop=True)
            self._judge(reads)
            self.assertGreater(reads.how["stopped"], READS // 2)
            self.assertEqual((reads.how["none"], reads.how["unnamed"]), (0, 0))

    @on_each_python(lambda python: python.minor >= 11)
    def test_stacks_read_without_a_hold_are_never_impossible(self, python: Python) -> None:
        for name in CHAINS:
            reads = self._read(python, name, stop=False, least=LEAST_REREAD)
            self._judge(reads)
            self.assertEqual(reads.held, [])
            self.assertGreater(reads.how["reread"], LEAST_REREAD)

    @on_each_python(lambda python: python.minor < 11)
    def test_running_threads_of_old_minors_are_counted_not_guessed(self, python: Python) -> None:
        reads = self._read(python, "torn_switch.py", stop=False)
        self.assertEqual(reads.how["reread"], 0)
        self.assertGreater(reads.how["none"], READS // 2)

    @on_each_python()
    def test_code_that_is_gone_at_once_never_gets_anothers_name(self, python: Python) -> None:
        for stop in (True, False):
            running = self.start(python, "made_code.py")
            reads: "collections.Counter[Optional[bool]]" = collections.Counter()
            for _ in range(300):
                for thread in read_stacks(running.pid, stop=stop)["threads"]:
                    reads[made_at([(row["name"], row["file"], row["line"]) for row in thread["frames"]])] += 1
            self.assertEqual(reads[False], 0)
            # Without a hold code that lives for a moment has no name, and 3.9 no stack.
            self.assertGreater(reads[True], 30 if stop else -1)

    def test_the_judge_knows_an_impossible_stack(self) -> None:
        mixed = [("<module>", 36), ("main", 32), ("a1", 20), ("b2", 27)]
        self.assertTrue(impossible("torn_switch.py", mixed))
        source = (TARGETS / "torn_switch.py").read_text().splitlines()
        lines: Dict[str, int] = {text.strip(): number + 1 for number, text in enumerate(source)}
        good = [("<module>", lines["main()"]), ("main", lines["a1()"]), ("a1", lines["return a2()"]), ("a2", 1)]
        self.assertFalse(impossible("torn_switch.py", good))
        self.assertTrue(impossible("torn_switch.py", [good[0], ("main", lines["b1()"])] + good[2:]))


if __name__ == "__main__":
    unittest.main()
