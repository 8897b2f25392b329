"""Stacks, lines and names equal what the target says about itself, on every version there is."""

from __future__ import annotations

import os
import time
import unittest
from typing import Any, Dict

from .reader_support import EXPECTED_MINORS, Python, ReaderTest, Running, names_of, on_each_python, pythons, wait_until

from pydebug_agent.system.proc import Proc
from pydebug_agent.reader.stacks import read_stacks


class StacksEqualTheTargetsOwn(ReaderTest):
    def test_every_expected_version_is_there(self) -> None:
        found = {python.minor for python in pythons()}
        missing = [minor for minor in EXPECTED_MINORS if minor not in found]
        if missing:
            self.skipTest("not read here, their images are not made: " + ", ".join("3.%d" % minor for minor in missing))

    def _shapes(self, python: Python) -> Running:
        target = self.start(python, "shapes.py")
        wait_until(lambda: Proc().stat(target.pid).state == "S")
        return target

    @on_each_python()
    def test_frames_lines_files_names_and_native_ids(self, python: Python) -> None:
        target = self._shapes(python)
        result = read_stacks(target.pid)
        threads = {thread["tid"]: thread for thread in result["threads"]}
        self.assertEqual(sorted(threads), sorted(row["tid"] for row in target.ready))
        for row in target.ready:
            thread = threads[row["tid"]]
            self.assertEqual(thread["name"], row["name"])
            got = [[frame["name"], frame["file"], frame["line"]] for frame in thread["frames"]]
            if row["tid"] == target.pid:
                # It went on after it looked at itself.
                self.assertEqual(got[-1], row["frames"][-1])
                continue
            self.assertEqual(got, row["frames"])
            self.assertEqual((thread["how"], thread["state"], thread["held"]), ("idle", "idle", None))

    @on_each_python()
    def test_what_waiting_threads_wait_for(self, python: Python) -> None:
        target = self._shapes(python)
        threads = {thread["tid"]: thread for thread in read_stacks(target.pid)["threads"]}
        waits: Dict[str, Any] = {row["shape"]: threads[row["tid"]]["waitsFor"] for row in target.ready}
        self.assertEqual(waits["lock"], "lock")
        self.assertEqual(waits["from_queue"], "lock")
        self.assertRegex(waits["accept"], r"^accept4? fd \d+ socket:\[\d+\]$")
        self.assertRegex(waits["receive"], r"^(poll|ppoll) fd \d+ socket:\[\d+\]$")
        self.assertRegex(waits["deep"], r"^(clock_nanosleep|select|pselect6)$")
        self.assertRegex(threads[target.pid]["waitsFor"], r"^read fd 0 pipe:\[\d+\]$")

    @on_each_python()
    def test_no_stop_gives_the_same_stacks_of_waiting_threads(self, python: Python) -> None:
        target = self._shapes(python)
        result = read_stacks(target.pid, stop=False)
        self.assertEqual({thread["how"] for thread in result["threads"]}, {"idle"})
        self.assertIsNone(result["held"])


GIL_HOLDER = """
import ctypes, json, sys, threading, time
def holds(): ctypes.PyDLL(None).usleep(2500000)
def wants():
    while True: pass
threading.Thread(target=wants, name="wants", daemon=True).start()
print(json.dumps("ready"), flush=True)
time.sleep(0.05)
while True:
    holds()
"""


class TheGil(ReaderTest):
    @on_each_python(lambda python: "t (" not in python.label)
    def test_holder_and_waiters_are_told_apart(self, python: Python) -> None:
        # usleep through PyDLL keeps the GIL while it sleeps: who holds it and who waits is certain.
        target = self.start_source(python, GIL_HOLDER)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            threads = {thread["name"]: thread for thread in read_stacks(target.pid)["threads"]}
            main, other = threads["MainThread"], threads["wants"]
            if main["gil"] and main["how"] == "idle" and other["waitsFor"] == "the GIL":
                break
        self.assertEqual((main["gil"], other["gil"]), (True, False))
        self.assertEqual(other["waitsFor"], "the GIL")
        self.assertEqual(names_of(main)[:2], ["<module>", "holds"])


class ChangedFiles(ReaderTest):
    SOURCE = "import json, time\nprint(json.dumps('ready'), flush=True)\ntime.sleep(3600)\n"

    def _script(self, python: Python, name: str) -> "tuple[str, str]":
        outside = os.path.join(python.root or "/", "tmp", "%s-%d.py" % (name, os.getpid()))
        self.addCleanup(lambda: os.path.lexists(outside) and os.unlink(outside))
        return outside, "/tmp/" + os.path.basename(outside)

    def _changed(self, pid: int) -> bool:
        return bool(read_stacks(pid)["threads"][0]["frames"][-1]["changed"])

    @on_each_python()
    def test_a_file_touched_after_the_start_is_marked(self, python: Python) -> None:
        outside, inside = self._script(python, "changed")
        with open(outside, "w") as script:
            script.write(self.SOURCE)
        os.utime(outside, (1, 1))
        target = self.start_command([*python.command, inside], python)
        target.line()
        self.assertFalse(self._changed(target.pid))
        os.utime(outside, (time.time() + 5, time.time() + 5))
        self.assertTrue(self._changed(target.pid))

    def test_a_link_does_not_lead_out_of_the_targets_root(self) -> None:
        rooted = [python for python in pythons() if python.root]
        if not rooted:
            self.skipTest("no Python in a root filesystem of its own")
        python = rooted[0]
        outside, inside = self._script(python, "link")
        name = "pydebug-link-%d" % os.getpid()
        # A file of that name is changed outside the root and missing inside.
        with open("/tmp/" + name, "w"):
            self.addCleanup(os.unlink, "/tmp/" + name)
        with open(outside, "w") as script:
            script.write(self.SOURCE)
        target = self.start_command([*python.command, inside], python)
        target.line()
        os.unlink(outside)
        os.symlink("../../../../../../tmp/" + name, outside)
        self.assertFalse(self._changed(target.pid))


if __name__ == "__main__":
    unittest.main()
