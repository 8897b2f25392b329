"""Processes and threads that begin, end, fork and become others while they are sampled from the kernel."""

from __future__ import annotations

import os
import signal
import time
import unittest
from typing import Set

from .reader_support import Python, ReaderTest, on_each_python, pythons, wait_until
from .timing_support import record, record_all, sampled, shares, stacks, thread

from pydebug_agent.system.proc import Proc
from pydebug_agent.bpf import attach
from pydebug_agent.timing import kernel_process, kernel_sampler
from pydebug_agent.timing.kernel_sampler import KernelSampler
from pydebug_agent.timing.recording import Recording

SLEEPER = """
import json, sys, time
def sleeper():
    while True: time.sleep(0.01)
print(json.dumps("ready"), flush=True)
sleeper()
"""

FORKED = """
import json, os, time
def burn(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end: pass
def child():
    while True: burn(1)
def parent():
    while True: time.sleep(0.01)
pid = os.fork()
if not pid: child()
print(json.dumps(pid), flush=True)
parent()
"""

ENDS = """
import json, os, sys, threading, time
def waits(): time.sleep(3600)
def until():
    time.sleep(%s)
    %s
threading.Thread(target=waits, name="waits", daemon=True).start()
print(json.dumps("ready"), flush=True)
until()
"""
OTHER = "def other():\n    while True: pass\nother()\n"

FRESH = """
import json, os, sys, time
def made(number):
    scope = {}
    exec(compile("def made_%%d(most): return sum(range(most))" %% number, "made.py", "exec"), scope)
    return scope["made_%%d" %% number]
print(json.dumps("ready"), flush=True)
end = time.monotonic() + 1
number = 0
while time.monotonic() < end:
    number += 1
    made(number)(60000)
%s
"""

DEEP = """
import json, threading, time
def deep(left):
    if left: deep(left - 1)
    time.sleep(0.01)
for _ in range(20): threading.Thread(target=deep, args=(60,), daemon=True).start()
time.sleep(0.2)
print(json.dumps("ready"), flush=True)
while True: time.sleep(0.01)
"""

NESTED = ["unshare", "--pid", "--fork", "--kill-child"]


def functions(recording: Recording) -> Set[str]:
    """Return the names of all functions that were seen."""
    return {place.name for key in recording.counts for place in key.stack}


class Several(ReaderTest):
    def test_several_processes_of_several_versions_are_told_apart(self) -> None:
        targets = [(python, self.start_source(python, SLEEPER.replace("sleeper", "sleeper_%d" % python.minor)))
                   for python in pythons() if sampled(python)]
        if not targets:
            self.skipTest("no Python to read")
        recordings = record_all([target.pid for _, target in targets], 1.0)
        self.assertEqual(sorted(recordings), sorted(target.pid for _, target in targets))
        for python, target in targets:
            recording = recordings[target.pid]
            self.assertEqual(functions(recording), {"<module>", "sleeper_%d" % python.minor})
            times = recording.threads[target.pid]
            self.assertGreater(shares(recording, times)["sleep"], 0.9 * times.wall)

    @on_each_python(sampled)
    def test_a_fork_is_followed_only_where_asked_for(self, python: Python) -> None:
        target = self.start_source(python, FORKED)
        alone = record(target.pid, 0.7)
        self.assertEqual(functions(alone), {"<module>", "parent"})
        self.assertEqual(sorted(alone.threads), [target.pid])
        both = record_all([target.pid, target.ready], 0.7)
        self.assertEqual(functions(both[target.pid]), {"<module>", "parent"})
        child = both[target.ready]
        self.assertEqual(functions(child), {"<module>", "child", "burn"})
        times = child.threads[target.ready]
        self.assertAlmostEqual(times.cpu + (times.runnable or 0), times.wall, delta=0.1 * times.wall)


