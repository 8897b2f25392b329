"""Stacks that are deep, in several interpreters or Pythons, stopped, or not Python's at all."""

from __future__ import annotations

import glob
import os
import signal
import time
import unittest
from typing import Any, Dict, List

from .driver import Agent
from .memray_support import ask
from .reader_support import Python, ReaderTest, Running, names_of, on_each_python, pythons, tasks_of, wait_until

from pydebug_agent.system.errors import AgentError
from pydebug_agent.system.proc import Proc
from pydebug_agent.reader.stacks import read_stacks
from pydebug_agent.reader.stacks import all_stacks
from pydebug_agent.reader.target import Target
from pydebug_agent.timing import report
from pydebug_agent.timing.memory_sampler import MemorySampler

DEEP = """
import json, sys, threading, time
sys.setrecursionlimit(1_000_000)
threading.stack_size(256 << 20)
ready = threading.Barrier(5)
def waits():
    ready.wait()
    threading.Event().wait()
def runs():
    ready.wait()
    while True: pass
def dive(depth, bottom): return bottom() if not depth else dive(depth - 1, bottom)
def nest(depth):
    if depth: yield from nest(depth - 1)
    else: yield waits()
def ordinary():
    ready.wait()
    while True: time.sleep(1)
for name, target, arguments in (
    ("waits", dive, (25000, waits)), ("runs", dive, (25000, runs)),
    ("nested", lambda depth: list(nest(depth)), (3500,)), ("ordinary", ordinary, ()),
):
    threading.Thread(target=target, args=arguments, name=name, daemon=True).start()
ready.wait()
print(json.dumps(1), flush=True)
threading.Event().wait()
"""

INTERPRETERS = """
import json, os, threading, time
from concurrent import interpreters
begun, begins = os.pipe()
INSIDE = '''
import os
os.write(%d, b"1")
def burn_inside():
    while True: pass
''' % begins + '''
def between(): burn_inside()
between()
'''
WAITING = '''
import os, threading
threading.current_thread()
def wait_inside(): threading.Event().wait()
os.write(%d, b"1")
wait_inside()
''' % begins
TASKS = '''
import asyncio, os
async def nap(): await asyncio.sleep(3600)
async def main():
    os.write(%d, b"1")
    await asyncio.gather(*[asyncio.create_task(nap(), name=name) for name in ("inner-1", "inner-2")])
asyncio.run(main())
''' % begins
def burn_outside():
    while True: pass
def call(code): interpreters.create().exec(code)
for name, target, arguments in (
    ("burns", call, (INSIDE,)), ("waits", call, (WAITING,)), ("tasks", call, (TASKS,)), ("outside", burn_outside, ()),
):
    threading.Thread(target=target, args=arguments, name=name, daemon=True).start()
for _ in range(3): os.read(begun, 1)
time.sleep(0.5)
print(json.dumps(1), flush=True)
while True: time.sleep(3600)
"""

# A program that is a Python, and loads another one as a plug-in would.
PLUGIN = """
import ctypes, json, os, sys, threading, time
library = ctypes.CDLL(sys.argv[1], mode=os.RTLD_NOW | os.RTLD_LOCAL | os.RTLD_DEEPBIND)
def outer():
    while True: time.sleep(3600)
def begin():
    library.Py_InitializeEx(0)
    library.PyRun_SimpleStringFlags(b"import time\\ndef inner():\\n    while True: time.sleep(3600)\\ninner()\\n", None)
if sys.argv[2] == "used":
    threading.Thread(target=begin, name="host", daemon=True).start()
    time.sleep(1)
print(json.dumps(1), flush=True)
outer()
"""

MADE = """
import json, time
class Job:
    def __init__(self, wait):
        if wait: time.sleep(3600)
def make(wait): return Job(wait)
for _ in range(10000): make(False)
print(json.dumps(1), flush=True)
make(True)
"""

GREEN = """
import json, mmap, os, sys, time
kept = []
for name in sys.argv[1:]:
    os.makedirs(os.path.dirname(name), exist_ok=True)
    with open(name, "wb+") as file:
        file.write(bytes(4096))
        file.flush()
        kept.append(mmap.mmap(file.fileno(), 4096, mmap.MAP_PRIVATE, mmap.PROT_READ))
    os.remove(name)
print(json.dumps(1), flush=True)
time.sleep(3600)
"""


def _named(result: Dict[str, Any]) -> Dict[str, Any]:
    return {thread["name"]: thread for thread in result["threads"]}


