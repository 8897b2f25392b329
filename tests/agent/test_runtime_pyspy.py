"""The real py-spy, run by the agent as in a pod."""

from __future__ import annotations

import json
import os
import time
import unittest
from typing import Any, Dict, List

from . import pyspy
from .driver import Frame, failures, python_versions, results, wait_for
from .pod import IDLE, PodTest, as_user

DEBIAN = "/usr/bin/python3"
BUSY = """
import threading, time
def hot_loop():
    while True:
        sum(range(100))
def waits(event):
    event.wait()
threading.Thread(target=hot_loop, name="hot;one", daemon=True).start()
threading.Thread(target=waits, args=(threading.Event(),), name="waiter", daemon=True).start()
"""
FROZEN = "mount -o remount,ro,bind /"


class PySpy(PodTest):
    binary = b""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        found = pyspy.real()
        if found is None:
            raise unittest.SkipTest("py-spy is missing: PYDEBUG_PYSPY, PIP_FIND_LINKS or a wheelhouse has it")
        cls.binary = found

    def frames_of(self, answer: List[Frame]) -> Dict[str, Any]:
        return {entry["thread_name"]: entry["frames"] for entry in json.loads(pyspy.content(answer))}

    def test_a_dump_of_every_python(self) -> None:
        for version, python in python_versions().items():
            with self.subTest(version=version):
                pod = self.pod(python, "-c", BUSY + IDLE)
                keeper = pod.kept(setup=FROZEN)
                wait_for(lambda: len(os.listdir(f"/proc/{pod.host_pid}/task")) == 3)
                with pod.agent(beside=keeper) as agent:
                    answer = pyspy.ask(agent, self.binary, pack=True)
                self.assertEqual([], failures(answer))
                self.assertEqual("0.4.3", results(answer, "tool")[0]["version"])
                names = [frame["name"] for frame in self.frames_of(answer)["hot;one"]]
                self.assertIn("hot_loop", names)

    def test_a_recording_with_nothing_written_and_no_privilege(self) -> None:
        user = as_user(10001)
        pod = self.pod(*user, DEBIAN, "-c", BUSY + IDLE)
        keeper = pod.kept(setup=FROZEN, wrap=user)
        wait_for(lambda: len(os.listdir(f"/proc/{pod.host_pid}/task")) == 3)
        with pod.agent(beside=keeper, wrap=user) as agent:
            answer = pyspy.ask(agent, self.binary, mode="record", seconds=2)
        self.assertEqual([], failures(answer))
        (result,) = results(answer, "tool")
        self.assertAlmostEqual(2.0, result["seconds"], delta=1.5)
        self.assertEqual("clock", result["ended"])
        self.assertGreater(result["samples"], 0)
        profile = json.loads(pyspy.content(answer))
        self.assertIn("hot_loop", [frame["name"] for frame in profile["shared"]["frames"]])
        self.assertEqual("S", pod.processes()[1][0])

    def test_options_reach_it(self) -> None:
        pod = self.pod(DEBIAN, "-c", "def f():\n    secret = 42\n    signal.pause()\nimport signal\nwhile 1: f()")
        keeper = pod.kept(setup=FROZEN)
        with pod.agent(beside=keeper) as agent:
            answer = pyspy.ask(agent, self.binary, arguments=["--locals"])
        frames = next(iter(self.frames_of(answer).values()))
        self.assertEqual("42", frames[0]["locals"][0]["repr"])

    def test_a_target_that_exits_meanwhile_keeps_its_profile(self) -> None:
        pod = self.pod("sh", "-c", f"{DEBIAN} -c '{BUSY}{IDLE}'; sleep 1000")
        keeper = pod.kept(setup=FROZEN)
        wait_for(lambda: [name for name in pod.processes().values() if name.endswith("python3")])
        with pod.agent(beside=keeper) as agent:
            pyspy.begin(agent, self.binary, mode="record", seconds=60)
            agent.until("N")
            pyspy.give(agent, self.binary)
            wait_for(lambda: agent.until("P").json["text"] == "1 of 1 sampled")
            pod.kill_child()
            answer = agent.finish()
        self.assertEqual("exited", results(answer, "tool")[0]["ended"], failures(answer))
        self.assertIn("shared", json.loads(pyspy.content(answer)))

    def test_what_ptrace_refuses_is_explained(self) -> None:
        user = as_user(10002)
        pod = self.pod(*as_user(10001), DEBIAN, "-c", IDLE)
        keeper = pod.kept(setup=FROZEN, wrap=user)
        wait_for(lambda: pod.processes()[1].endswith("python3"))
        with pod.agent(beside=keeper, wrap=user) as agent:
            answer = pyspy.ask(agent, self.binary, mode="dump", pids=[1])
        (failure,) = failures(answer)
        self.assertEqual(("PtraceDenied", "uid"), (failure["cause"], failure["detail"]["found"]))
        self.assertNotIn("sudo", json.dumps(failure))

    def test_a_client_that_goes_leaves_no_py_spy_and_a_running_target(self) -> None:
        pod = self.pod(DEBIAN, "-c", BUSY + IDLE)
        keeper = pod.kept(setup=FROZEN)
        for _ in range(3):
            with pod.agent(beside=keeper) as agent:
                pyspy.begin(agent, self.binary, mode="record", seconds=60)
                agent.until("N")
                pyspy.give(agent, self.binary)
                wait_for(lambda: agent.until("P").json["text"] == "1 of 1 sampled")
                agent.process.stdin.close()
                agent.process.wait(30)
            wait_for(lambda: len(pod.processes()) == 2)
        before = self.cpu(pod.host_pid)
        wait_for(lambda: self.cpu(pod.host_pid) > before)

    def test_all_workers_in_one_go(self) -> None:
        pod = self.pod(DEBIAN, "-c", f"import os\n[os.fork() for _ in range(2)]\n{BUSY}{IDLE}")
        keeper = pod.kept(setup=FROZEN)
        wait_for(lambda: len(pod.processes()) == 5)
        begun = time.monotonic()
        with pod.agent(beside=keeper) as agent:
            answer = pyspy.ask(agent, self.binary, mode="record", seconds=3)
        self.assertEqual([], failures(answer))
        self.assertNotIn(1, [result["pid"] for result in results(answer, "tool")], "the master was recorded")
        self.assertEqual(3, len(results(answer, "tool")))
        self.assertEqual(3, len(results(answer, "fileEnd")))
        self.assertLess(time.monotonic() - begun, 60)

    def cpu(self, pid: int) -> int:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rsplit(b")", 1)[1].split()
        return int(fields[11]) + int(fields[12])


if __name__ == "__main__":
    unittest.main()
