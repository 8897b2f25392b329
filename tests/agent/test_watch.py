"""What is said of a process that is watched: by the layouts of the kernel's files, and by real processes."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
import unittest
from typing import Any, Dict

from .driver import AGENT, Agent, alive, failures, results, wait_for
from .pod import PodTest
from .reader_support import Python, ReaderTest, on_each_python, tasks_of, wait_until

sys.path.insert(0, str(AGENT))

from pydebug_agent.system.proc import Proc
from pydebug_agent.timing.kernel_thread import Shared
from pydebug_agent.watch.inside import Inside
from pydebug_agent.watch.looks import Looks

# Ends when there is a file of the name that it is given.
OTHER = "import os, sys, time\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.05)"


class Insides(ReaderTest):
    @on_each_python(lambda python: python.minor >= 11)
    def test_loops_and_tasks_are_those_that_asyncio_has(self, python: Python) -> None:
        target = self.start(python, "tasks.py", "290")
        wait_until(lambda: all(_letter(target.pid, tid) == "S" for tid in Proc().threads(target.pid)), 30)
        inside = Inside(Proc(), target.pid)
        found = inside.find()
        expected = tasks_of(target.pid)["tasks"]
        self.assertEqual(sorted({task["tid"] for task in expected}), found.loops)
        self.assertEqual(len(expected), wait_until(inside.tasks, 30))

    @on_each_python()
    def test_the_gil_is_where_threads_wait_for_it(self, python: Python) -> None:
        source = "import threading\ndef spin():\n    while True: sum(range(999))\n"
        source += "for _ in range(3): threading.Thread(target=spin, daemon=True).start()\n"
        source += "print('[]', flush=True)\nspin()"
        target = self.start_source(python, source)
        found = Inside(Proc(), target.pid).find()
        self.assertEqual([], found.loops)
        self.assertTrue(found.gils)
        looks = Looks(Proc(), target.pid, Shared())
        self.addCleanup(looks.close)
        looks.gils = found.gils
        looks.follow(Proc().threads(target.pid))

        def waits() -> float:
            for _ in range(20):
                looks.look(0.0)
                time.sleep(0.002)
            return float(looks.take()["gil"])

        # Three threads of four wait at any time.
        self.assertGreater(wait_until(lambda: (lambda share: share if share > 0.5 else 0)(waits()), 30), 0.5)


def _letter(pid: int, tid: int) -> str:
    return Proc().stat(pid, "task", tid).state


class Watched(PodTest):
    BUSY = (
        "import asyncio, threading, time\n"
        "def spin():\n    while True: sum(range(999))\n"
        "async def serve():\n"
        "    tasks = [asyncio.create_task(asyncio.sleep(999)) for _ in range(4)]\n"
        "    while True:\n        await asyncio.sleep(0.05); time.sleep(0.2)\n"
        "threading.Thread(target=spin, daemon=True).start()\n"
        "asyncio.run(serve())\n"
    )

    def watch(self, agent: Agent, **options: Any) -> None:
        agent.request("watch", **{"interval": 0.3, "seconds": 40.0, **options})

    def other(self, pod: Any) -> Any:
        """Start another Python in the pod; return what ends it, and waits for that."""
        place = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, place, True)
        process = pod.run("/usr/bin/python3", "-c", OTHER, os.path.join(place, "end"))

        def end() -> None:
            with open(os.path.join(place, "end"), "w", encoding="ascii"):
                pass
            process.wait()

        self.addCleanup(end)
        return end

    def until(self, agent: Agent, condition: Any) -> Dict[str, Any]:
        """Return the next record that makes a condition true."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            frame = agent.until("R", 60)
            self.assertEqual("R", frame.kind, agent.stderr)
            if condition(frame.json):
                return frame.json
        raise AssertionError("no record was as it should be")

    def test_a_busy_process(self) -> None:
        pod = self.pod("/usr/bin/python3", "-c", self.BUSY)
        with pod.agent(op="watch") as agent:
            self.watch(agent)
            said = self.until(agent, lambda record: record["gil"] and record["loop"] and record["loop"]["longest"] > 0)
            self.assertEqual((1, "sample", 2), (said["pid"], said["kind"], said["threads"]))
            self.assertGreater(said["loop"]["away"], 0)
            self.assertEqual(1, said["loop"]["tid"])
            tasks = self.until(agent, lambda record: record["tasks"])
            self.assertEqual(5, tasks["tasks"])
            busy = self.until(agent, lambda record: record["cpu"] > 0)
            self.assertLess(busy["cpu"], 20 * busy["seconds"])
            agent.send("C")
            frames = agent.finish()
        self.assertEqual(["Cancelled"], [failure["cause"] for failure in failures(frames)])
        self.assertTrue(agent.trailer_good)

    def test_processes_that_begin_and_end(self) -> None:
        pod = self.pod()
        with pod.agent(op="watch") as agent:
            self.watch(agent)
            self.until(agent, lambda record: record["round"] >= 2)
            end = self.other(pod)
            began = self.until(agent, lambda record: record["pid"] != 1)
            end()
            ended = self.until(agent, lambda record: record["kind"] == "ended")
            self.assertEqual(began["pid"], ended["pid"])
            self.until(agent, lambda record: record["kind"] == "sample" and record["pid"] == 1)

    def test_a_shell_that_becomes_a_python_is_met(self) -> None:
        pod = self.pod()
        place = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, place, True)
        with pod.agent(op="watch") as agent:
            self.watch(agent)
            self.until(agent, lambda record: record["round"] >= 1)
            other = pod.run(
                "sh", "-c", "sleep 0.4; exec /usr/bin/python3 -c \"$1\" \"$2\"", "sh", OTHER, place + "/end")
            self.addCleanup(other.wait)
            try:
                self.until(agent, lambda record: record["kind"] == "sample" and record["pid"] != 1)
            finally:
                with open(place + "/end", "w", encoding="ascii"):
                    pass

    def test_named_ones_end_it_when_they_have_ended(self) -> None:
        pod = self.pod()
        end = self.other(pod)
        pid = wait_for(lambda: next((pid for pid, name in pod.processes().items() if pid != 1 and "python" in name), 0))
        with pod.agent(op="watch") as agent:
            self.watch(agent, pids=[pid])
            self.until(agent, lambda record: record["pid"] == pid)
            end()
            frames = agent.finish()
        self.assertEqual(["ended"], [record["kind"] for record in results(frames)][-1:])
        self.assertEqual([], failures(frames))

    def test_it_ends_by_its_own_time(self) -> None:
        pod = self.pod()
        with pod.agent(op="watch") as agent:
            self.watch(agent, seconds=1.0)
            frames = agent.finish()
        seconds = [record["seconds"] for record in results(frames, "sample")]
        self.assertGreaterEqual(sum(seconds), 0.5)
        self.assertGreaterEqual(len(seconds), 1)
        self.assertEqual([], failures(frames))

    def test_nothing_is_left_when_the_client_is_gone(self) -> None:
        pod = self.pod()
        with pod.agent(op="watch") as agent:
            self.watch(agent)
            self.until(agent, lambda record: record["round"] >= 2)
            inside = [pid for pid in pod.processes() if pid != 1]
            self.assertTrue(inside)
            agent.process.stdin.close()
            wait_for(lambda: not alive(agent.process.pid))
            wait_for(lambda: list(pod.processes()) == [1])

    def test_nothing_is_held_for_it(self) -> None:
        if shutil.which("strace") is None:
            self.skipTest("strace is missing")
        pod = self.pod("/usr/bin/python3", "-c", self.BUSY)
        with tempfile.NamedTemporaryFile("r") as log:
            trace = ["strace", "-f", "-A", "-e", "trace=ptrace,kill,tkill,tgkill,process_vm_readv", "-o", log.name]
            with pod.agent(wrap=trace, op="watch") as agent:
                self.watch(agent)
                self.until(agent, lambda record: record["loop"] and record["round"] > 3)
                agent.send("C")
                agent.finish()
            text = log.read()
        self.assertIn("process_vm_readv", text)
        for line in text.splitlines():
            self.assertNotRegex(line, r"ptrace\(|kill\(1,|tgkill\(1,")


if __name__ == "__main__":
    unittest.main()
