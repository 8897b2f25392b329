"""Whether there is an idle processor, and what the samplers make of it."""

from __future__ import annotations

import os
import sys
import tempfile
import time
import unittest
from pathlib import Path
from typing import Callable, Dict
from unittest import mock

from .reader_support import Python, ReaderTest, wait_until
from .time_support import sampled
from .timing_support import record_all

from pydebug_agent.system.proc import Proc
from pydebug_agent.timing import kernel_sampler, memory_sampler, headroom
from pydebug_agent.timing.kernel_sampler import KernelSampler

HERE = Python("this", sys.version_info[1], [sys.executable], "")
STANDS = (
    "import threading, time\n"
    "for number in range(%d): threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    "print('\"ready\"', flush=True)\ntime.sleep(60)\n"
)


def stand(pid: int) -> bool:
    """Say whether all threads of a process have come to where they wait: none runs for a while."""
    before = [Proc().text(pid, "task", tid, "schedstat") for tid in Proc().threads(pid)]
    time.sleep(0.2)
    return before == [Proc().text(pid, "task", tid, "schedstat") for tid in Proc().threads(pid)]


class Always:
    """Headroom that is there, or never."""

    def __init__(self, is_there: bool) -> None:
        self.is_there = is_there

    def read(self) -> None:
        pass


class Idle(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.file = Path(directory.name, "stat")
        self.headroom = headroom.Headroom(Proc(directory.name))
        self.now = 100.0
        for name, value in (("monotonic", lambda: self.now), ("sched_getaffinity", lambda _: {1, 2})):
            patch = mock.patch.object(time if name == "monotonic" else os, name, value)
            patch.start()
            self.addCleanup(patch.stop)

    def after(self, seconds: float, idle: Dict[int, float]) -> bool:
        """Read once more, when each processor has been idle for so many seconds since it started."""
        self.now += seconds
        ticks = os.sysconf("SC_CLK_TCK")
        lines = ["cpu  0 0 0 0 0 0 0 0 0 0"]
        # Waiting for a disk is idle too.
        lines += ["cpu%d 7 0 7 %d %d 0 0 0 0 0" % (cpu, value * ticks - 5, 5) for cpu, value in idle.items()]
        self.file.write_text("\n".join(lines + ["intr 1 2 3", ""]))
        self.headroom.read()
        return self.headroom.is_there

    def test_half_a_processor_is_enough(self) -> None:
        self.assertFalse(self.after(0.0, {0: 50.0, 1: 60.0, 2: 70.0}))
        self.assertTrue(self.after(1.0, {0: 50.0, 1: 60.3, 2: 70.3}))
        self.assertFalse(self.after(2.0, {0: 50.0, 1: 60.7, 2: 70.8}))

    def test_only_its_own_processors_count(self) -> None:
        self.after(0.0, {0: 50.0, 1: 60.0, 2: 70.0})
        self.assertFalse(self.after(1.0, {0: 51.0, 1: 60.0, 2: 70.0}))

    def test_a_processor_that_comes_counts_from_then_on(self) -> None:
        self.after(0.0, {1: 60.0})
        self.assertFalse(self.after(1.0, {1: 60.0, 2: 70.0}))
        self.assertTrue(self.after(1.0, {1: 60.0, 2: 70.9}))

    def test_what_cannot_be_read_is_no_room(self) -> None:
        self.after(0.0, {1: 60.0})
        self.assertTrue(self.after(1.0, {1: 61.0}))
        self.file.write_text("cpu  1 2\ncpu1 x\n")
        self.headroom.read()
        self.assertFalse(self.headroom.is_there)
        self.file.unlink()
        self.headroom.read()
        self.assertFalse(self.headroom.is_there)
        self.after(1.0, {1: 62.0})
        self.assertTrue(self.after(1.0, {1: 63.0}))


class Shares(ReaderTest):
    def test_the_memory_sampler_takes_a_third_without_room_and_says_so(self) -> None:
        target = self.start_source(HERE, STANDS % 1000)
        rates = []
        for there, said in ((True, " 3 % of a processor."), (False, " 1 % of a processor while all are busy.")):
            # Threads that are left out of looks may leave it with more than it needs.
            with mock.patch.multiple(memory_sampler, Headroom=lambda proc, there=there: Always(there), _MOST_RESTS=0):
                times = sampled(target.pid, 3.0)
            self.assertTrue(any(note.endswith(said) for note in times.notes), times.notes)
            rates.append(times.result["rate"])
        self.assertGreater(rates[0], 1.5 * rates[1])

    def test_the_kernel_sampler_looks_less_often_without_room(self) -> None:
        target = self.start_source(HERE, STANDS % 400)

        def rate(there: bool) -> float:
            with mock.patch.object(kernel_sampler, "Headroom", lambda proc: Always(there)):
                return float(record_all([target.pid], 2.0, sampler=KernelSampler())[target.pid].wait_rate)

        self.assert_more(lambda: rate(True), lambda: rate(False))

    def test_a_higher_rate_gives_the_kernel_sampler_more(self) -> None:
        target = self.start_source(HERE, STANDS % 400)

        def rate(wanted: float) -> float:
            with mock.patch.object(kernel_sampler, "Headroom", lambda proc: Always(False)):
                return float(record_all([target.pid], 2.0, sampler=KernelSampler(rate=wanted))[target.pid].wait_rate)

        self.assert_more(lambda: rate(396.0), lambda: rate(99.0))

    def assert_more(self, first: Callable[[], float], second: Callable[[], float]) -> None:
        """What is had by two ways differs by half: where all is busy in one of a few tries.

        For both have what is left.
        """
        pairs = []
        for _ in range(5):
            pairs.append((first(), second()))
            if pairs[-1][0] > 1.5 * pairs[-1][1]:
                return
        self.fail(f"never more by half: {pairs}")


class Rests(ReaderTest):
    def test_a_thread_that_stands_still_is_left_out_of_looks_and_these_are_counted_when_it_still_stands(self) -> None:
        target = self.start_source(HERE, STANDS % 20)
        wait_until(lambda: stand(target.pid))
        looked = []
        look = memory_sampler.Looker.look

        def counting(looker: memory_sampler.Looker, watched: object) -> object:
            looked.append(1)
            return look(looker, watched)

        with mock.patch.object(memory_sampler.Looker, "look", counting):
            times = sampled(target.pid, 2.0, rate=100.0)
        rows = [row for row in times.threads.values() if row["name"] != times.main]
        reads = sum(row["reads"] for row in times.threads.values())
        self.assertEqual(len(times.result["threads"]), 21)
        self.assertLess(len(looked), 0.55 * reads)
        # The last ones are made up for by the last reading.
        ticks = times.result["rate"] * times.result["seconds"]
        for row in rows:
            self.assertAlmostEqual(row["reads"], ticks, delta=1.5)
            (entry,) = [entry for entry in times.entries() if entry["tid"] == row["tid"]]
            self.assertEqual(entry["samples"], row["reads"])


if __name__ == "__main__":
    unittest.main()
