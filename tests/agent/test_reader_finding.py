"""Finding the interpreter wherever it hides, and saying why there is none to read."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import unittest
from typing import Any, List, Optional
from unittest import mock

from .reader_support import AGENT, Python, ReaderTest, Running, names_of, on_each_python, wait_until

from pydebug_agent.system.errors import AgentError
from pydebug_agent.system.proc import Proc
from pydebug_agent.reader import locate
from pydebug_agent.reader.stacks import read_stacks
from pydebug_agent.reader.elf import Image

SLEEPER = "import json, time\ndef waits():\n    print(json.dumps('ready'), flush=True)\n    time.sleep(3600)\nwaits()\n"
_TRACEME, _CONT, _DETACH = 0, 7, 17


def no_symbol(self: Image, name: str) -> Optional[int]:
    """An image that exports nothing, as a stripped static one."""
    return None


class Finding(ReaderTest):
    def _reads(self, target: Running) -> Any:
        wait_until(lambda: Proc().stat(target.pid).state == "S")
        result = read_stacks(target.pid)
        self.assertEqual(names_of(result["threads"][0]), ["<module>", "waits"])
        return result

    @on_each_python()
    def test_the_exported_symbol_is_found(self, python: Python) -> None:
        result = self._reads(self.start_source(python, SLEEPER))
        self.assertEqual(result["found"], "exported symbol")
        self.assertTrue(result["version"].startswith("3.%d." % python.minor), result["version"])

    @on_each_python()
    def test_without_any_symbol_the_memory_tells(self, python: Python) -> None:
        target = self.start_source(python, SLEEPER)
        no_table = mock.patch.object(locate, "symbol_in_file", lambda *_: None)
        with mock.patch.object(Image, "symbol", no_symbol), no_table:
            result = self._reads(target)
        self.assertEqual(result["found"], "cookie in memory" if python.minor >= 13 else "scan of writable data")
        self.assertTrue(result["version"].startswith("3.%d." % python.minor), result["version"])

    @on_each_python()
    def test_a_deleted_binary_is_read_all_the_same(self, python: Python) -> None:
        inside = "/tmp/pydebug-deleted-%d" % os.getpid()
        outside = (python.root or "") + inside
        program = python.command[-1]
        shutil.copy((python.root or "") + program, outside)
        home = "/usr" if python.root else os.path.dirname(os.path.dirname(program))
        try:
            command = [*python.command[:-1], inside, "-c", SLEEPER]
            target = self.start_command(command, python, env={"PYTHONHOME": home, "PATH": os.environ["PATH"]})
            target.line()
        finally:
            os.unlink(outside)
        self.assertIn("(deleted)", Proc().text(target.pid, "maps"))
        self._reads(target)

    @on_each_python()
    def test_a_python_that_is_just_starting_says_so(self, python: Python) -> None:
        # Traced, it stops at the end of exec: the image is there, the interpreter is not.
        ptrace = ctypes.CDLL(None).ptrace
        command = [*python.command, "-c", SLEEPER]
        target = self.start_command(command, python, preexec_fn=lambda: ptrace(_TRACEME, 0, 0, 0))
        os.waitpid(target.pid, 0)
        if python.root:
            # That was chroot's; the next is Python's.
            ptrace(_CONT, target.pid, 0, 0)
            os.waitpid(target.pid, 0)
        with self.assertRaises(AgentError) as caught:
            read_stacks(target.pid)
        self.assertEqual(caught.exception.cause, "PythonStarting")
        ptrace(_DETACH, target.pid, 0, 0)
        target.line()
        self._reads(target)

    def test_a_process_without_python_says_so(self) -> None:
        target = self.start_command(["sleep", "60"])
        self.assertEqual(self._cause(target.pid), "NoPython")

    def test_pypy_is_told_apart(self) -> None:
        path = "/tmp/pypy3-%d" % os.getpid()
        shutil.copy(shutil.which("sleep") or "/bin/sleep", path)
        self.addCleanup(os.unlink, path)
        target = self.start_command([path, "60"])
        wait_until(lambda: Proc().stat(target.pid).state == "S")
        self.assertEqual(self._cause(target.pid), "NotCPython")

    def test_a_process_that_is_gone_says_so(self) -> None:
        ended = subprocess.Popen(["true"])
        ended.wait()
        self.assertEqual(self._cause(ended.pid), "ProcessGone")

    @on_each_python()
    def test_a_process_that_ends_while_it_is_read_says_so(self, python: Python) -> None:
        target = self.start_source(python, SLEEPER)
        real = locate.Locator.find

        def kills(self: Any) -> Any:
            found = real(self)
            os.kill(target.pid, signal.SIGKILL)
            wait_until(lambda: not Proc().exists(target.pid))
            return found

        with mock.patch.object(locate.Locator, "find", kills):
            self.assertEqual(self._cause(target.pid), "ProcessGone")

    def test_another_users_process_without_the_capability_is_refused_with_the_cause(self) -> None:
        if os.geteuid() != 0 or not os.path.exists("/usr/bin/python3"):
            self.skipTest("needs root and /usr/bin/python3")
        target = self.start_source(Python("this", 0, [sys.executable], ""), SLEEPER)
        program = (
            "import sys; sys.path.insert(0, sys.argv[1])\nfrom pydebug_agent.reader.stacks import read_stacks\n"
            "from pydebug_agent.system.errors import AgentError\n"
            "try: read_stacks(int(sys.argv[2]))\n"
            "except AgentError as error: print(error.cause, error.detail['found'])\n"
        )
        copy = "/tmp/pydebug-agent-%d" % os.getpid()
        shutil.copytree(str(AGENT), copy, ignore=shutil.ignore_patterns("__pycache__"))
        self.addCleanup(shutil.rmtree, copy)
        command = ["setpriv", "--reuid=65534", "--clear-groups", "/usr/bin/python3", "-I", "-B", "-c", program]
        run = subprocess.run([*command, copy, str(target.pid)], stdout=subprocess.PIPE, timeout=60)
        self.assertEqual(run.stdout.decode().split(), ["PtraceDenied", "uid"])

    def _cause(self, pid: int) -> str:
        with self.assertRaises(AgentError) as caught:
            read_stacks(pid)
        self.assertEqual(caught.exception.pid, pid)
        return caught.exception.cause


class OnEveryPython(ReaderTest):
    @on_each_python(lambda python: bool(python.root))
    def test_the_reader_runs_on_the_python_it_reads(self, python: Python) -> None:
        target = self.start(python, "shapes.py")
        wait_until(lambda: Proc().stat(target.pid).state == "S")
        program = (
            "import json, sys; sys.path.insert(0, '/dev/shm')\nfrom pydebug_agent.reader.stacks import read_stacks\n"
            "print(json.dumps(read_stacks(int(sys.argv[1]))))"
        )
        run = subprocess.run(
            [*inside(python.root), python.command[-1], "-I", "-S", "-B", "-c", program, str(target.pid)],
            stdout=subprocess.PIPE, check=True, timeout=120)
        there, here = json.loads(run.stdout), read_stacks(target.pid)
        self.assertEqual([_without_cpu(thread) for thread in there["threads"]],
                         [_without_cpu(thread) for thread in here["threads"]])

    @on_each_python(lambda python: bool(python.root) and python.minor >= 11)
    def test_tasks_too(self, python: Python) -> None:
        target = self.start(python, "tasks.py", "20")
        program = (
            "import json, sys; sys.path.insert(0, '/dev/shm')\nfrom pydebug_agent.reader.tasks import read_tasks\n"
            "print(json.dumps(list(read_tasks(int(sys.argv[1])))[0]))"
        )
        run = subprocess.run(
            [*inside(python.root), python.command[-1], "-I", "-S", "-B", "-c", program, str(target.pid)],
            stdout=subprocess.PIPE, check=True, timeout=120)
        names = {task["name"] for task in json.loads(run.stdout)["tasks"]}
        self.assertEqual(sorted(set(target.ready) - names), [])


def inside(root: str) -> List[str]:
    """Return the command that runs another in a root, with /proc, /dev and the agent mounted for it alone."""
    for name in ("proc", "dev"):
        os.makedirs(os.path.join(root, name), exist_ok=True)
    script = (
        'mount --bind /proc "$0/proc" && mount --rbind /dev "$0/dev" && mount --bind "$1" "$0/dev/shm" '
        '&& root="$0" && shift && exec chroot "$root" "$@"'
    )
    return ["unshare", "--mount", "sh", "-c", script, root, str(AGENT)]


def _without_cpu(thread: Any) -> Any:
    return {name: value for name, value in thread.items() if name != "cpu"}


if __name__ == "__main__":
    unittest.main()
