"""After a stop, such as that of a debugger, the kernel begins waits with a timeout again.

What they wait for is still told.
"""

from __future__ import annotations

import os
import signal
import unittest
from typing import Any, Dict

from .reader_support import ReaderTest, Running, pythons, wait_until
from .time_support import sampled
from .timing_support import record

from pydebug_agent.system.proc import Proc
from pydebug_agent.reader.stacks import read_stacks
from pydebug_agent.reader.waits import is_restarted, resolved

WAITING = """
import ctypes, json, select, socket, threading, time
lock, libc, ends = threading.Lock(), ctypes.CDLL(None), socket.socketpair()
lock.acquire()
ready = select.poll()
ready.register(ends[0], select.POLLIN)
ends[1].settimeout(900)
waits = {"locks": lambda: lock.acquire(timeout=900), "sleeps": lambda: libc.sleep(900),
         "polls": lambda: ready.poll(900_000), "receives": lambda: ends[1].recv(1)}
for name, wait in waits.items():
    threading.Thread(target=wait, name=name, daemon=True).start()
print(json.dumps("ready"), flush=True)
threading.Event().wait()
"""
REASONS = {"locks": "lock", "sleeps": "sleep", "polls": "poll", "receives": "poll"}


class AfterAStop(ReaderTest):
    def stopped(self) -> Running:
        """A target whose threads wait, in calls that were begun again."""
        found = [python for python in pythons() if python.minor == 13 and python.root]
        if not found:
            raise unittest.SkipTest("the image py313 is missing")
        target, proc = self.start_source(found[0], WAITING), Proc()

        def begun_again() -> int:
            lines = [proc.read(target.pid, "task", tid, "syscall", limit=512) for tid in proc.threads(target.pid)]
            return sum(map(is_restarted, lines))

        def all_wait() -> bool:
            return all(proc.stat(target.pid, "task", tid).state == "S" for tid in proc.threads(target.pid))

        wait_until(all_wait, 60)
        os.kill(target.pid, signal.SIGSTOP)
        wait_until(lambda: proc.stat(target.pid).state == "T", 60)
        os.kill(target.pid, signal.SIGCONT)
        wait_until(lambda: begun_again() == len(REASONS), 60)
        return target

    def test_stacks_say_what_is_waited_for(self) -> None:
        target = self.stopped()
        threads: Dict[str, Any] = {thread["name"]: thread["waitsFor"] for thread in read_stacks(target.pid)["threads"]}
        self.assertEqual("lock", threads["locks"])
        self.assertEqual("clock_nanosleep", threads["sleeps"])
        self.assertRegex(threads["polls"], r"^poll fd \d+ socket:\[\d+\]$")
        self.assertRegex(threads["receives"], r"^poll fd \d+ socket:\[\d+\]$")

    def test_the_memory_sampler_has_its_reason(self) -> None:
        times = sampled(self.stopped().pid, 1.0)
        for name, reason in REASONS.items():
            entries = times.entries(name)
            self.assertEqual({reason}, {entry["reason"] for entry in entries}, entries)

    def test_the_kernel_sampler_has_its_reason(self) -> None:
        recording = record(self.stopped().pid, 1.0)
        names = {times.tid: name for name in REASONS for times in recording.threads.values() if times.name == name}
        for key in recording.counts:
            if key.tid in names:
                self.assertEqual(REASONS[names[key.tid]], key.reason, key)


class Lines(unittest.TestCase):
    def test_a_line_that_the_kernels_function_does_not_tell_stays(self) -> None:
        line = b"219 0x7f0000001000 0x189 0x0 0x7ffc 0x0 0xffffffff 0x7ffc00001000 0x7f0000000000"
        if os.uname().machine != "x86_64":
            self.skipTest("the numbers are x86-64's")
        self.assertTrue(is_restarted(line))
        self.assertFalse(is_restarted(line[1:]))
        self.assertEqual(b"202" + line[3:], resolved(line, "futex_do_wait"))
        for function in ("hrtimer_nanosleep", "do_syscall_64", "__x64_sys_restart_syscall"):
            self.assertEqual(b"230" + line[3:], resolved(line, function))
        self.assertEqual(b"7" + line[3:], resolved(line, "poll_schedule_timeout.constprop.0"))
        self.assertEqual(line, resolved(line, "some_driver_wait"))
        self.assertEqual(line, resolved(line, "0"))


if __name__ == "__main__":
    unittest.main()
