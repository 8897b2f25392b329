"""Every second of a thread is in its entries: samples share out what the kernel counted."""

from __future__ import annotations

import json
import math
import sys
import unittest
from pathlib import Path
from typing import Any, Dict, List, Optional

AGENT = Path(__file__).resolve().parents[2] / "src" / "agent"
sys.path.insert(0, str(AGENT)) if str(AGENT) not in sys.path else None

from pydebug_agent.reader.codeobj import Place
from pydebug_agent.reader.waits import system_calls
from pydebug_agent.timing import report
from pydebug_agent.timing.reasons import Calls
from pydebug_agent.timing.recording import KERNEL, MEMORY, Count, Key, Recording, ThreadTimes

BURN = (Place("burn", "/app/a.py", 3), Place("main", "/app/a.py", 9))
READ = (Place("read", "/app/a.py", 5), Place("main", "/app/a.py", 9))


def thread(
    tid: int = 1, wall: float = 10.0, cpu: float = 0.0, runnable: Optional[float] = 0.0, moved: int = 0
) -> ThreadTimes:
    times = ThreadTimes(tid, "Thread-%d" % tid)
    times.wall, times.cpu, times.runnable, times.moved = wall, cpu, runnable, moved
    return times


def recording(*threads: ThreadTimes, method: str = MEMORY) -> Recording:
    made = Recording(7, method)
    made.seconds = 10.0
    made.threads = {times.tid: times for times in threads}
    return made


def result(of: Recording, name: str = "", minimum: float = 0.0) -> Dict[str, Any]:
    return json.loads(json.dumps(report.build(of, lambda other: name in other, minimum)))


