"""Parents that work and parents that wait, and children that are gone before they are looked at."""

from __future__ import annotations

import sys
import unittest
from types import SimpleNamespace
from typing import Any, Dict, List

from .driver import Frame, failures, results, wait_for
from .pod import IDLE, Pod, PodTest
from .reader_support import AGENT

from pydebug_agent.system.errors import AgentError
from pydebug_agent.system.proc import Proc
from pydebug_agent.target.request import Request
from pydebug_agent.wire import PROCESS_GONE

POOL = """
import os, signal, sys, time
def work():
    while True: time.sleep(1)
for _ in range(2):
    if os.fork() == 0: work()
while sys.argv[1] == "works": pass
while True: signal.pause()
"""

# Children that live for a moment, one after the other.
BREEDER = """
import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
while True:
    if os.fork() == 0:
        time.sleep(0.03)
        os._exit(0)
    time.sleep(0.01)
"""


def warnings(frames: List[Frame], identity: str) -> List[Dict[str, Any]]:
    return [frame.json for frame in frames if frame.kind == "W" and frame.json["id"] == identity]


class ParentsOfWorkers(PodTest):
    def _pool(self, how: str) -> Pod:
        pod = self.pod(sys.executable, "-c", POOL, how)

        def ready() -> bool:
            with pod.agent() as agent:
                return len(results(agent.ask("processes"), "process")) == 3

        wait_for(ready)
        return pod

    def _measured(self, how: str) -> List[Frame]:
        with self._pool(how).agent() as agent:
            return agent.ask("time", method="memory", seconds=1.0)

    def test_one_that_works_is_measured_too(self) -> None:
        frames = self._measured("works")
        self.assertEqual(failures(frames), [])
        self.assertEqual(len(results(frames, "time")), 3)
        self.assertIn(1, [result["pid"] for result in results(frames, "time")])
        self.assertEqual(warnings(frames, "ParentLeftOut"), [])

    def test_one_that_waits_is_left_out_and_named(self) -> None:
        frames = self._measured("waits")
        self.assertEqual(failures(frames), [])
        found = results(frames, "time")
        self.assertEqual(len(found), 2)
        self.assertNotIn(1, [result["pid"] for result in found])
        (warning,) = warnings(frames, "ParentLeftOut")
        self.assertRegex(
            warning["message"], r"^It is a parent of others, used 0\.0\d s of CPU in 1\.0 s and is left out; ")
        self.assertIn("-ProcessId 1 measures it", warning["message"])

    def test_one_that_is_named_is_measured_whatever_it_does(self) -> None:
        with self._pool("waits").agent() as agent:
            frames = agent.ask("time", method="memory", seconds=0.5, pids=[1])
        self.assertEqual([result["pid"] for result in results(frames, "time")], [1])
        self.assertEqual(warnings(frames, "ParentLeftOut"), [])


class ShortLives(PodTest):
    def test_a_child_that_nobody_named_and_that_ended_is_no_failure(self) -> None:
        pod = self.pod(sys.executable, "-c", BREEDER)
        for _ in range(5):
            with pod.agent() as agent:
                frames = agent.ask("stack")
            self.assertEqual(failures(frames), [])
            self.assertIn(1, [result["pid"] for result in results(frames, "stack")])
            self.assertEqual(frames[-1].json["exit"], 0)

    def test_all_that_ended_are_told_of_in_one_warning(self) -> None:
        told: List[Any] = []
        channel: Any = SimpleNamespace(
            warn=lambda *words: told.append(words),
            send_json=lambda kind, content: told.append((kind, content["cause"]))
        )
        request = Request({}, channel, Proc())
        gone = AgentError(PROCESS_GONE, "Process 7 is gone.", 7)
        with request.gone_together(True, 3):
            request.fail(gone)
            request.fail(AgentError(PROCESS_GONE, "Process is gone."), 9)
        self.assertEqual(told.pop()[:2], ("ProcessEnded", "2 processes ended meanwhile and are left out: 7, 9."))
        self.assertEqual(request.failures, [])
        with request.gone_together(True, 1):
            request.fail(gone)
        self.assertEqual(told.pop(), ("E", "ProcessGone"))
        with request.gone_together(False, 1):
            request.fail(gone)
        self.assertEqual((told, request.failures), ([("E", "ProcessGone")], ["ProcessGone"] * 2))

    def test_the_only_one_is_named_where_it_ended(self) -> None:
        told: List[Any] = []
        channel: Any = SimpleNamespace(send_json=lambda kind, content: told.append((kind, content)))
        request = Request({}, channel, Proc())
        with request.gone_together(True, 1):
            request.fail(AgentError(PROCESS_GONE, "Process 7 is gone.", 7))
        (kind, content), = told
        self.assertEqual((kind, content["pid"], content["message"]), ("E", 7, "Process 7 is gone."))

    def test_work_of_more_than_a_second_is_told_of_once_a_second(self) -> None:
        told: List[Any] = []
        channel: Any = SimpleNamespace(check=lambda: None, progress=lambda *words: told.append(words))
        request = Request({}, channel, Proc())
        request._told += 3600
        request.tell(1, "too early")
        self.assertEqual(told, [])
        request._told -= 7200
        request.tell(1, "5 of 10 tasks", 5, 10)
        request.tell(None, "again")
        self.assertEqual(told, [(5, 10, "Process 1: 5 of 10 tasks")])

    def test_one_that_was_named_is_one(self) -> None:
        pod = self.pod(sys.executable, "-c", IDLE)
        with pod.agent() as agent:
            frames = agent.ask("stack", pids=[1, 29999])
        self.assertEqual([(failure["cause"], failure["pid"]) for failure in failures(frames)], [("ProcessGone", 29999)])
        self.assertEqual(len(results(frames, "stack")), 1)


if __name__ == "__main__":
    unittest.main()
