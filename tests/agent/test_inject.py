"""Source that is started inside live interpreters: by every way in, and whatever ends in the middle of it."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import select
import signal
import time
import unittest
from pathlib import Path
from typing import Any, List

from .reader_support import Python, ReaderTest, Running, on_each_python, wait_until

from pydebug_agent.system.errors import AgentError
from pydebug_agent.inject import points
from pydebug_agent.inject.remote import Remote
from pydebug_agent.inject.start import Script, Starter
from pydebug_agent.inject.symbols import Symbols
from pydebug_agent.inject.worker import Worker
from pydebug_agent.inject.writer import Writer
from pydebug_agent.system.proc import Proc
from pydebug_agent.reader.target import Target
from pydebug_agent.reader.waits import system_calls

_SAY = "import os\nos.write(1, b'\"started\"\\n')"


def worker_of(pid: int) -> "tuple[Worker, List[int]]":
    """Return what makes threads in a process, and the threads to make them through."""
    target = Target(pid, Proc())
    symbols = Symbols(pid, target.memory, target.locator.maps)
    writer = Writer(pid, target.proc)
    worker = Worker(pid, target.proc, target.memory, writer, symbols, lambda: None)
    return worker, [thread.tid for thread in target.threads()]


def has_eval_loop(python: Python) -> bool:
    """Say whether the interpreter evaluates in one function; from 3.14 on it need not."""
    return python.minor < 14


class Injection(ReaderTest):
    def inject(self, running: Running, source: str = _SAY) -> Any:
        worker, tids = worker_of(running.pid)
        made = worker.make(tids)
        worker.run(made.tid, source)
        worker.close()
        return made

    def counts(self, running: Running) -> Any:
        running.say("?")
        return running.line()

    def threads(self, running: Running) -> int:
        return len(os.listdir(f"/proc/{running.pid}/task"))

    @on_each_python()
    def test_an_idle_process_runs_the_source_and_goes_back_to_its_wait(self, python: Python) -> None:
        running = self.start_source(
            python, "import time\nprint('\"ready\"', flush=True)\ntime.sleep(1.5)\nprint(round(time.monotonic(), 3))"
        )
        begun = time.monotonic()
        for _ in range(5):
            made = self.inject(running)
            self.assertIn(made.place, ("select", "clock_nanosleep"))
            self.assertEqual("started", running.line())
        wait_until(lambda: self.threads(running) == 1)
        # It slept to the end and no longer, as if nobody had been there.
        self.assertLess(abs(running.line() - begun - 1.5), 0.9)

    @on_each_python(has_eval_loop)
    def test_a_process_that_never_waits_computes_on_without_a_mistake(self, python: Python) -> None:
        running = self.start(python, "arithmetic.py", "busy")
        places = []
        for _ in range(20):
            places.append(self.inject(running).place)
            self.assertEqual("started", running.line())
        # It waits for the GIL where the source that went before still has it.
        self.assertLessEqual(set(places), {points.EVAL_LOOP, "futex"})
        self.assertIn(points.EVAL_LOOP, places)
        before = running.cpu()
        wait_until(lambda: running.cpu() > before + 0.2)
        self.assertIsNone(running.process.poll())

    @on_each_python()
    def test_signals_that_arrive_meanwhile_are_delivered(self, python: Python) -> None:
        running = self.start(python, "arithmetic.py", "idle")
        before = self.counts(running)["signals"]
        sent = 0
        for _ in range(20):
            os.kill(running.pid, signal.SIGUSR1)
            sent += 1
            self.inject(running)
            self.assertEqual("started", running.line())
            expected = before + sent
            wait_until(lambda: self.counts(running)["signals"] == expected)
        self.assertGreater(self.counts(running)["rounds"], 0)

    @on_each_python()
    def test_a_thread_alone_that_waits_with_a_timeout(self, python: Python) -> None:
        running = self.start_source(
            python,
            "import json, socket, time\nleft, right = socket.socketpair()\nleft.settimeout(3)\n"
            "print('\"ready\"', flush=True)\nbegun = time.monotonic()\ntry: left.recv(1)\n"
            "except OSError: print(json.dumps(time.monotonic() - begun), flush=True)\ntime.sleep(99)",
        )
        for _ in range(2):
            self.assertEqual("poll", self.inject(running).place)
            self.assertEqual("started", running.line())
        waited = running.line()
        # Not interrupted, and its timeout began anew.
        self.assertTrue(3 <= waited < 20, waited)

    @on_each_python()
    def test_a_wait_with_a_timeout_that_an_earlier_stop_left_restarted(self, python: Python) -> None:
        running = self.start_source(
            python,
            "import socket\nleft, right = socket.socketpair()\nleft.settimeout(60)\n"
            "print('\"ready\"', flush=True)\nleft.recv(1)",
        )
        worker, (tid,) = worker_of(running.pid)
        restarted = lambda: Path(f"/proc/{tid}/syscall").read_text().startswith("219 ")
        wait_until(lambda: Path(f"/proc/{tid}/syscall").read_text().startswith("7 "))
        worker.hold(tid, lambda: None)
        wait_until(restarted)
        self.assertEqual("poll", self.inject(running).place)
        self.assertEqual("started", running.line())

    @on_each_python()
    def test_what_a_thread_has_set_stays(self, python: Python) -> None:
        running = self.start_source(
            python,
            "import ctypes, faulthandler, json, signal, struct, sys\nfaulthandler.enable()\n"
            "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])\n"
            "def own():\n    stack = ctypes.create_string_buffer(24)\n    ctypes.CDLL(None).sigaltstack(None, stack)\n"
            "    return [struct.unpack('<QiiQ', stack.raw), sorted(signal.pthread_sigmask(signal.SIG_BLOCK, []))]\n"
            "print(json.dumps(own()), flush=True)\nsys.stdin.readline()\nprint(json.dumps(own()), flush=True)\n"
            "sys.stdin.readline()",
        )
        self.assertEqual("read", self.inject(running).place)
        self.assertEqual("started", running.line())
        running.say("?")
        self.assertEqual(running.ready, running.line())
        self.assertNotEqual(0, running.ready[0][0])

    @on_each_python()
    def test_the_death_of_the_injector_at_any_moment_harms_nobody(self, python: Python) -> None:
        running = self.start(python, "arithmetic.py", "idle")
        context = multiprocessing.get_context("fork")
        moment = random.Random(python.minor)
        for _ in range(25):
            child = context.Process(target=_inject_again_and_again, args=(running.pid,))
            child.start()
            time.sleep(0.05 + moment.random() * 0.1)
            assert child.pid is not None
            os.kill(child.pid, signal.SIGKILL)
            child.join()
            self.assertIsNone(running.process.poll(), "the target ended")
        self.inject(running)
        said = Said(running)
        self.assertEqual("started", said.next())
        first = said.answer()["rounds"]
        wait_until(lambda: said.answer()["rounds"] > first + 5)
        with open(f"/proc/{running.pid}/status", encoding="ascii") as file:
            self.assertIn("TracerPid:\t0", file.read())

    @on_each_python()
    def test_a_stopped_process_is_left_alone(self, python: Python) -> None:
        running = self.start(python, "arithmetic.py", "idle")
        os.kill(running.pid, signal.SIGSTOP)
        wait_until(lambda: Proc().stat(running.pid).state == "T")
        with self.assertRaises(AgentError) as caught:
            Starter(Target(running.pid, Proc()), lambda: None)
        self.assertEqual(("MemrayUnsafe", "stopped"), (caught.exception.cause, caught.exception.detail["reason"]))
        os.kill(running.pid, signal.SIGCONT)

    @on_each_python()
    def test_a_script_starts_the_way_the_version_has(self, python: Python) -> None:
        for mode in ("idle", "busy"):
            running = self.start(python, "arithmetic.py", mode)
            if mode == "idle":
                wait_until(lambda: _waits(running.pid))
            path = f"{python.root}/tmp/pydebug-test-{os.getpid()}.py"
            marker = f"/tmp/pydebug-test-{os.getpid()}.started"
            self.addCleanup(_remove, path)
            self.addCleanup(_remove, python.root + marker)
            text = f"import os\nos.close(os.open({marker!r}, os.O_CREAT | os.O_WRONLY))\n"
            with open(path, "w", encoding="ascii") as file:
                file.write(text)
            starter = Starter(Target(running.pid, Proc()), lambda: None)
            shown = path[len(python.root) :]
            script = Script(text, lambda: shown, lambda: os.path.exists(python.root + marker), lambda: False)
            started = starter.start(script, 10.0)
            starter.close()
            _remove(python.root + marker)
            expected = "remote-debugging" if python.minor >= 14 and mode == "busy" else "thread"
            self.assertEqual(expected, started.how)
            self.assertIsNone(running.process.poll())

    @on_each_python(lambda python: python.minor >= 14)
    def test_an_asyncio_loop_that_waits_is_woken(self, python: Python) -> None:
        running = self.start_source(
            python,
            "import asyncio\nasync def main():\n    print('\"ready\"', flush=True)\n    await asyncio.sleep(1000)\n"
            "asyncio.run(main())",
        )
        wait_until(lambda: _waits(running.pid))
        path = f"{python.root}/tmp/pydebug-test-{os.getpid()}.py"
        self.addCleanup(_remove, path)
        with open(path, "w", encoding="ascii") as file:
            file.write(_SAY)
        answers: List[Any] = []

        def answered() -> bool:
            if not answers and _readable(running):
                answers.append(running.line())
            return bool(answers)

        starter = Starter(Target(running.pid, Proc()), lambda: None)
        started = starter.start(
            Script(_SAY, lambda: path[len(python.root) :], answered, lambda: False), 10.0
        )
        self.assertEqual(("remote-debugging", "epoll_wait"), (started.how, started.place))

    @on_each_python(lambda python: python.minor >= 14)
    def test_its_flags_are_written_while_it_stands_and_only_where_it_does_not_look_by_itself(
        self, python: Python
    ) -> None:
        # Whatever sets another flag between reading and writing, such as a signal that arrives, would be lost.
        original, states = Remote.raise_flag, []

        def raise_flag(remote: Remote, thread: Any) -> None:
            states.append(Proc().stat(thread.tid).state)
            original(remote, thread)

        path = f"{python.root}/tmp/pydebug-test-{os.getpid()}.py"
        self.addCleanup(_remove, path)
        with open(path, "w", encoding="ascii") as file:
            file.write(_SAY)
        Remote.raise_flag = raise_flag
        try:
            for threads, expected in ((1, {"t"}), (3, set())):
                running = self.start_source(
                    python,
                    "import sys, threading\ndef burn():\n    while True: pass\n"
                    f"for _ in range({threads - 1}): threading.Thread(target=burn, daemon=True).start()\n"
                    "print('\"ready\"', flush=True)\nburn()",
                )
                starter = Starter(Target(running.pid, Proc()), lambda: None)
                script = Script(_SAY, lambda: path[len(python.root) :], lambda: _readable(running), lambda: False)
                self.assertEqual("remote-debugging", starter.start(script, 10.0).how)
                starter.close()
                self.assertEqual(expected, set(states))
                states.clear()
        finally:
            Remote.raise_flag = original

    @on_each_python(lambda python: python.minor >= 14)
    def test_a_process_that_forbids_it_is_left_alone(self, python: Python) -> None:
        running = self.start_command(
            [*python.command, "-X", "disable-remote-debug", "-c", "print(1, flush=True)\nimport time\ntime.sleep(99)"],
            python,
        )
        running.line()
        with self.assertRaises(AgentError) as caught:
            Starter(Target(running.pid, Proc()), lambda: None)
        self.assertEqual("remoteDebugOff", caught.exception.detail["reason"])


class Said:
    """What a target says, where it may say much at once."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._buffer = b""

    def next(self) -> Any:
        """Return the next thing said."""
        assert self._running.process.stdout is not None
        descriptor = self._running.process.stdout.fileno()
        while b"\n" not in self._buffer:
            if not select.select([descriptor], [], [], 20)[0]:
                raise TimeoutError("the target said nothing")
            self._buffer += os.read(descriptor, 1 << 16)
        line, self._buffer = self._buffer.split(b"\n", 1)
        return json.loads(line)

    def answer(self) -> Any:
        """Ask, and return the answer."""
        self._running.say("?")
        while True:
            said = self.next()
            if isinstance(said, dict):
                return said
            assert said == "started", said


def _waits(pid: int) -> bool:
    """Say whether a process's first thread has come to the call in which it waits for what nobody sends."""
    word = Path(f"/proc/{pid}/syscall").read_text().split()[0]
    return word.isdigit() and system_calls().get(int(word), "").startswith(("read", "epoll"))


def _readable(running: Running) -> bool:
    return bool(select.select([running.process.stdout], [], [], 0)[0])


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def _inject_again_and_again(pid: int) -> None:
    while True:
        worker, tids = worker_of(pid)
        worker.run(worker.make(tids).tid, _SAY)


if __name__ == "__main__":
    unittest.main()