class Seconds(unittest.TestCase):
    def assert_whole(self, built: Dict[str, Any]) -> None:
        for times in built["threads"]:
            parts = [entry["seconds"] for entry in built["entries"] if entry["tid"] == times["tid"]]
            self.assertAlmostEqual(sum(parts), times["wall"], places=6)
            self.assertGreaterEqual(min(parts, default=0.0), 0.0)

    def entry(self, built: Dict[str, Any], reason: str, call: Optional[str] = None) -> Dict[str, Any]:
        found = [entry for entry in built["entries"] if (entry["reason"], entry["call"]) == (reason, call)]
        self.assertEqual(len(found), 1, built["entries"])
        return found[0]

    def test_exact_totals_are_shared_out_by_samples(self) -> None:
        made = recording(thread(cpu=2.0, runnable=1.0))
        made.add(Key(1, "cpu", None, BURN), 30)
        made.add(Key(1, "cpu", "gil", BURN), 10)
        made.add(Key(1, "io", "read", READ), 3)
        made.add(Key(1, "lock", "futex", READ), 1)
        built = result(made)
        self.assertEqual(self.entry(built, "cpu")["seconds"], 1.5)
        self.assertEqual(self.entry(built, "cpu", "gil")["seconds"], 0.5)
        self.assertEqual(self.entry(built, "runnable")["seconds"], 1.0)
        self.assertEqual(self.entry(built, "io", "read")["seconds"], 5.25)
        self.assertEqual(self.entry(built, "lock", "futex")["seconds"], 1.75)
        self.assertAlmostEqual(self.entry(built, "io", "read")["error"], math.sqrt(0.75 * 0.25 / 4), places=6)
        self.assertIsNone(self.entry(built, "runnable")["error"])
        self.assertEqual(built["threads"][0]["samples"], 40)
        self.assert_whole(built)

    def test_what_moved_is_unproven_and_never_scaled_away(self) -> None:
        made = recording(thread(moved=30))
        made.add(Key(1, "io", "read", READ), 10)
        built = result(made)
        self.assertEqual(self.entry(built, "io", "read")["seconds"], 2.5)
        unproven = self.entry(built, "unproven")
        self.assertEqual((unproven["seconds"], unproven["samples"], unproven["frames"]), (7.5, 30, []))
        self.assert_whole(built)

    def test_without_any_look_the_blocked_time_is_unproven(self) -> None:
        built = result(recording(thread(cpu=4.0, runnable=1.0)))
        self.assertEqual(self.entry(built, "cpu")["seconds"], 4.0)
        self.assertEqual(self.entry(built, "cpu")["frames"], [])
        self.assertEqual(self.entry(built, "unproven")["seconds"], 5.0)
        self.assertTrue(any("No sample" in note for note in built["notes"]), built["notes"])
        self.assert_whole(built)

    def test_stacks_seen_in_the_queue_share_the_runnable_time(self) -> None:
        made = recording(thread(cpu=1.0, runnable=4.0), method=KERNEL)
        made.add(Key(1, "runnable", None, READ), 1)
        made.add(Key(1, "preempted", None, BURN), 3)
        made.add(Key(1, "sleep", "clock_nanosleep", READ), 5)
        built = result(made)
        self.assertEqual(self.entry(built, "runnable")["seconds"], 1.0)
        self.assertEqual(self.entry(built, "preempted")["seconds"], 3.0)
        self.assertEqual(self.entry(built, "sleep", "clock_nanosleep")["seconds"], 5.0)
        self.assert_whole(built)

    def test_a_queue_that_the_kernel_does_not_count_is_part_of_the_rest(self) -> None:
        made = recording(thread(cpu=2.0, runnable=None), method=KERNEL)
        made.add(Key(1, "preempted", None, BURN), 1)
        made.add(Key(1, "io", "read", READ), 3)
        built = result(made)
        self.assertEqual(self.entry(built, "preempted")["seconds"], 2.0)
        self.assertEqual(self.entry(built, "io", "read")["seconds"], 6.0)
        self.assertIsNone(built["threads"][0]["runnable"])
        self.assert_whole(built)

    def test_single_waits_keep_their_own_seconds(self) -> None:
        made = recording(thread(cpu=1.0), method=KERNEL)
        made.exact = True
        made.counts[Key(1, "io", "read", READ)] = Count(4, 6.0, 2.5, 4)
        made.counts[Key(1, "lock", "futex", READ)] = Count(100, 1.0, 0.02, 100)
        built = result(made)
        read = self.entry(built, "io", "read")
        self.assertEqual((read["seconds"], read["longest"], read["count"]), (6.0, 2.5, 4))
        self.assertEqual(self.entry(built, "unproven")["seconds"], 2.0)
        self.assert_whole(built)

    def test_single_waits_never_exceed_the_blocked_time(self) -> None:
        made = recording(thread(cpu=5.0), method=KERNEL)
        made.counts[Key(1, "io", "read", READ)] = Count(4, 6.0, 2.5, 4)
        built = result(made)
        self.assertEqual(self.entry(built, "io", "read")["seconds"], 5.0)
        self.assert_whole(built)

    def test_counters_ahead_of_the_clock_stay_within_the_wall_time(self) -> None:
        for cpu, runnable in ((1.01, 0.0), (0.7, 0.6), (0.0, 1.2), (-0.1, -0.1)):
            made = recording(thread(wall=1.0, cpu=cpu, runnable=runnable))
            made.add(Key(1, "cpu", None, BURN), 3)
            self.assert_whole(result(made))

    def test_a_thread_of_some_milliseconds(self) -> None:
        times = thread(wall=0.005, cpu=0.004, runnable=0.0005)
        times.began = times.ended = True
        made = recording(times)
        made.add(Key(1, "cpu", None, BURN))
        built = result(made)
        self.assertEqual((built["threads"][0]["began"], built["threads"][0]["ended"]), (True, True))
        self.assertAlmostEqual(self.entry(built, "unproven")["seconds"], 0.0005)
        self.assert_whole(built)

    def test_many_short_threads_are_one_that_is_known_by_those_that_were_seen(self) -> None:
        made = recording(thread(1, cpu=1.0))
        made.add(Key(1, "lock", "futex", BURN), 100)
        for tid in range(10, 110):
            times = made.threads[tid] = thread(tid, wall=0.005, cpu=0.001)
            times.began = times.ended = True
            times.reads = tid % 2
            if times.reads:
                made.add(Key(tid, "sleep" if tid % 10 < 8 else "io", "read", READ))
        built = result(made)
        self.assertEqual([row["tid"] for row in built["threads"]], [0, 1])
        whole = built["threads"][0]
        self.assertEqual((whole["name"], whole["began"], whole["ended"]), ("100 short threads", True, True))
        self.assertAlmostEqual(whole["wall"], 0.5)
        self.assertAlmostEqual(self.entry(built, "sleep", "read")["seconds"], 0.32)
        self.assertAlmostEqual(self.entry(built, "io", "read")["seconds"], 0.08)
        self.assertNotIn("unproven", {entry["reason"] for entry in built["entries"]})
        self.assertIn("100 threads that began and ended within these seconds are counted together.", built["notes"])
        self.assert_whole(built)
        made.threads[10].moved = 50
        self.assertAlmostEqual(self.entry(result(made), "unproven")["seconds"], 0.2)
        apart = [1, *range(10, 20), *range(100, 110)]
        self.assertEqual([row["tid"] for row in result(made, "Thread-1")["threads"]], apart)

    def test_short_threads_join_those_that_the_sampler_put_together(self) -> None:
        made = recording(thread(1), thread(0, wall=2.0), method=KERNEL)
        made.together = 400
        made.add(Key(0, "sleep", "clock_nanosleep", READ), 3)
        brief = made.threads[5] = thread(5, wall=0.005)
        brief.began = brief.ended = True
        built = result(made)
        self.assertEqual([row["name"] for row in built["threads"]], ["401 short threads", "Thread-1"])
        self.assertAlmostEqual(self.entry(built, "sleep", "clock_nanosleep")["seconds"], 2.005)
        self.assertEqual([row["tid"] for row in result(made, "Thread-5")["threads"]], [5])
        self.assert_whole(built)

    def test_many_threads_of_random_parts(self) -> None:
        state = 12345
        made = recording()

        def drawn(most: int) -> int:
            nonlocal state
            state = (1103515245 * state + 12345) % (1 << 31)
            return state // 64 % (most + 1)

        for tid in range(1, 200):
            wall = drawn(10000) / 1000
            made.threads[tid] = thread(tid, wall, drawn(10000) / 1000, drawn(3000) / 1000, drawn(50))
            for reason in ("cpu", "io", "lock", "runnable", "gil"):
                if drawn(1):
                    made.add(Key(tid, reason, None, (Place(reason, "/a", drawn(9)),)), drawn(100))
        self.assert_whole(result(made))


