"""Pythons to read, and processes that run in them."""

from __future__ import annotations

import functools
import glob
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence

AGENT = Path(__file__).resolve().parents[2] / "src" / "agent"
TARGETS = Path(__file__).resolve().parent / "targets"
_ASK = "import sys, sysconfig; print(sys.version_info[1], sysconfig.get_config_var('Py_GIL_DISABLED') or 0)"
EXPECTED_MINORS = (9, 11, 13, 14, 15)
sys.path.insert(0, str(AGENT)) if str(AGENT) not in sys.path else None


class Python(NamedTuple):
    """An interpreter and how it is started; ``root`` is the root filesystem it lives in."""

    label: str
    minor: int
    command: Sequence[str]
    root: str


def cache() -> str:
    """Return where the images made for tests are kept."""
    return os.environ.get("PYDEBUG_CACHE", "/var/cache/pydebug")


def pythons() -> List[Python]:
    """Return the interpreters there are: one a minor from the test images, and all that PYDEBUG_PYTHONS names."""
    found: Dict[str, Python] = {}
    roots = sorted(glob.glob(cache() + "/images/py3*/rootfs")) + sorted(glob.glob(cache() + "/pythons/*"))
    named = [path for path in os.environ.get("PYDEBUG_PYTHONS", "").split(":") if path]
    for path in roots + named:
        python = _at(path)
        if python is not None and (path in named or all(python.minor != other.minor for other in found.values())):
            found.setdefault(python.label, python)
    return sorted(found.values(), key=lambda python: python.minor)


def _at(path: str) -> Optional[Python]:
    if os.path.isdir(path):
        for name in sorted(glob.glob(path + "/usr/bin/python3.*")):
            match = re.fullmatch(r"python3\.(\d+)", os.path.basename(name))
            if match:
                inside = "/usr/bin/" + match.group(0)
                return Python("3.%s" % match.group(1), int(match.group(1)), ["chroot", path, inside], path)
        return None
    try:
        run = subprocess.run(
            [path, "-c", _ASK], stdout=subprocess.PIPE, check=True, timeout=30
        )
    except (OSError, subprocess.SubprocessError):
        return None
    minor, free = run.stdout.split()
    return Python("3.%d%s (%s)" % (int(minor), "t" if free == b"1" else "", path), int(minor), [path], "")


class Running:
    """A target process that has said that it is ready."""

    def __init__(self, process: "subprocess.Popen[bytes]", python: Optional[Python]) -> None:
        self.process = process
        self.python = python
        self.pid = process.pid

    def line(self, seconds: float = 20.0) -> Any:
        """Return the next line of JSON that the target wrote."""
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            raise TimeoutError("the target said nothing for %.0f s" % seconds)
        text = self.process.stdout.readline()
        if not text:
            raise RuntimeError("the target ended with %s" % self.process.wait())
        return json.loads(text)

    def say(self, text: str) -> None:
        """Write a line to the target."""
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()

    def cpu(self) -> float:
        """Return the CPU seconds used."""
        from pydebug_agent.system.proc import Proc

        return Proc().stat(self.pid).cpu

    def end(self) -> None:
        """End the target and all that it started."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


class ReaderTest(unittest.TestCase):
    """Starts targets and ends them."""

    def run(self, result: Optional[unittest.TestResult] = None) -> Optional[unittest.TestResult]:
        self.running: List[Running] = []
        try:
            return super().run(result)
        finally:
            self.end_targets()

    def start(self, python: Python, target: str, *arguments: str) -> Running:
        """Start a program from targets/ and wait until it is ready."""
        return self.start_source(python, (TARGETS / target).read_text(), *arguments)

    def start_source(self, python: Python, source: str, *arguments: str) -> Running:
        """Start a program and wait until its first line came."""
        running = self.start_command([*python.command, "-u", "-c", source, *arguments], python)
        running.ready = running.line()
        return running

    def start_command(self, command: Sequence[str], python: Optional[Python] = None, **options: Any) -> Running:
        """Start any command."""
        # A group of its own: the workers of a server end with it.
        options.setdefault("start_new_session", True)
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)
        running = Running(process, python)
        self.running.append(running)
        return running

    def end_targets(self) -> None:
        """End all targets that were started."""
        while self.running:
            self.running.pop().end()


def on_each_python(wanted: Callable[[Python], bool] = lambda _: True) -> Callable[[Any], Callable[[ReaderTest], None]]:
    """Run a test with each interpreter there is; with none at all it is a loud skip."""

    def decorate(test: Any) -> Callable[[ReaderTest], None]:
        @functools.wraps(test)
        def run(self: ReaderTest) -> None:
            found = [python for python in pythons() if wanted(python)]
            if not found:
                self.skipTest("no Python to read: make the test images, or name some in PYDEBUG_PYTHONS")
            for python in found:
                with self.subTest(python=python.label):
                    test(self, python)
                self.end_targets()

        return run

    return decorate


def wait_until(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Poll a condition until it is true; return its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError("it did not happen within %.0f s" % seconds)
        time.sleep(0.01)


def names_of(thread: Dict[str, Any]) -> List[str]:
    """Return the function names of a thread, outermost first."""
    return [frame["name"] for frame in reversed(thread["frames"])]


def tasks_of(pid: int, **options: Any) -> Dict[str, Any]:
    """Return the tasks of a process's only Python as one result, with their frames and with who waits for whom."""
    from pydebug_agent.reader.tasks import read_tasks

    result: Dict[str, Any] = {"tasks": []}
    for part in read_tasks(pid, **options):
        for task in part["tasks"]:
            places = [part["frames"][number] for number in task["stack"]]
            task["frames"] = [dict(zip(("name", "file", "line"), place)) for place in places]
        result = {**part, "tasks": result["tasks"] + part["tasks"]}
    waiters: Dict[str, List[str]] = {}
    for task in result["tasks"]:
        waiters.setdefault(task["future"], []).append(task["id"])
    known = {task["id"]: task for task in result["tasks"]}
    pairs = set()
    for task in result["tasks"]:
        reached = set(waiters.get(task["id"], ()))
        for link in task["links"]:
            reached.update([link] if link in known else [])
            reached.update(waiters.get(link, ()))
        pairs.update((task["id"], waiter) for waiter in reached)
        pairs.update((child, task["id"]) for child in task["children"] if child in known)
    for task in result["tasks"]:
        task["waiters"] = sorted(waiter for one, waiter in pairs if one == task["id"] != waiter)
        task["waitsFor"] = sorted(one for one, waiter in pairs if waiter == task["id"] != one)
    return result