class Ends(ReaderTest):
    def _ends(self, python: Python, how: str) -> Recording:
        target = self.start_source(python, ENDS % (1.5, how))
        began = time.monotonic()
        recording = record(target.pid, 20.0)
        self.assertLess(time.monotonic() - began, 5.0)
        self.assertTrue(recording.ended)
        self.assertTrue(0.2 < recording.seconds < 3.0, recording.seconds)
        for times in recording.threads.values():
            self.assertLessEqual(times.wall, recording.seconds + 0.01)
        # The first thread's last moment is the process's.
        self.assertAlmostEqual(recording.threads[target.pid].wall, recording.seconds, delta=0.1)
        self.assertTrue(stacks(recording, thread(recording, "waits"), "sleep"))
        self._pid = target.pid
        return recording

    @on_each_python(sampled)
    def test_exit_ends_the_recording(self, python: Python) -> None:
        recording = self._ends(python, "os._exit(0)")
        self.assertTrue(all(times.ended for times in recording.threads.values()))

    @on_each_python(sampled)
    def test_becoming_another_program_ends_the_recording(self, python: Python) -> None:
        recording = self._ends(python, "os.execv(sys.executable, [sys.executable, '-c', %r])" % OTHER)
        self.assertTrue(Proc().exists(self._pid))
        self.assertNotIn("other", functions(recording))
        # What the other program burns is not the target's.
        self.assertLess(sum(times.cpu for times in recording.threads.values()), 0.2)

    @on_each_python(sampled)
    def test_code_that_has_no_name_yet_at_the_end_is_counted_without(self, python: Python) -> None:
        for how in ("os._exit(0)", "os.execv(sys.executable, [sys.executable, '-c', 'pass'])"):
            target = self.start_source(python, FRESH % how)
            # Nothing is named until it has ended.
            recording = record(target.pid, 20.0, lambda: target.process.wait(20))
            self.assertTrue(recording.ended)
            self.assertGreater(recording.unresolved, 0)
            self.assertIn("<unresolved>", functions(recording))
            times = recording.threads[target.pid]
            self.assertAlmostEqual(times.wall, recording.seconds, delta=0.1)
            self.assertAlmostEqual(times.cpu + (times.runnable or 0), times.wall, delta=0.1 * times.wall)

    @on_each_python(sampled)
    def test_a_stopped_process_is_stopped(self, python: Python) -> None:
        target = self.start_source(python, SLEEPER)
        # The first look is before the signal.
        recording = record(target.pid, 1.5, lambda: os.kill(target.pid, signal.SIGSTOP))
        times = recording.threads[target.pid]
        self.assertGreater(shares(recording, times)["stopped"], 0.8 * times.wall)


class Namespaces(ReaderTest):
    @on_each_python(sampled)
    def test_a_target_in_a_pid_namespace_of_its_own(self, python: Python) -> None:
        command = [*NESTED, *python.command, "-u", "-c", SLEEPER]
        running = self.start_command(command, python)
        running.line()
        pid = int(wait_until(lambda: Proc().text(running.pid, "task", running.pid, "children").split())[0])
        recording = record(pid, 0.6)
        self.assertEqual(sorted(recording.threads), [pid])
        self.assertEqual(functions(recording), {"<module>", "sleeper"})


class Bounds(ReaderTest):
    def _patched(self, module: object, name: str, value: object) -> None:
        before = getattr(module, name)
        setattr(module, name, value)
        self.addCleanup(setattr, module, name, before)

    def _one(self) -> Python:
        found = [python for python in pythons() if sampled(python)]
        if not found:
            self.skipTest("no Python to read")
        return found[-1]

    def test_stacks_without_room_are_counted_as_lost(self) -> None:
        self._patched(attach, "_LEAST_STACKS", 4)
        self._patched(attach, "_MOST_STACKS", 4)
        target = self.start(self._one(), "waits.py")
        recording = record(target.pid, 0.8)
        self.assertGreater(recording.lost, 10)
        self.assertGreater(recording.samples, 0)

    def test_stacks_without_room_in_the_ring_are_counted_as_lost(self) -> None:
        self._patched(attach, "_LEAST_RING", 4096)
        self._patched(attach, "_MOST_RING", 4096)
        target = self.start_source(self._one(), DEEP)
        recording = record(target.pid, 0.8)
        self.assertGreater(recording.lost, 5)
        self.assertEqual(len(recording.threads), 21)

    def test_more_threads_than_are_taken_are_declined(self) -> None:
        self._patched(kernel_process, "MOST_THREADS", 5)
        target = self.start(self._one(), "waits.py")
        with self.assertRaises(kernel_sampler.errors.AgentError) as raised:
            record(target.pid, 0.5)
        self.assertEqual(raised.exception.cause, "TooManyThreads")

    def test_nothing_is_left_open(self) -> None:
        target = self.start_source(self._one(), SLEEPER)
        record(target.pid, 0.2)
        before = sorted(os.listdir("/proc/self/fd"))
        record(target.pid, 0.2)
        sampler = KernelSampler()
        sampler.close()
        sampler.close()
        self.assertEqual(sorted(os.listdir("/proc/self/fd")), before)


if __name__ == "__main__":
    unittest.main()