class Shown(unittest.TestCase):
    def test_places_are_listed_once(self) -> None:
        made = recording(thread(cpu=5.0))
        made.add(Key(1, "cpu", None, BURN))
        made.add(Key(1, "io", "read", READ))
        built = result(made)
        self.assertEqual(sorted(built["frames"]), sorted(map(list, {*BURN, *READ})))
        for entry in built["entries"]:
            stack = [built["frames"][number] for number in entry["frames"]]
            self.assertEqual(stack, [list(place) for place in (BURN if entry["reason"] == "cpu" else READ)])

    def test_threads_are_picked_by_name(self) -> None:
        made = recording(thread(1), thread(2))
        made.add(Key(1, "io", "read", READ))
        made.add(Key(2, "io", "read", READ))
        self.assertEqual([row["tid"] for row in result(made, "Thread-2")["threads"]], [2])
        self.assertEqual({row["tid"] for row in result(made, "Thread-2")["entries"]}, {2})
        nobody = result(made, "nobody")
        self.assertEqual((nobody["threads"], nobody["entries"]), ([], []))
        self.assertTrue(any("No thread" in note for note in nobody["notes"]))

    def test_short_waits_lose_their_stacks_but_not_their_seconds(self) -> None:
        made = recording(thread(cpu=0.001))
        made.add(Key(1, "cpu", None, BURN), 1)
        made.add(Key(1, "lock", "futex", READ), 1)
        made.add(Key(1, "lock", "futex", BURN), 1)
        made.add(Key(1, "io", "read", READ), 9998)
        built = result(made, minimum=0.5)
        locks = [entry for entry in built["entries"] if entry["reason"] == "lock"]
        self.assertEqual([(entry["frames"], entry["samples"]) for entry in locks], [([], 2)])
        self.assertEqual(len([entry for entry in built["entries"] if entry["reason"] == "cpu" and entry["frames"]]), 1)
        self.assertAlmostEqual(sum(entry["seconds"] for entry in built["entries"]), 10.0, places=6)

    def test_more_stacks_than_one_answer_holds_are_cut_and_it_says_so(self) -> None:
        made = recording(thread())
        deep = tuple(Place("f%d" % index, "/a", index) for index in range(1000))
        for index in range(1800):
            made.add(Key(1, "io", "read", deep[1:] + (Place("root", "/a", index),)), 1 + index)
        built = result(made)
        self.assertLess(len(json.dumps(built, separators=(",", ":"))), 16 << 20)
        self.assertTrue(any("too many different stacks" in note for note in built["notes"]))
        self.assertAlmostEqual(sum(entry["seconds"] for entry in built["entries"]), 10.0, places=6)
        cut = [entry for entry in built["entries"] if not entry["frames"]]
        kept: List[float] = [entry["seconds"] for entry in built["entries"] if entry["frames"]]
        self.assertEqual(len(cut), 1)
        self.assertEqual(len(kept), 1500)
        self.assertGreater(min(kept), 10.0 * 300 / sum(range(1, 1801)))