class Deep(ReaderTest):
    @on_each_python()
    def test_the_innermost_frames_are_there_and_the_others_are_counted(self, python: Python) -> None:
        target = self.start_source(python, DEEP)
        results = [read_stacks(target.pid) for _ in range(3)]
        threads = _named(results[0])
        self.assertEqual({name for name, thread in threads.items() if thread["how"] == "none"}, set())
        for name in ("waits", "runs"):
            frames = [frame["name"] for frame in threads[name]["frames"]]
            self.assertIn(name, frames[:4])
            self.assertEqual(set(frames[4:]), {"dive"})
            self.assertEqual(len(frames), 5000)
            self.assertAlmostEqual(threads[name]["left"] + 5000, 25005, delta=4)
        self.assertEqual((len(threads["nested"]["frames"]), threads["nested"]["left"]), (3508, 0))
        self.assertEqual(names_of(threads["ordinary"])[-1], "ordinary")
        # Of three reads the best: what the machine's other work does to one is not the reader's.
        self.assertLess(min(result["held"] for result in results), 5000)

    @on_each_python(lambda python: python.minor in (9, 13))
    def test_the_memory_sampler_gives_them_their_time(self, python: Python) -> None:
        target = self.start_source(python, DEEP)
        sampler = MemorySampler(Target(target.pid, Proc()))
        sampler.start()
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            sampler.tick()
            time.sleep(sampler.interval)
        content = report.build(sampler.finish(), lambda name: True, 0.0)
        tid = next(row["tid"] for row in content["threads"] if row["name"] == "runs")
        burnt = [entry for entry in content["entries"] if entry["tid"] == tid and entry["reason"] == "cpu"]
        self.assertTrue(burnt)
        for entry in burnt:
            self.assertEqual(content["frames"][entry["frames"][0]].name, "runs")
            self.assertEqual(len(entry["frames"]), 128)
        self.assertGreater(content["truth"]["truncated"], 0)


class Interpreters(ReaderTest):
    @on_each_python(lambda python: python.minor >= 14)
    def test_a_thread_is_one_row_with_the_frames_of_all_its_interpreters(self, python: Python) -> None:
        target = self.start_source(python, INTERPRETERS)
        result = read_stacks(target.pid)
        threads = _named(result)
        self.assertEqual(len(result["threads"]), 5)
        self.assertEqual(names_of(threads["burns"])[3:], [
            "call", "Interpreter.exec", "<module>", "between", "burn_inside"])
        self.assertEqual(names_of(threads["waits"])[3:], [
            "call", "Interpreter.exec", "<module>", "wait_inside", "Event.wait", "Condition.wait"])
        self.assertEqual(threads["waits"]["waitsFor"], "lock")
        self.assertEqual(names_of(threads["outside"])[-1], "burn_outside")
        # Each interpreter has a lock of its own: two that are held at once are no change of hands.
        self.assertEqual([note for note in result["notes"] if "GIL" in note], [])

    @on_each_python(lambda python: python.minor >= 14)
    def test_tasks_of_another_interpreter_are_listed(self, python: Python) -> None:
        target = self.start_source(python, INTERPRETERS)
        tasks: Dict[str, Any] = {}

        def found() -> bool:
            try:
                tasks.update({task["name"]: task for task in tasks_of(target.pid)["tasks"]})
            except AgentError:
                # It is still being imported.
                pass
            return len(tasks) == 3

        wait_until(found)
        self.assertEqual({"inner-1", "inner-2"} - set(tasks), set())
        self.assertEqual([frame["name"] for frame in tasks["inner-1"]["frames"]], ["nap", "sleep"])

    @on_each_python(lambda python: python.minor >= 14)
    def test_the_memory_sampler_books_the_code_that_runs(self, python: Python) -> None:
        target = self.start_source(python, INTERPRETERS)
        sampler = MemorySampler(Target(target.pid, Proc()))
        sampler.start()
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            sampler.tick()
            time.sleep(sampler.interval)
        content = report.build(sampler.finish(), lambda name: True, 0.0)
        names = {row["tid"]: row["name"] for row in content["threads"]}
        leaves: Dict[str, Dict[str, set]] = {}
        for entry in content["entries"]:
            if entry["frames"]:
                leaf = content["frames"][entry["frames"][0]].name
                leaves.setdefault(names[entry["tid"]], {}).setdefault(entry["reason"], set()).add(leaf)
        self.assertEqual(leaves["burns"]["cpu"], {"burn_inside"})
        # It may have waited for its lock: what another interpreter imports is begun in this one.
        self.assertEqual(leaves["outside"]["cpu"], {"burn_outside"})
        self.assertEqual(leaves["waits"]["lock"], {"Condition.wait"})
        self.assertNotIn("lock", {**leaves["burns"], **leaves["outside"]})
        self.assertNotIn("gil", {**leaves["burns"], **leaves["waits"]})


