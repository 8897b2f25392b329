"""What is said of a process that is watched, by the layouts of the kernel's files."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
import unittest
from typing import Any, List, Optional

from .driver import AGENT

sys.path.insert(0, str(AGENT))

from pydebug_agent.reader.waits import system_calls
from pydebug_agent.system.proc import Proc
from pydebug_agent.timing.kernel_thread import Shared
from pydebug_agent.watch import run as watch_run
from pydebug_agent.watch.group import Group
from pydebug_agent.watch.looks import Loop, Looks
from pydebug_agent.watch.process import Process

V2 = "29 24 0:26 {root} /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw,nsdelegate\n"
V1 = "3{n} 30 0:31 {root} /sys/fs/cgroup/{name} ro - cgroup cgroup rw,{name}\n"
NUMBERS = {name: number for number, name in system_calls().items()}
MIB = 1 << 20


class Layout(unittest.TestCase):
    """Files as the kernel lays them out, below a folder."""

    def setUp(self) -> None:
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.root = place.name
        self.proc = Proc(os.path.join(self.root, "proc"))

    def write(self, path: str, text: str) -> None:
        full = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="ascii") as file:
            file.write(text)


class Groups(Layout):
    def v2(self, where: str = "proc/7/root/sys/fs/cgroup", **files: str) -> None:
        for name, text in files.items():
            self.write(f"{where}/{name.replace('_', '.', 1)}", text + "\n")

    def process(self, pid: object, cgroup: str, mounts: str) -> None:
        self.write(f"proc/{pid}/cgroup", cgroup)
        self.write(f"proc/{pid}/mountinfo", mounts)

    def test_version_2_tells_quota_periods_memory_and_pressure(self) -> None:
        self.process(7, "0::/\n", V2.format(root="/"))
        self.v2(
            cpu_max="50000 100000", cpu_stat="usage_usec 1\nnr_periods 100\nnr_throttled 10\nthrottled_usec 1",
            memory_max=str(64 * MIB), memory_current=str(20 * MIB), memory_stat="inactive_file %d" % (4 * MIB),
            cpu_pressure="some avg10=0.00 avg60=0.00 avg300=0.00 total=1000000\nfull avg10=0.00 total=5",
            memory_pressure="some avg10=0.00 total=0\nfull avg10=0.00 total=0",
        )
        group = Group(self.proc, 7, self.root)
        self.v2(
            cpu_stat="usage_usec 1\nnr_periods 120\nnr_throttled 15\nthrottled_usec 1",
            cpu_pressure="some avg10=0.00 avg60=0.00 avg300=0.00 total=1500000\nfull avg10=0.00 total=5",
        )
        said = group.read(2.0)
        self.assertEqual((0.5, 0.25), (said["quota"], said["throttled"]))
        self.assertEqual((16 * MIB, 64 * MIB), (said["memory"], said["memoryLimit"]))
        self.assertEqual({"cpu": 0.25, "memory": 0.0, "io": None}, said["pressure"])
        self.assertEqual(0.0, group.read(2.0)["throttled"], "no period since the last time")

    def test_the_tightest_of_the_groups_in_sight_counts(self) -> None:
        self.process(7, "0::/pod/c1\n", V2.format(root="/"))
        here = "proc/7/root/sys/fs/cgroup/pod"
        self.v2(f"{here}/c1", cpu_max="max 1000", memory_max="max", memory_current="10", memory_stat="anon 1")
        self.v2(here, cpu_max="1500 1000", memory_max=str(32 * MIB), memory_current=str(30 * MIB), memory_stat="anon 1")
        said = Group(self.proc, 7, self.root).read(1.0)
        self.assertEqual((1.5, 30 * MIB, 32 * MIB), (said["quota"], said["memory"], said["memoryLimit"]))

    def test_version_1_has_no_pressure(self) -> None:
        path = "/kubepods/pod1/c1"
        mounts = "".join(V1.format(n=n, root=path, name=name) for n, name in enumerate(("cpu", "memory")))
        self.process(7, f"4:cpu:{path}\n5:memory:{path}\n", mounts)
        for name, text in (
            ("cpu/cpu.cfs_quota_us", "20000"), ("cpu/cpu.cfs_period_us", "100000"),
            ("cpu/cpu.stat", "nr_periods 10\nnr_throttled 1\nthrottled_time 9"),
            ("cpu/cpu.pressure", "some avg10=0.00 total=7"),
            ("memory/memory.limit_in_bytes", str(1 << 62)), ("memory/memory.usage_in_bytes", "900"),
            ("memory/memory.stat", "hierarchical_memory_limit 1000\ntotal_inactive_file 100"),
        ):
            self.write(f"proc/7/root/sys/fs/cgroup/{name}", text + "\n")
        group = Group(self.proc, 7, self.root)
        self.write("proc/7/root/sys/fs/cgroup/cpu/cpu.stat", "nr_periods 20\nnr_throttled 6\nthrottled_time 9\n")
        said = group.read(1.0)
        self.assertEqual((0.2, 0.5, 800, 1000), (said["quota"], said["throttled"], said["memory"], said["memoryLimit"]))
        self.assertEqual({"cpu": None, "memory": None, "io": None}, said["pressure"])

    def test_what_cannot_be_seen_is_not_taken_from_our_own_group(self) -> None:
        self.process(7, "0::/../c2\n", V2.format(root="/../c2"))
        self.process("self", "0::/\n", V2.format(root="/"))
        self.v2("sys/fs/cgroup", cpu_max="1000 100000", memory_max="5000", memory_current="100", memory_stat="anon 1")
        group = Group(self.proc, 7, self.root)
        said = group.read(1.0)
        self.assertEqual([None] * 4, [said[name] for name in ("quota", "throttled", "memory", "memoryLimit")])

    def test_numbers_that_are_none_are_not_known(self) -> None:
        self.process(7, "0::/\n", V2.format(root="/"))
        self.v2(cpu_max="fast", cpu_stat="nr_periods x", memory_current="-1", cpu_pressure="some total=x")
        said = Group(self.proc, 7, self.root).read(1.0)
        self.assertEqual([None] * 4, [said[name] for name in ("quota", "throttled", "memory", "memoryLimit")])
        self.assertIsNone(said["pressure"]["cpu"])


class Processes(Layout):
    def stat(self, user: int, minor: int = 0, threads: int = 2, start: int = 500, state: str = "S") -> None:
        fields = [state, "1", "0", "0", "0", "-1", "0", str(minor), "0", "3", "0", str(user), "0", "0", "0", "20", "0"]
        fields += [str(threads), "0", str(start), "0", "100"] + ["0"] * 30
        self.write("proc/7/stat", f"7 (a ) b) {' '.join(fields)}\n")

    def threads(self, **waits: str) -> None:
        for tid, line in waits.items():
            self.write(f"proc/7/task/{tid[1:]}/schedstat", line + "\n")

    def setUp(self) -> None:
        super().setUp()
        self.write("proc/stat", "btime 1000\n")
        self.write("proc/7/limits", "Limit  Soft Limit  Hard Limit  Units\nMax open files  256  4096  files\n")
        for name in ("0", "1", "2"):
            self.write(f"proc/7/fd/{name}", "")
        self.stat(100)
        self.threads(t7="5 1000000000 3", t8="5 2000000000 3")

    def test_what_was_counted_between_two_readings(self) -> None:
        process = Process(self.proc, 7)
        self.stat(100 + self.proc.ticks, minor=9)
        self.threads(t7="5 1500000000 4", t8="5 2000000000 3", t9="1 250000000 1")
        said = process.sample()
        assert said is not None
        self.assertEqual((1.0, 0.75, 9, 0), (said["cpu"], said["wait"], said["minor"], said["major"]))
        self.assertEqual((2, 256, "a ) b"), (said["threads"], said["filesLimit"], said["name"]))
        self.assertGreaterEqual(said["files"], 3)
        self.assertEqual([7, 8, 9], process.tids)

    def test_a_kernel_that_does_not_count_says_nothing_of_waits(self) -> None:
        self.threads(t7="0 0 0", t8="0 0 0")
        said = Process(self.proc, 7).sample()
        assert said is not None
        self.assertIsNone(said["wait"])

    def test_another_process_of_that_number_is_not_the_same_one(self) -> None:
        process = Process(self.proc, 7)
        self.stat(100, start=501)
        self.assertIsNone(process.sample())

    def test_one_that_has_ended_is_gone(self) -> None:
        process = Process(self.proc, 7)
        self.stat(100, state="Z")
        self.assertIsNone(process.sample())
        shutil.rmtree(os.path.join(self.root, "proc/7"))
        self.assertIsNone(process.sample())

    def test_files_that_may_not_be_read_are_not_none(self) -> None:
        process = Process(self.proc, 7)
        shutil.rmtree(os.path.join(self.root, "proc/7/fd"))
        os.unlink(os.path.join(self.root, "proc/7/limits"))
        said = process.sample()
        assert said is not None
        self.assertEqual((None, None), (said["files"], said["filesLimit"]))


class Seen(Layout):
    GIL = 0x7F0000001000

    def calls(self, **calls: Optional[str]) -> None:
        for tid, line in calls.items():
            self.write(f"proc/7/task/{tid[1:]}/syscall", f"{line}\n")

    def looks(self) -> Looks:
        looks = Looks(self.proc, 7, Shared())
        self.addCleanup(looks.close)
        looks.gils = [self.GIL]
        looks.follow([7, 8])
        return looks

    def futex(self, address: int) -> str:
        return "%d %#x 0x80 0x0 0x0 0x0 0x0 0x1 0x2" % (NUMBERS["futex"], address)

    def epoll(self) -> str:
        return "%d 0x3 0x0 0x0 0x0 0x0 0x0 0x1 0x2" % NUMBERS["epoll_pwait"]

    def test_the_share_of_looks_at_which_a_thread_waited_for_the_gil(self) -> None:
        looks = self.looks()
        for other in ("running", self.futex(self.GIL + 8), self.futex(self.GIL + (1 << 20)), self.epoll()):
            self.calls(t7="running", t8=other)
            looks.look(1.0)
        said = looks.take()
        self.assertEqual((4, 0.25, None), (said["looks"], said["gil"], said["loop"]))
        self.assertEqual((0, None), (looks.take()["looks"], looks.take()["gil"]))

    def test_how_long_a_loop_is_away_from_its_selector(self) -> None:
        looks = self.looks()
        looks.set_loops([7])
        poll = "%d 0x1 0x1 0x0 0x0 0x0 0x0 0x1 0x2" % NUMBERS["ppoll"]
        # Once it was seen in an epoll, what it polls otherwise is a callback's.
        for moment, line in enumerate((poll, self.epoll(), "running", self.futex(1), poll, self.epoll(), "running")):
            self.calls(t7=line, t8="running")
            looks.look(float(moment))
        loop = looks.take()["loop"]
        self.assertEqual((7, 7, 2.0), (loop["tid"], loop["looks"], loop["longest"]))
        self.assertAlmostEqual(4 / 7, loop["away"])
        # The row goes on into the next interval.
        looks.look(8.0)
        self.assertEqual((1.0, 2.0), (looks.take()["loop"]["away"], 8.0 - 6.0))

    def test_a_row_goes_on_from_interval_to_interval(self) -> None:
        loop = Loop(7)
        for moment in (1.0, 2.0):
            loop.see(b"1", moment)
        loop.forget()
        loop.see(b"1", 5.0)
        self.assertEqual((1, 1, 4.0), (loop.looks, loop.away, loop.longest))

    def test_threads_that_may_not_be_looked_at_give_nothing(self) -> None:
        looks = self.looks()
        for tid in (7, 8):
            os.makedirs(os.path.join(self.root, f"proc/7/task/{tid}"))
        looks.look(1.0)
        self.assertTrue(looks.hidden)
        self.assertFalse(looks.is_of_use)
        self.assertIsNone(looks.take()["gil"])

    def test_no_more_files_are_kept_open_than_allowed(self) -> None:
        shared = Shared()
        shared.left = 1
        looks = Looks(self.proc, 7, shared)
        self.addCleanup(looks.close)
        looks.gils = [self.GIL]
        looks.follow([7, 8])
        self.calls(t7="running", t8=self.futex(self.GIL))
        looks.look(1.0)
        looks.look(2.0)
        self.assertEqual(0, shared.left)
        self.assertEqual(1.0, looks.take()["gil"])


class Pace(unittest.TestCase):
    def run_of(self, interval: float) -> Any:
        class Request:
            proc = Proc()

        class Found:
            seen: List[int] = []

        return watch_run._Run(Request(), Found(), interval, True)

    def test_the_interval_grows_with_what_a_reading_takes_and_says_so(self) -> None:
        run = self.run_of(2.0)
        for number in range(1, 4):
            run._round = number
            run._adapt(0.0001)
        self.assertEqual((2.0, ""), (run._interval, run._why))
        for number in range(4, 40):
            run._round = number
            run._adapt(0.1)
        self.assertGreater(run._interval, 20)
        self.assertIn("instead of 2 s", run._why)
        self.assertLessEqual(0.1 / run._interval, 0.003)

    def test_looks_come_less_often_where_one_takes_long(self) -> None:
        run = self.run_of(2.0)
        run._round, run._look_cost = 2, 0.0001
        run._adapt(0.0001)
        self.assertLess(run._pause, 0.2)
        run._look_cost = 0.01
        run._adapt(0.0001)
        self.assertEqual(2.0, run._pause)
