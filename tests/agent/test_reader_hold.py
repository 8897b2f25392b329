"""What a hold does to the target: nothing that stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import unittest
from typing import List

from .reader_support import AGENT, Python, ReaderTest, Running, on_each_python, wait_until

from pydebug_agent.system.proc import Proc
from pydebug_agent.reader.stacks import read_stacks
from pydebug_agent.reader.hold import Holder, Refused
from pydebug_agent.reader.memory import Gone

HERE = Python("this", sys.version_info[1], [sys.executable], "")
BUSY = "import json\nprint(json.dumps('ready'), flush=True)\nwhile True: pass\n"


def state(pid: int) -> str:
    """Return the kernel's letter for a process."""
    return Proc().stat(pid).state


def tracer(pid: int) -> str:
    """Return who traces a process, "0" when nobody does."""
    return Proc().status(pid)["TracerPid"]


class Holds(ReaderTest):
    def test_the_action_runs_while_the_thread_stands(self) -> None:
        target = self.start_source(HERE, BUSY)
        seen, held = Holder().run(target.pid, lambda: state(target.pid))
        self.assertEqual(seen, "t")
        self.assertGreater(held, 0)
        self.assertEqual((state(target.pid), tracer(target.pid)), ("R", "0"))

    def test_an_action_that_fails_lets_the_thread_go(self) -> None:
        target = self.start_source(HERE, BUSY)

        def fails() -> None:
            raise KeyError("no")

        with self.assertRaises(KeyError):
            Holder().run(target.pid, fails)
        self.assertEqual((state(target.pid), tracer(target.pid)), ("R", "0"))

    def test_no_signal_is_swallowed_or_invented(self) -> None:
        sent = 2000
        target = self.start(HERE, "signals.py")
        done = threading.Event()

        def send() -> None:
            # Real-time signals queue: none can hide behind another.
            for _ in range(sent):
                os.kill(target.pid, signal.SIGRTMIN + 1)
                time.sleep(0)
            done.set()

        sender = threading.Thread(target=send)
        sender.start()
        holder = Holder()
        held = 0
        while not done.is_set():
            holder.run(target.pid, lambda: None)
            held += 1
        sender.join()
        target.say("count")
        self.assertEqual(target.line(60), sent)
        self.assertGreater(held, 20)

    def test_every_signal_reaches_its_handler(self) -> None:
        # One at a time, each awaited: a swallowed one shows at once.
        target = self.start_source(HERE, RELAY)
        holder = Holder()
        stop = threading.Event()
        failures: List[str] = []

        def relay() -> None:
            for number in range(300):
                os.kill(target.pid, signal.SIGUSR1)
                try:
                    if target.line(5) != number + 1:
                        failures.append("signal %d came twice or not at all" % number)
                except TimeoutError:
                    failures.append("signal %d was swallowed" % number)
                if failures:
                    break
            stop.set()

        sender = threading.Thread(target=relay)
        sender.start()
        while not stop.is_set():
            holder.run(target.pid, lambda: None)
        sender.join()
        self.assertEqual(failures, [])

    @on_each_python()
    def test_a_stopped_process_is_read_and_stays_stopped(self, python: Python) -> None:
        target = self.start_source(python, BUSY)
        os.kill(target.pid, signal.SIGSTOP)
        wait_until(lambda: state(target.pid) == "T")
        thread = read_stacks(target.pid)["threads"][0]
        self.assertEqual((thread["how"], thread["frames"][-1]["name"]), ("idle", "<module>"))
        Holder().run(target.pid, lambda: None)
        wait_until(lambda: state(target.pid) == "T")
        os.kill(target.pid, signal.SIGCONT)
        wait_until(lambda: state(target.pid) == "R")

    def test_a_stop_signal_that_meets_a_hold_stops_the_process(self) -> None:
        target = self.start_source(HERE, BUSY)
        holder = Holder()
        for _ in range(50):
            Holder().run(target.pid, lambda: os.kill(target.pid, signal.SIGSTOP))
            wait_until(lambda: state(target.pid) == "T")
            os.kill(target.pid, signal.SIGCONT)
            holder.run(target.pid, lambda: None)
            wait_until(lambda: state(target.pid) == "R")

    def test_a_target_killed_in_mid_hold_is_gone_and_leaves_no_trace(self) -> None:
        target = self.start_source(HERE, BUSY)
        holder = Holder()
        try:
            holder.run(target.pid, lambda: os.kill(target.pid, signal.SIGKILL))
        except Gone:
            pass
        self.assertEqual(holder.settle(5), [])
        self.assertFalse(Proc().exists(target.pid))
        with self.assertRaises(Gone):
            holder.run(target.pid, lambda: None)

    def test_a_thread_that_somebody_else_traces_is_refused_with_the_reason(self) -> None:
        target = self.start_source(HERE, BUSY)
        other = subprocess.Popen([sys.executable, "-c", TRACER, str(AGENT), str(target.pid)], stdout=subprocess.PIPE)
        self.addCleanup(other.wait)
        self.addCleanup(other.kill)
        assert other.stdout is not None
        self.addCleanup(other.stdout.close)
        other.stdout.readline()
        with self.assertRaises(Refused) as caught:
            Holder().run(target.pid, lambda: None)
        self.assertIn("not permitted", str(caught.exception))

    @on_each_python()
    def test_the_readers_death_in_mid_hold_leaves_the_target_running(self, python: Python) -> None:
        target = self.start_source(python, BUSY)
        reader = subprocess.Popen([sys.executable, "-c", TRACER, str(AGENT), str(target.pid)], stdout=subprocess.PIPE)
        assert reader.stdout is not None
        reader.stdout.readline()
        self.assertEqual(state(target.pid), "t")
        reader.kill()
        reader.wait()
        reader.stdout.close()
        self._runs_on(target)

    def _runs_on(self, target: Running) -> None:
        wait_until(lambda: state(target.pid) == "R" and tracer(target.pid) == "0")
        used = target.cpu()
        wait_until(lambda: target.cpu() > used)

    @on_each_python()
    def test_sleeping_threads_are_never_held(self, python: Python) -> None:
        target = self.start(python, "shapes.py")
        before = wait_until(lambda: _settled(target.pid))
        for _ in range(5):
            self.assertIsNone(read_stacks(target.pid)["held"])
        self.assertEqual(_switches(target.pid), before)


def _settled(pid: int) -> List[str]:
    """Return how often each thread ran, nothing when one has run within a tenth of a second."""
    before = _switches(pid)
    time.sleep(0.1)
    return before if _switches(pid) == before else []


def _switches(pid: int) -> List[str]:
    proc = Proc()
    return [proc.text(pid, "task", tid, "schedstat").split()[2] for tid in proc.threads(pid)]


RELAY = """
import json, signal
count = 0
def handler(number, frame):
    global count
    count += 1
    print(json.dumps(count), flush=True)
signal.signal(signal.SIGUSR1, handler)
print(json.dumps("ready"), flush=True)
while True: sum(range(200))
"""

TRACER = """
import sys, time
sys.path.insert(0, sys.argv[1])
from pydebug_agent.reader.hold import Holder
def stand():
    print("held", flush=True)
    time.sleep(60)
Holder().run(int(sys.argv[2]), stand)
"""


if __name__ == "__main__":
    unittest.main()