class Reasons(unittest.TestCase):
    def test_a_system_call_and_its_arguments_tell_the_reason(self) -> None:
        numbers = {name: number for number, name in system_calls().items()}
        gil = 0x555500001000
        for name, arguments, reason in (
            ("futex", [gil + 40, 0x189], "gil"),
            ("futex", [gil + 4096, 0x189], "lock"),
            ("clock_nanosleep", [1, 1], "sleep"),
            ("pselect6", [0, 0, 0, 0, 0x7FFC0000], "sleep"),
            ("pselect6", [5, 0x7FFC0000], "poll"),
            ("ppoll", [0x7FFC0000, 0], "sleep"),
            ("ppoll", [0x7FFC0000, 2], "poll"),
            ("epoll_pwait", [3, 0x7FFC0000], "poll"),
            ("recvfrom", [7], "io"),
            ("wait4", [0xFFFFFFFF], "io"),
        ):
            words = [str(numbers[name]), *map(hex, arguments), "0x7ffc00001000", "0x7f0000000000"]
            why = Calls().by_line(" ".join(words).encode(), (0x555500900000, gil))
            self.assertEqual(why, (reason, name))

    def test_calls_that_are_not_known_have_their_number(self) -> None:
        self.assertEqual(Calls().by_line(b"999 0x0 0x0 0x0 0x0 0x0 0x0 0x7ffc 0x7f00", ()), ("io", "system call 999"))

    def test_outside_of_a_call_it_is_a_fault(self) -> None:
        self.assertEqual(Calls().by_line(b"-1 0x7ffc00001000 0x7f0000000000", ()), ("fault", None))
        # An interrupt leaves its own number there.
        self.assertEqual(Calls().by_line(b"-252 0x7ffc00001000 0x7f0000000000", ()), ("fault", None))

    def test_an_interrupted_call_is_told_by_the_kernels_function(self) -> None:
        number = next(number for number, name in system_calls().items() if name == "restart_syscall")
        self.assertIsNone(Calls().by_line(b"%d 0x0 0x0 0x0 0x0 0x0 0x0 0x7ffc 0x7f00" % number, ()))
        self.assertEqual(Calls.by_function("hrtimer_nanosleep", None), ("sleep", "clock_nanosleep"))
        self.assertEqual(Calls.by_function("do_poll.constprop.0", None), ("poll", "poll"))
        self.assertEqual(Calls.by_function("some_driver_wait", None), ("other", None))

    def test_a_lock_without_an_address_is_the_gil_or_not_only_where_the_gil_is_free(self) -> None:
        self.assertEqual(Calls.by_function("futex_wait_queue", False), ("lock", "futex"))
        self.assertEqual(Calls.by_function("futex_wait_queue", True), ("other", "futex"))


if __name__ == "__main__":
    unittest.main()