class TwoPythons(ReaderTest):
    def _start(self, how: str) -> Running:
        roots = glob.glob(os.environ.get("PYDEBUG_CACHE", "/var/cache/pydebug") + "/images/uwsgi/rootfs")
        found = [(root, path) for root in roots for path in glob.glob(root + "/usr/lib/*/libpython3.13.so.1.0")]
        if not found:
            self.skipTest("no second Python to load: make the image uwsgi")
        root, library = found[0]
        python = Python("3.13", 13, ["chroot", root, "/usr/bin/python3.13"], root)
        return self.start_source(python, PLUGIN, library[len(root) :], how)

    def test_both_are_read_and_named(self) -> None:
        target = self._start("used")
        wait_until(lambda: Proc().stat(target.pid).state == "S")
        first, second = all_stacks(target.pid)
        self.assertEqual(names_of(_named(first)["MainThread"])[-1], "outer")
        self.assertEqual(names_of(_named(first)["host"])[-1], "begin")
        self.assertEqual([names_of(thread)[-1] for thread in second["threads"]], ["inner"])
        self.assertRegex(first["warnings"][0], r"^It runs 2 Pythons.*python3\.13\).*libpython3\.13\.so")

    def test_memray_is_not_started_in_one_of_them(self) -> None:
        target = self._start("used")
        with Agent() as agent:
            answer = ask(agent, {}, pids=[target.pid], seconds=1)
        self.assertEqual(answer.causes, ["MemrayUnsafe"])
        self.assertEqual(answer.failures[0]["detail"]["reason"], "severalPythons")

    def test_a_library_that_holds_no_interpreter_is_passed_over(self) -> None:
        target = self._start("unused")
        wait_until(lambda: Proc().stat(target.pid).state == "S")
        (result,) = all_stacks(target.pid)
        self.assertEqual(names_of(result["threads"][0])[-1], "outer")
        self.assertEqual(result["warnings"], [])


class Facts(ReaderTest):
    @on_each_python()
    def test_a_stopped_process_is_stopped(self, python: Python) -> None:
        target = self.start(python, "shapes.py")
        os.kill(target.pid, signal.SIGSTOP)
        wait_until(lambda: {Proc().stat(target.pid, "task", tid).state for tid in Proc().threads(target.pid)} == {"T"})
        result = read_stacks(target.pid)
        self.assertEqual({(row["state"], row["waitsFor"]) for row in result["threads"]}, {("stopped", None)})
        self.assertTrue(all(row["frames"] for row in result["threads"]))
        self.assertIn("stopped", result["warnings"][0])
        os.kill(target.pid, signal.SIGCONT)
        wait_until(lambda: Proc().stat(target.pid).state == "S")
        result = read_stacks(target.pid)
        self.assertNotIn("stopped", {row["state"] for row in result["threads"]})
        self.assertEqual(result["warnings"], [])

    @on_each_python(lambda python: python.minor >= 12)
    def test_the_interpreters_own_frame_between_a_class_and_its_init_is_not_shown(self, python: Python) -> None:
        target = self.start_source(python, MADE)
        wait_until(lambda: Proc().stat(target.pid).state == "S")
        (thread,) = read_stacks(target.pid)["threads"]
        names = [frame["name"].rpartition(".")[2] for frame in thread["frames"]]
        self.assertEqual(names, ["__init__", "make", "<module>"])
        self.assertNotIn("__init__", [frame["file"] for frame in thread["frames"]])

    @on_each_python(lambda python: python.minor in (11, 14))
    def test_greenlets_are_said(self, python: Python) -> None:
        own, by = "/tmp/made/greenlet/_greenlet.cpython-313.so", "/tmp/made/gevent/libev/corecext.cpython-313.so"
        for files, kind in (([own], "greenlet"), ([own, by], "gevent"), ([by], None)):
            with self.subTest(files=files):
                target = self.start_source(python, GREEN, *files)
                result = read_stacks(target.pid)
                self.assertEqual(result["greenlets"], kind)
                self.assertEqual([warning.split(":")[0] for warning in result["warnings"]], [] if kind is None else [
                    "It uses greenlets" + ("" if kind == "greenlet" else " of " + kind)])
                self.end_targets()

    @on_each_python()
    def test_the_main_thread_is_named_and_a_nameless_one_is_not_given_the_programs_name(self, python: Python) -> None:
        target = self.start_source(python, NAMELESS)
        threads: List[Dict[str, Any]] = read_stacks(target.pid)["threads"]
        self.assertEqual([(row["name"], row["main"]) for row in threads], [("MainThread", True), (None, False)])


NAMELESS = """
import _thread, json, time
begun = _thread.allocate_lock()
begun.acquire()
def run():
    begun.release()
    while True: time.sleep(3600)
_thread.start_new_thread(run, ())
begun.acquire()
print(json.dumps(1), flush=True)
while True: time.sleep(3600)
"""


class Bystanding(ReaderTest):
    def test_native_threads_that_burn_are_named(self) -> None:
        from pydebug_agent.reader.bystanders import Bystanders, note

        # Whatever they are: to who knows no Python thread, all are native.
        python = next(iter(pythons()), None)
        if python is None:
            self.skipTest("no Python to run")
        target = self.start_source(python, "import json\nprint(json.dumps(1), flush=True)\nwhile True: pass\n")
        others = Bystanders(Proc(), target.pid)
        time.sleep(0.2)
        (busy,) = others.busy(set())
        self.assertRegex(busy, r"^python3\S* \(%d\)$" % target.pid)
        self.assertEqual(others.busy({target.pid}), [])
        self.assertIn("A thread runs no Python", note([busy]))

    @on_each_python(lambda python: python.minor in (9, 13))
    def test_those_that_wait_are_not(self, python: Python) -> None:
        target = self.start(python, "shapes.py")
        self.assertEqual([text for text in read_stacks(target.pid)["warnings"] if "no Python" in text], [])


if __name__ == "__main__":
    unittest.main()
