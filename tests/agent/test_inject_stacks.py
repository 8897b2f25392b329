"""Threads that wait where it would be harmful to send them elsewhere: they are told by what is on their stacks."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from typing import List

from .reader_support import TARGETS, Python, ReaderTest, Running, on_each_python, wait_until

from pydebug_agent.system.errors import AgentError
from pydebug_agent.inject.registers import Stopper
from pydebug_agent.inject.symbols import Symbols
from pydebug_agent.inject.unwind import Frame, Unwinder
from pydebug_agent.inject.worker import Worker
from pydebug_agent.inject.writer import Writer
from pydebug_agent.system.proc import Proc
from pydebug_agent.reader.memory import Gone, Memory
from pydebug_agent.reader.target import Target


class Stacks(ReaderTest):
    def worker(self, pid: int) -> Worker:
        target = Target(pid, Proc())
        writer = Writer(pid, target.proc)
        symbols = Symbols(pid, target.memory, target.locator.maps)
        worker = Worker(pid, target.proc, target.memory, writer, symbols, lambda: None)
        self.addCleanup(worker.close)
        return worker

    def assert_refused(self, running: Running, reason: str) -> None:
        wait_until(lambda: Proc().read(running.pid, "syscall").split()[0].isdigit())
        before = Proc().read(running.pid, "syscall").split()[-2:]
        with self.assertRaises(AgentError) as caught:
            self.worker(running.pid).make([running.pid])
        self.assertEqual(("MemrayUnsafe", "noSafePoint"), (caught.exception.cause, caught.exception.detail["reason"]))
        self.assertIn(reason, caught.exception.message)
        # It waits on, where it was.
        wait_until(lambda: Proc().stat(running.pid).state == "S")
        self.assertEqual(before, Proc().read(running.pid, "syscall").split()[-2:])
        self.assertIsNone(running.process.poll())

    # From 3.14 on an interpreter knows the bounds of its stacks, and runs on no others.
    @on_each_python(lambda python: python.minor < 14)
    def test_a_coroutine_in_the_middle_of_the_heap(self, python: Python) -> None:
        running = self.start(python, "coroutine.py", str(256 << 10))
        self.assert_refused(running, "it is not on the stack that it was given")

    @on_each_python()
    def test_a_handler_of_a_signal(self, python: Python) -> None:
        for stack in ("thread's", "own"):
            running = self.start_source(
                python,
                "import ctypes, signal, sys, time\nlibc = ctypes.CDLL(None)\n"
                "@ctypes.CFUNCTYPE(None, ctypes.c_int)\ndef handle(_):\n"
                "    print('\"handles\"', flush=True)\n    ctypes.CDLL(None).sleep(600)\n"
                "if sys.argv[1] == 'own':\n    import faulthandler\n    faulthandler.enable()\n"
                "libc.signal(signal.SIGUSR1, handle)\nprint('\"ready\"', flush=True)\n"
                "while True: time.sleep(600)",
                stack,
            )
            wait_until(lambda: Proc().stat(running.pid).state == "S")
            os.kill(running.pid, signal.SIGUSR1)
            self.assertEqual("handles", running.line())
            self.assert_refused(running, "it handles a signal")

    @on_each_python()
    def test_a_library_that_is_being_loaded(self, python: Python) -> None:
        folder = tempfile.mkdtemp(prefix="pydebug-test-", dir=f"{python.root}/tmp")
        self.addCleanup(shutil.rmtree, folder)
        os.mkfifo(f"{folder}/slow.so")
        # Somebody has to hold it open, or to open it would be what waits.
        held = os.open(f"{folder}/slow.so", os.O_RDWR)
        self.addCleanup(os.close, held)
        running = self.start_source(
            python,
            "import ctypes, sys\nlibc = ctypes.CDLL(None)\nprint('\"ready\"', flush=True)\n"
            "libc.dlopen(sys.argv[1].encode(), 2)",
            f"{folder[len(python.root):]}/slow.so",
        )
        wait_until(lambda: Proc().read(running.pid, "syscall").startswith(b"0 "))
        self.assert_refused(running, "it is loading a library")

    @on_each_python()
    def test_an_allocator_that_waits_under_a_lock_of_its_own(self, python: Python) -> None:
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            raise unittest.SkipTest("there is no C compiler (package gcc)")
        folder = tempfile.mkdtemp(prefix="pydebug-test-", dir=f"{python.root}/tmp")
        self.addCleanup(shutil.rmtree, folder)
        # For the oldest C library of the images, too.
        flags = ["-O2", "-fPIC", "-shared", "-fno-builtin", "-nostdlib", "-nodefaultlibs"]
        command = [compiler, *flags, "-o", f"{folder}/slow.so", str(TARGETS / "slow_allocator.c")]
        subprocess.run(command, check=True)
        # Only what runs in the root finds it.
        running = self.start_command(
            [*python.command, "-c", "import ctypes\nctypes.CDLL(None).malloc(1234567)"],
            python,
            env={"LD_PRELOAD": f"{folder[len(python.root):]}/slow.so", "PATH": os.environ["PATH"]},
            stderr=subprocess.DEVNULL,
        )
        self.assertEqual("ready", running.line())
        wait_until(lambda: Proc().stat(running.pid).state == "S")
        self.assert_refused(running, "it is allocating memory")

    @on_each_python()
    def test_ordinary_threads_are_followed_to_their_beginning(self, python: Python) -> None:
        running = self.start_source(
            python,
            "import threading, time\ndef deep(left):\n    time.sleep(600) if not left else deep(left - 1)\n"
            "threading.Thread(target=deep, args=(20,), daemon=True).start()\n"
            "print('\"ready\"', flush=True)\nsorted([1], key=lambda _: deep(100))",
        )
        proc, stopper = Proc(), Stopper(30.0)
        unwinder = Unwinder(Memory(running.pid))
        wait_until(lambda: all(proc.stat(running.pid, "task", tid).state == "S" for tid in proc.threads(running.pid)))
        for tid in proc.threads(running.pid):
            maps = proc.maps(running.pid)

            def follow() -> List[Frame]:
                return list(unwinder.frames(stopper.registers(tid), maps))

            for _ in range(2):
                frames, _held = stopper.run(tid, follow)
            self.assertGreater(len(frames), 8)
            self.assertIn("libc", frames[0].path)
            self.assertTrue(any("python" in frame.path for frame in frames))
            # Below it lies what starts programs, and what starts threads.
            last = "python" if tid == running.pid else "libc" if python.minor > 9 else "libc-2.31"
            self.assertIn(last, frames[-1].path)

    @on_each_python()
    def test_nothing_is_written_into_a_program_that_came_after(self, python: Python) -> None:
        running = self.start_source(
            python,
            "import os, sys\nprint('\"ready\"', flush=True)\nsys.stdin.readline()\n"
            "os.execv(sys.executable, [sys.executable, '-c', "
            "'import time; print(1, flush=True); time.sleep(600)'])",
        )
        maps = [entry for entry in Proc().maps(running.pid) if entry.path == "[stack]"]
        writer = Writer(running.pid, Proc())
        self.addCleanup(writer.close)
        writer.write(maps[0].start, Memory(running.pid).read(maps[0].start, 8))
        running.say("go")
        self.assertEqual(1, running.line())
        (stack,) = [entry for entry in Proc().maps(running.pid) if entry.path == "[stack]"]
        before = Memory(running.pid).read(stack.start, 64)
        with self.assertRaises(Gone):
            writer.write(stack.start, bytes(range(64)))
        self.assertEqual(before, Memory(running.pid).read(stack.start, 64))


if __name__ == "__main__":
    unittest.main()
