"""The real py-spy, run by the agent as in a pod."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
import unittest
from typing import Any, Dict, List

from . import pyspy
from .driver import Frame, failures, python_versions, results, wait_for
from .pod import IDLE, PodTest, as_user
from .reader_support import AGENT

from pydebug_agent.system.proc import Proc

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
# Scratch directories may be mounts of their own.
FROZEN = """mount -o remount,ro,bind /
for place in /tmp /var/tmp; do mount --bind $place $place && mount -o remount,ro,bind $place; done"""


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

    def test_a_recording_ends_where_the_process_becomes_another_program(self) -> None:
        python = f"{DEBIAN!r}, {DEBIAN!r}, '-c', 'while True: pass'"
        for name, becomes in (("python", python), ("sleep", "'sleep', 'sleep', '3600'")):
            with self.subTest(becomes=name):
                code = (
                    "import os, time\n"
                    "def before():\n"
                    "    while not os.path.exists('/tmp/go'): sum(range(1000))\n"
                    f"before()\nos.execlp({becomes})"
                )
                pod = self.pod(DEBIAN, "-c", code, setup="mount -t tmpfs tmpfs /tmp")
                keeper = pod.kept()
                become = threading.Timer(4.0, lambda: open(f"/proc/{pod.host_pid}/root/tmp/go", "w").close())
                began = time.monotonic()
                with pod.agent(beside=keeper) as agent:
                    become.start()
                    answer = pyspy.ask(agent, self.binary, mode="record", seconds=60)
                self.assertLess(time.monotonic() - began, 30)
                self.assertEqual([], failures(answer))
                (result,) = results(answer, "tool")
                self.assertEqual("replaced", result["ended"])
                self.assertIn("before", result["command"][2])
                self.assertLess(result["doubtful"], 100)
                profile = json.loads(pyspy.content(answer))
                names = [frame["name"] for frame in profile["shared"]["frames"]]
                kept = [stack for thread in profile["profiles"] for stack in thread["samples"][: -result["doubtful"]]]
                self.assertGreater(len(kept), 20)
                self.assertEqual({True}, {any(names[frame] == "before" for frame in stack) for stack in kept})
                said = [json.loads(got.payload)["message"] for got in answer if got.kind == "W"]
                self.assertTrue(any("became another program" in text for text in said), said)

    def test_threads_come_with_their_states(self) -> None:
        pod = self.pod(DEBIAN, "-c", BUSY + IDLE)
        keeper = pod.kept(setup=FROZEN)
        wait_for(lambda: len(os.listdir(f"/proc/{pod.host_pid}/task")) == 3)
        with pod.agent(beside=keeper) as agent:
            (result,) = results(pyspy.ask(agent, self.binary), "tool")
        self.assertEqual("S", result["states"]["1"])
        self.assertEqual(set(map(str, result["threads"])), set(result["states"]))

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
        # The parent works like its three children, and is recorded like them.
        tools = results(answer, "tool")
        self.assertIn(1, [result["pid"] for result in tools])
        self.assertEqual(4, len(tools))
        self.assertEqual(4, len(results(answer, "fileEnd")))
        self.assertLess(time.monotonic() - begun, 60)
        for result in tools:
            self.assertGreater(result["cpu"], 0.0)
            self.assertIn(str(result["pid"]), result["cpuByThread"])

    def test_a_parent_that_waits_is_left_out_and_named(self) -> None:
        code = f"import os\nif os.fork():\n    {IDLE.replace(chr(10), chr(10) + '    ')}\n{BUSY}{IDLE}"
        pod = self.pod(DEBIAN, "-c", code)
        keeper = pod.kept(setup=FROZEN)
        wait_for(lambda: len(pod.processes()) == 3)
        with pod.agent(beside=keeper) as agent:
            answer = pyspy.ask(agent, self.binary, mode="record", seconds=1)
        self.assertEqual([], failures(answer))
        self.assertNotIn(1, [result["pid"] for result in results(answer, "tool")])
        (warning,) = [entry.json for entry in answer if entry.kind == "W" and entry.json["id"] == "ParentLeftOut"]
        self.assertRegex(warning["message"], r"^It is a parent of others, used 0\.0\d s")

    def test_a_stopped_process_is_told_as_such_at_once(self) -> None:
        pod = self.pod(DEBIAN, "-c", BUSY + IDLE)
        keeper = pod.kept(setup=FROZEN)
        os.kill(pod.host_pid, signal.SIGSTOP)
        wait_for(lambda: Proc().stat(pod.host_pid).state == "T")
        for mode in ("dump", "record"):
            with pod.agent(beside=keeper) as agent:
                (failure,) = failures(pyspy.ask(agent, self.binary, mode=mode, seconds=1, pids=[1]))
            self.assertEqual(("ToolFailed", "stopped"), (failure["cause"], failure["detail"]["reason"]))
            self.assertIn("is stopped", failure["message"])

    def cpu(self, pid: int) -> int:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rsplit(b")", 1)[1].split()
        return int(fields[11]) + int(fields[12])


class Groups(PodTest):
    def test_dumps_behind_those_that_are_sent_are_named_and_can_be_had_anew(self) -> None:
        pod = self.pod(DEBIAN, "-c", f"import os\n[os.fork() for _ in range(2)]\n{IDLE}")
        keeper = pod.kept()
        wait_for(lambda: len(pod.processes()) == 5)
        binary = pyspy.stand_in("sleep 1.1; echo '[]'")
        with pod.agent(beside=keeper) as agent:
            answer = pyspy.ask(agent, binary)
        self.assertEqual([], failures(answer))
        dumped = [result["pid"] for result in results(answer, "tool")]
        self.assertEqual(4, len(dumped))
        held = results(answer, "held")
        self.assertGreater(len(held), 1)
        rest = held[0]["rest"]
        self.assertEqual(dumped[held[0]["files"] :], rest)
        self.assertEqual((False, True, []), (held[0]["last"], held[-1]["last"], held[-1]["rest"]))
        with pod.agent(beside=keeper) as agent:
            again = pyspy.ask(agent, binary, rest=rest)
        self.assertEqual([], failures(again))
        self.assertEqual(rest, [result["pid"] for result in results(again, "tool")])


if __name__ == "__main__":
    unittest.main()
