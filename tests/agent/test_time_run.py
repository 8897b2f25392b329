"""The agent's operation "time", as a client uses it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any, List

from .driver import Agent, Frame, failures, python_versions, results, wait_for
from .pod import IDLE, PodTest, as_user
from .time_support import Times

from pydebug_agent.system.proc import Proc
from pydebug_agent.timing.throttle import Throttle

WAITS = (Path(__file__).resolve().parent / "targets" / "time_waits.py").read_text()
CPU = (Path(__file__).resolve().parent / "targets" / "time_cpu.py").read_text()
SLEEPS = "import sys, time\nprint('ready', flush=True)\ntime.sleep(%s)\n"
DEBIAN = "/usr/bin/python3"


class TimeTest(unittest.TestCase):
    def target(self, source: str, *arguments: str, python: str = sys.executable) -> int:
        """Start a target and wait until it is ready."""
        process = subprocess.Popen(
            [python, "-u", "-c", source, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.addCleanup(process.stdin.close)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertTrue(process.stdout.readline())
        return process.pid

    def ask(self, **parameters: Any) -> List[Frame]:
        with Agent() as agent:
            answer = agent.ask("time", **{"method": "memory", "seconds": 0.5, **parameters})
            self.assertEqual(agent.stderr, "")
            self.assertTrue(agent.trailer_good)
            self.code = agent.process.returncode
        return answer

    def times(self, **parameters: Any) -> Times:
        answer = self.ask(**parameters)
        self.assertEqual(failures(answer), [])
        (result,) = results(answer, "time")
        return Times(result)


class Answers(TimeTest):
    def test_one_process(self) -> None:
        pid = self.target(WAITS)
        times = self.times(pids=[pid], seconds=1.5)
        result = times.result
        self.assertEqual((result["pid"], result["method"], result["why"], result["whyCause"], result["exact"]),
                         (pid, "memory", None, None, False))
        self.assertEqual(result["version"], "%d.%d.%d" % sys.version_info[:3])
        self.assertIn("-u -c", result["command"])
        self.assertAlmostEqual(result["started"], Proc().started(pid), delta=0.1)
        self.assertAlmostEqual(result["begun"], time.time(), delta=10)
        self.assertAlmostEqual(result["seconds"], 1.5, delta=0.3)
        self.assertGreater(result["waitRate"], 5)
        proven = [entry["samples"] for entry in result["entries"] if entry["reason"] != "unproven"]
        self.assertEqual(result["truth"]["samples"], sum(proven))
        self.assertGreater(result["cost"]["agentCpu"], 0)
        self.assertLess(result["cost"]["agentCpu"], 0.5)
        self.assertEqual(set(times.threads), {"MainThread", "sleeps", "holds", "locks", "reads", "writes", "answers",
                                              "polls", "never"})
        for row in result["threads"]:
            parts = [entry["seconds"] for entry in result["entries"] if entry["tid"] == row["tid"]]
            self.assertAlmostEqual(sum(parts), row["wall"], places=6)

    def test_an_old_python(self) -> None:
        found = python_versions()
        old = {version: path for version, path in found.items() if version.startswith(("3.8", "3.9", "3.10"))}
        if not old:
            self.skipTest("no Python older than 3.11")
        for version, path in old.items():
            with self.subTest(version=version):
                pid = self.target(CPU, "one", "two", python=path)
                times = self.times(pids=[pid], seconds=4.0, method="auto")
                self.assertEqual((times.result["method"], times.result["version"]), ("memory", version))
                self.assertEqual(times.result["whyCause"], "OldPython")
                self.assertIn("3.11", times.result["why"])
                for name in ("one", "two"):
                    self.assertTrue(times.within(name, "burn", reason="cpu"), times.entries(name))

    def test_the_kernels_sampler_where_it_can_be_had_and_memory_for_the_rest(self) -> None:
        pid = self.target(WAITS)
        answer = self.ask(pids=[pid], method="kernel", seconds=1.0)
        if failures(answer):
            self.skipTest("the kernel's sampler cannot be used here: " + failures(answer)[0]["message"])
        old = next((path for version, path in python_versions().items() if version.startswith(("3.8", "3.9"))), None)
        pids = [pid, self.target(CPU, "one", python=old)] if old else [pid]
        answer = self.ask(pids=pids, method="auto", seconds=2.2)
        self.assertEqual(failures(answer), [])
        found = {result["pid"]: Times(result) for result in results(answer, "time")}
        for number, method in zip(pids, ("kernel", "memory")):
            times = found[number]
            self.assertEqual((times.result["method"], times.result["why"] is None), (method, method == "kernel"))
            for row in times.result["threads"]:
                parts = [entry["seconds"] for entry in times.result["entries"] if entry["tid"] == row["tid"]]
                self.assertAlmostEqual(sum(parts), row["wall"], places=6)
        self.assertTrue(found[pid].within("reads", "read_slowly", reason="io", call="read"))
        self.assertIsNotNone(found[pid].result["cost"]["programRuns"])
        self.assertIsNone(found[pids[-1]].result["cost"]["programRuns"] if old else None)
        text = [frame.json["text"] for frame in answer if frame.kind == "P" and frame.json["total"] == 2.2][0]
        self.assertIn("1 process from the kernel", text)
        if old:
            self.assertIn("1 process by reading its memory", text)
            self.assertTrue(found[pids[1]].within("one", "burn", reason="cpu"))

    def test_what_was_seen_is_sent_ahead_and_adds_up_as_the_report_does(self) -> None:
        for method, exact in (("memory", False), ("kernel", False), ("kernel", True)):
            with self.subTest(method, exact=exact):
                pid = self.target(WAITS)
                answer = self.ask(pids=[pid], method=method, seconds=3.2, **({"exact": True} if exact else {}))
                if method == "kernel" and failures(answer):
                    self.skipTest("the kernel's sampler cannot be used here: " + failures(answer)[0]["message"])
                (last,) = results(answer, "time")
                ahead = results(answer, "timeSoFar")
                self.assertGreaterEqual(len(ahead), 2)
                self.assertEqual(sorted(found["seconds"] for found in ahead), [found["seconds"] for found in ahead])
                for found in ahead:
                    self.assertLessEqual(found["seconds"], last["seconds"])
                    self.assertEqual(set(found) - {"kind"}, set(last) - {"kind"})
                    self.assertFalse(found["ended"])
                    self.assertGreater(found["truth"]["samples"], 0)
                    self.assertEqual(len(found["threads"]), len(last["threads"]))
                    for row in found["threads"]:
                        parts = [entry["seconds"] for entry in found["entries"] if entry["tid"] == row["tid"]]
                        self.assertAlmostEqual(sum(parts), row["wall"], places=6)
                    self.assertTrue(Times(found).within("reads", "read_slowly", reason="io", call="read"))
                # It took nothing from what came after.
                for row in last["threads"]:
                    self.assertAlmostEqual(row["wall"], last["seconds"], delta=0.3)
                counts = [found["truth"]["samples"] for found in [*ahead, last]]
                self.assertEqual(sorted(set(counts)), counts)

    def test_several_processes_over_the_same_seconds(self) -> None:
        pids = [self.target(WAITS), self.target(CPU, "one"), self.target(SLEEPS % 60)]
        answer = self.ask(pids=[*pids, 999999], seconds=1.2)
        found = {result["pid"]: result for result in results(answer, "time")}
        self.assertEqual(set(found), set(pids))
        (failure,) = failures(answer)
        self.assertEqual((failure["cause"], failure["pid"], self.code), ("ProcessGone", 999999, 1))
        begun = [result["begun"] for result in found.values()]
        self.assertLess(max(begun) - min(begun), 0.6)
        for result in found.values():
            self.assertAlmostEqual(result["seconds"], 1.2, delta=0.6)
            self.assertGreater(result["truth"]["samples"], 5)
        progress = [frame.json for frame in answer if frame.kind == "P" and frame.json["total"] == 1.2]
        self.assertEqual([entry["text"] for entry in progress], ["3 processes by reading their memory"])
        self.assertAlmostEqual(progress[0]["done"], 1.0, delta=0.4)

    def test_threads_are_picked_by_name_and_short_waits_put_together(self) -> None:
        pid = self.target(WAITS)
        times = self.times(pids=[pid], thread="S?EE*", minimumWait=3600e6)
        self.assertEqual(list(times.threads), ["sleeps"])
        waits = times.entries("sleeps", reason="sleep")
        self.assertEqual([entry["frames"] for entry in waits], [[]])
        nobody = self.times(pids=[pid], thread="nobody")
        self.assertEqual((nobody.result["threads"], nobody.result["entries"]), ([], []))
        self.assertTrue(nobody.notes)

    def test_a_target_that_exits_leaves_what_was_had(self) -> None:
        pid = self.target(SLEEPS % 3.0)
        begun = time.monotonic()
        times = self.times(pids=[pid], seconds=30)
        self.assertLess(time.monotonic() - begun, 15)
        self.assertTrue(times.result["ended"])
        self.assertGreater(times.seconds(times.entries(reason="sleep")), 0.1)

    def test_all_workers_without_their_number(self) -> None:
        pid = self.target(SLEEPS % 60)
        answer = self.ask(pids=None)
        self.assertIn(pid, [result["pid"] for result in results(answer, "time")])


class Refusals(TimeTest):
    def test_bad_requests(self) -> None:
        for parameters, word in (
            ({"seconds": 0}, "seconds"),
            ({"seconds": -1}, "seconds"),
            ({"seconds": "ten"}, "seconds"),
            ({"method": "magic"}, "'magic'"),
            ({"method": 3}, "method"),
            ({"rate": 0}, "rate"),
            ({"depth": 0}, "depth"),
            ({"depth": 1e9}, "depth"),
            ({"exact": True, "method": "memory"}, "only be taken by method"),
            ({"exact": "yes"}, "exact"),
            ({"thread": 7}, "thread"),
            ({"minimumWait": -1}, "minimumWait"),
            ({"seconds": 100, "deadline": 30.0}, "over before"),
            ({"pids": []}, "pids"),
        ):
            with self.subTest(**parameters):
                begun = time.monotonic()
                (failure,) = failures(self.ask(**{"pids": [os.getpid()], **parameters}))
                self.assertEqual((failure["cause"], self.code), ("BadRequest", 2))
                self.assertIn(word, failure["message"])
                self.assertLess(time.monotonic() - begun, 5)

    def test_what_is_not_python(self) -> None:
        other = subprocess.Popen(["sleep", "60"])
        self.addCleanup(other.wait)
        self.addCleanup(other.kill)
        (failure,) = failures(self.ask(pids=[other.pid]))
        self.assertEqual((failure["cause"], failure["pid"], self.code), ("NoPython", other.pid, 1))


class Ends(TimeTest):
    def _begun(self, agent: Agent, pid: int) -> None:
        agent.request("time", method="memory", pids=[pid], seconds=50.0, deadline=60.0)
        # A busy machine says before that how many processes it looked at.
        wait_for(lambda: agent.until("P").json["total"] == 50.0)

    def _left_alone(self, pid: int) -> None:
        wait_for(lambda: Proc().status(pid)["TracerPid"] == "0")
        used = Proc().stat(pid).cpu
        wait_for(lambda: Proc().stat(pid).cpu > used)

    def test_a_cancelled_recording_ends_at_once_without_a_result(self) -> None:
        pid = self.target(CPU, "one")
        with Agent() as agent:
            self._begun(agent, pid)
            begun = time.monotonic()
            agent.send("C")
            answer = agent.finish()
            self.assertLess(time.monotonic() - begun, 3)
            self.assertEqual(agent.process.returncode, 130)
        self.assertEqual([failure["cause"] for failure in failures(answer)], ["Cancelled"])
        self.assertEqual(results(answer, "time"), [])
        self._left_alone(pid)

    def test_a_client_that_vanishes_ends_it(self) -> None:
        pid = self.target(CPU, "one")
        with Agent() as agent:
            self._begun(agent, pid)
            agent.process.stdin.close()
            agent.process.wait(30)
        self._left_alone(pid)

    def test_an_agent_that_is_killed_leaves_the_target_running(self) -> None:
        pid = self.target(CPU, "one", "two")
        for _ in range(5):
            with Agent() as agent:
                agent.request("time", method="memory", pids=[pid], seconds=50.0, rate=1000.0)
                agent.until("P")
                agent.process.kill()
            self._left_alone(pid)


class Restricted(PodTest):
    def test_without_any_privilege(self) -> None:
        user = as_user(10001)
        pod = self.pod(*user, DEBIAN, "-c", CPU + IDLE, "one", "two")
        keeper = pod.kept(wrap=user)
        wait_for(lambda: len(os.listdir(f"/proc/{pod.host_pid}/task")) == 3)
        with pod.agent(beside=keeper, wrap=user) as agent:
            answer = agent.ask("time", seconds=1.5, method="auto")
            self.assertEqual(agent.stderr, "")
        self.assertEqual(failures(answer), [])
        (result,) = results(answer, "time")
        times = Times(result)
        self.assertEqual((result["pid"], result["method"], result["whyCause"]), (1, "memory", "NoCapability"))
        self.assertTrue(result["why"])
        self.assertIsNotNone(result["held"])
        for name in ("one", "two"):
            row = times.threads[name]
            self.assertGreater(row["cpu"], 0.05)
            self.assertGreater(row["samples"], 0)
            self.assertTrue(times.within(name, "burn", reason="gil", call="futex"))

    def test_where_system_calls_are_hidden_the_kernels_functions_tell(self) -> None:
        # Another user's files that only their owner may open: root without the right to pass over that.
        alone = ["setpriv", "--inh-caps=-all", "--bounding-set=-all,+sys_ptrace"]
        pod = self.pod(*as_user(10001), DEBIAN, "-c", WAITS + IDLE)
        keeper = pod.kept(wrap=alone)
        wait_for(lambda: len(os.listdir(f"/proc/{pod.host_pid}/task")) == 9)
        with pod.agent(beside=keeper, wrap=alone) as agent:
            answer = agent.ask("time", seconds=1.5, method="memory", pids=[1])
            self.assertEqual(agent.stderr, "")
        self.assertEqual(failures(answer), [])
        times = Times(results(answer, "time")[0])
        for thread, function, reason, call in (
            ("MainThread", "<module>", "sleep", "pause"),
            ("sleeps", "sleep_long", "sleep", "clock_nanosleep"),
            ("reads", "read_slowly", "io", "read"),
            ("locks", "want", "lock", "futex"),
            ("polls", "poll_socket", "poll", "poll"),
        ):
            self.assertTrue(times.within(thread, function, reason=reason, call=call), times.entries(thread))

    def test_another_user_is_refused_with_the_reason(self) -> None:
        pod = self.pod(*as_user(10002), DEBIAN, "-c", CPU + IDLE, "one")
        user = as_user(10001)
        keeper = pod.kept(wrap=user)
        wait_for(lambda: len(os.listdir(f"/proc/{pod.host_pid}/task")) == 2)
        with pod.agent(beside=keeper, wrap=user) as agent:
            answer = agent.ask("time", seconds=1.0, pids=[1])
        (failure,) = failures(answer)
        self.assertEqual((failure["cause"], failure["pid"], failure["detail"]["found"]), ("PtraceDenied", 1, "uid"))


class Throttled(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)

    def write(self, path: str, text: str) -> None:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def throttle(self, pid: int = 7) -> Throttle:
        self.write("proc/self/mountinfo", "")
        return Throttle(Proc(str(self.root / "proc")), pid, str(self.root))

    def test_version_2_in_the_targets_own_view(self) -> None:
        self.write("proc/7/cgroup", "0::/../cri-containerd-1.scope\n")
        self.write("proc/7/mountinfo", "29 24 0:26 /../cri-containerd-1.scope /sys/fs/cgroup ro - cgroup2 cgroup rw\n")
        stat = "usage_usec 5\nuser_usec 3\nnr_periods 9\nnr_throttled 1\nthrottled_usec %d\n"
        self.write("proc/7/root/sys/fs/cgroup/cpu.stat", stat % 1000)
        throttle = self.throttle()
        self.write("proc/7/root/sys/fs/cgroup/cpu.stat", stat % 251000)
        self.assertEqual(throttle.seconds(), 0.25)

    def test_version_1_and_the_tightest_of_several(self) -> None:
        self.write("proc/7/cgroup", "4:cpu,cpuacct:/kubepods/pod1/c1\n3:memory:/x\n")
        self.write("proc/7/mountinfo", "35 30 0:31 / /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu,cpuacct\n")
        place = "proc/7/root/sys/fs/cgroup/cpu/kubepods/%scpu.stat"
        stat = "nr_periods 9\nnr_throttled 1\nthrottled_time %d\n"
        for inner, value in (("pod1/c1/", 0), ("pod1/", 0), ("", 0)):
            self.write(place % inner, stat % value)
        throttle = self.throttle()
        self.write(place % "pod1/", stat % 1500000000)
        self.write(place % "pod1/c1/", stat % 500000000)
        self.assertEqual(throttle.seconds(), 1.5)

    def test_a_quota_that_cost_nothing_says_nothing_of_the_pods(self) -> None:
        for version, path, files in (
            ("cgroup2", "0::/\n", {"cpu.max": "5000 100000\n"}),
            ("cgroup", "4:cpu:/\n", {"cpu.cfs_quota_us": "5000\n", "cpu.cfs_period_us": "100000\n"}),
        ):
            self.write("proc/7/cgroup", path)
            self.write("proc/7/mountinfo", "29 24 0:26 / /sys/fs/%s ro - %s cgroup rw,cpu\n" % (version, version))
            place = "proc/7/root/sys/fs/%s/" % version
            for name, text in files.items():
                self.write(place + name, text)
            field = "throttled_usec %d\n" if version == "cgroup2" else "throttled_time %d\n"
            self.write(place + "cpu.stat", field % 3)
            throttle = self.throttle()
            self.assertIsNone(throttle.seconds())
            self.assertIn("may use 0.05 of a CPU", throttle.note)
            self.write(place + "cpu.stat", field % 10**9)
            self.assertGreater(throttle.seconds(), 0)
            for name in files:
                self.write(place + name, "max 100000\n" if version == "cgroup2" else "-1\n")
            throttle = self.throttle()
            self.assertEqual((throttle.seconds(), throttle.note), (0, ""))

    def test_none_where_no_quota_can_be_seen(self) -> None:
        self.write("proc/7/cgroup", "0::/\n")
        self.write("proc/7/mountinfo", "29 24 0:26 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n")
        self.write("proc/7/root/sys/fs/cgroup/cpu.stat", "usage_usec 5\n")
        self.assertIsNone(self.throttle().seconds())

    def test_a_process_that_is_gone(self) -> None:
        self.assertIsNone(self.throttle(8).seconds())


if __name__ == "__main__":
    unittest.main()
