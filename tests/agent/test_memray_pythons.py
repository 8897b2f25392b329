"""memray in processes that have none, on each Python: tracked, reported, let go."""

from __future__ import annotations

import glob
import hashlib
import os
import signal
import time
import unittest
from typing import Any, List

from .driver import Agent
from .memray_support import Tracked, GENERAL, USER, ask, dump, frames_of, named, needs, settled
from .reader_support import TARGETS, Python, on_each_python


class EachPython(Tracked):
    @on_each_python()
    def test_a_process_without_any_right_or_place_to_write(self, python: Python) -> None:
        """UID 10001, no capability, no_new_privs, a read-only root; the debug container has no more than a /tmp."""
        payloads = needs(python)
        target, debug = self.container(python, USER, read_only=True), self.container(python, USER)
        running = self.target(target, "idle")
        for _ in range(2):
            with debug.agent() as agent:
                answer = ask(agent, payloads, pids=[running.pid], seconds=1.5)
            result = self.check(answer, running)
            self.assertEqual("same", result["rehearsal"]["how"])
        self.assertEqual([], answer.asked, "the payload was sent twice")
        self.assertEqual([], debug.left())
        self.assertEqual([], glob.glob(f"{target.folder}/up/*"), "something was written in the target")
        self.assertTrue(settled(lambda: len(os.listdir(f"/proc/{running.pid}/task")) == 1))

    @on_each_python()
    def test_a_debug_container_with_nowhere_to_write(self, python: Python) -> None:
        """Both have a read-only root and are UID 10001 without a right: payload and capture stay in memory."""
        payloads = needs(python)
        target, debug = self.container(python, USER, read_only=True), self.container(python, USER, read_only=True)
        running = self.target(target, "busy" if python.minor % 2 else "idle")
        for _ in range(2):
            with debug.agent() as agent:
                answer = ask(agent, payloads, pids=[running.pid], seconds=1.5, keepCapture=True)
            result = self.check(answer, running)
            self.assertEqual("memory", result["capture"]["place"])
        about = {"size": len(answer.content), "sha256": hashlib.sha256(answer.content).hexdigest()}
        with debug.agent() as agent:
            again = ask(agent, payloads, op="memrayRead", data=answer.content, capture=about).only("memrayRead")
        self.assertEqual(result["report"]["leaked"], again["report"]["leaked"])
        self.assert_loaded_once(running)
        self.assertEqual([], glob.glob(f"{debug.folder}/up/*") + glob.glob(f"{target.folder}/up/*"))
        self.assertTrue(settled(lambda: len(os.listdir(f"/proc/{running.pid}/task")) == 1))

    @on_each_python()
    def test_a_busy_process_as_root(self, python: Python) -> None:
        payloads = needs(python)
        target = self.container(python)
        running = self.target(target, "busy")
        for _ in range(2):
            with Agent(prefix=GENERAL) as agent:
                answer = ask(agent, payloads, pids=[running.pid], seconds=2.0)
            result = self.check(answer, running)
            self.assertEqual("remote-debugging" if python.minor >= 14 else "thread", result["attach"]["how"])
        self.assert_loaded_once(running)
        before = running.cpu()
        self.assertTrue(settled(lambda: running.cpu() > before + 0.1))


    @on_each_python()
    def test_threads_have_their_names_whenever_they_began(self, python: Python) -> None:
        payloads = needs(python)
        running = self.target(self.container(python), source=_NAMED)
        with self.container(python).agent() as agent:
            report = ask(agent, payloads, pids=[running.pid], seconds=1.5).only()["report"]
        large = [entry for entry in report["leaked"] if entry["size"] > 65_000]
        names = {entry["thread"]: frames_of(report, entry)[0][0] for entry in large}
        self.assertEqual("work", names.get("began before"), dump(names))
        self.assertEqual("once", names.get("began meanwhile"), dump(names))
        self.assertIn("MainThread", names)

    @on_each_python()
    def test_a_process_whose_threads_are_greenlets_goes_on_as_before(self, python: Python) -> None:
        """Whatever would start a thread there runs on the loop's own, and whatever waits there waits in it."""
        payloads = needs(python)
        running = self.target(self.container(python), source=(TARGETS / "green.py").read_text())
        before = running.line()
        debug = self.container(python)
        for _ in range(2):
            with debug.agent() as agent:
                result = ask(agent, payloads, pids=[running.pid], seconds=1.5).only()
            self.assertGreater(named(result["report"], "keep"), 300_000, dump(result["report"]))
            self.assertEqual((None, None), (result["pause"]["longest"], result["pause"]["usual"]))
        said: List[Any] = []

        def is_as_before() -> bool:
            said.append(running.line(60))
            return bool(said[-1][1] > ended and said[-1][2:] == before[2:])

        ended = time.monotonic()
        self.assertTrue(settled(is_as_before, 60), (before, said[-5:]))
        # On whatever thread a wait of ours were it would last for tens of seconds.
        self.assertLess(max(line[0] for line in said), 10.0, said)
        self.assertTrue(settled(lambda: len(os.listdir(f"/proc/{running.pid}/task")) == 1))
        os.kill(running.pid, signal.SIGTERM)
        self.assertEqual(7, running.process.wait(30))


_NAMED = """
import threading, time
keep = []
def once():
    keep.append(bytearray(80_000))
def work():
    while True:
        keep.append(bytearray(70_000))
        time.sleep(0.1)
threading.Thread(target=work, name="began before", daemon=True).start()
print('"ready"', flush=True)
while True:
    time.sleep(0.2)
    thread = threading.Thread(target=once, name="began meanwhile")
    thread.start()
    thread.join()
    keep.append(bytearray(90_000))
"""


if __name__ == "__main__":
    unittest.main()
