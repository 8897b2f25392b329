"""Source that is started inside live interpreters: by every way in, and whatever ends in the middle of it."""

from __future__ import annotations

import ctypes
import json
import multiprocessing
import os
import random
import select
import signal
import struct
import time
import unittest
from pathlib import Path
from typing import Any, Callable, List

from .reader_support import Python, ReaderTest, Running, on_each_python, wait_until

from pydebug_agent.system.errors import AgentError  # noqa: E402
from pydebug_agent.inject import chain, points  # noqa: E402
from pydebug_agent.inject.registers import Unusable  # noqa: E402
from pydebug_agent.inject.remote import Remote  # noqa: E402
from pydebug_agent.inject.start import Script, Starter  # noqa: E402
from pydebug_agent.inject.symbols import Symbols  # noqa: E402
from pydebug_agent.inject.worker import Worker  # noqa: E402
from pydebug_agent.inject.writer import Writer  # noqa: E402
from pydebug_agent.system.proc import Proc  # noqa: E402
from pydebug_agent.reader.memory import Fault, Source  # noqa: E402
from pydebug_agent.reader.target import Target  # noqa: E402
from pydebug_agent.reader.waits import system_calls  # noqa: E402

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
        restarted = lambda: Path(f"/proc/{tid}/syscall").read_text().startswith("219 ")  # noqa: E731
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
        self.assertEqual(running.ready, running.line())  # type: ignore[attr-defined]
        self.assertNotEqual(0, running.ready[0][0])  # type: ignore[attr-defined]

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
        Remote.raise_flag = raise_flag  # type: ignore[method-assign]
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
            Remote.raise_flag = original  # type: ignore[method-assign]

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


class Bytes(Source):
    """Memory that holds the same bytes wherever it is read."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def read(self, address: int, size: int) -> bytes:
        if not self.content:
            raise Fault("nothing there")
        return self.content[:size].ljust(size, b"\0")


class Ending(Source):
    """Code before an instruction."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, address: int, size: int) -> bytes:
        return self._data[-size:]


def in_call(number: int, result: int = -512, **more: int) -> "dict[str, int]":
    """Return the registers of a thread that was interrupted in a system call."""
    found = {name: 0 for name in "rax rdi rsi rdx r10 r8 r9 rip rsp eflags ss".split()}
    found.update(orig_rax=number, rax=result & (1 << 64) - 1, cs=0x33, rip=0x1002, **more)
    return found


class Points(unittest.TestCase):
    CODE = Bytes(b"\x0f\x05")

    def test_a_wait_is_begun_again(self) -> None:
        point = points.find(in_call(0), self.CODE, None)
        registers = point.registers
        self.assertEqual(("read", 0x1000, 0, False), (point.place, registers["rip"], registers["rax"], point.timed))

    def test_a_wait_that_cannot_be_begun_again_ends_as_any_stop_ends_it(self) -> None:
        point = points.find(in_call(232, -4), self.CODE, None)
        self.assertEqual((0x1002, -4 & (1 << 64) - 1), (point.registers["rip"], point.registers["rax"]))

    def test_a_timeout_that_would_start_anew_is_known(self) -> None:
        self.assertTrue(points.find(in_call(7, -516, rdx=1000), self.CODE, None).timed)
        self.assertFalse(points.find(in_call(7, -516, rdx=0xFFFFFFFF), self.CODE, None).timed)
        self.assertFalse(points.find(in_call(230, -514, rsi=1), self.CODE, None).timed)

    def test_a_call_that_was_restarted_is_known_by_its_code(self) -> None:
        point = points.find(in_call(219, -516, rdx=1000), Ending(b"\xb8\x07\0\0\0\x0f\x05"), None)
        self.assertEqual(("poll", 7, True), (point.place, point.registers["rax"], point.timed))

    def test_where_its_code_does_not_tell_it_is_known_by_the_kernels_function(self) -> None:
        code = Ending(b"\x90\x90\x90\x90\x90\x0f\x05")
        there = in_call(219, -516, rdi=1, rdx=1000)
        line = b"219 0x1 0x0 0x3e8 0x0 0x0 0x0 %#x %#x" % (there["rsp"], there["rip"])
        known = (("do_sys_poll", 7), ("hrtimer_nanosleep", 230), ("futex_do_wait", 202), ("ep_poll", None))
        for function, number in known:
            before = points.restarted(line, function)
            if number is None:
                with self.assertRaises(Unusable):
                    points.find(there, code, None, before)
            else:
                self.assertEqual(number, points.find(there, code, None, before).registers["rax"])
        with self.assertRaises(Unusable):
            points.find({**there, "rip": there["rip"] + 8}, code, None, points.restarted(line, "do_sys_poll"))
        self.assertIsNone(points.restarted(b"7 0x1 0x0 0x0 0x0 0x0 0x0 0x1 0x2", "do_sys_poll"))
        self.assertIsNone(points.restarted(b"running", "0"))

    def test_a_call_that_a_stop_would_change_is_not_stopped_first(self) -> None:
        poll, forever = [7, 0x1000, 1, 5000], [7, 0x1000, 1, 0xFFFFFFFF]
        for call, timed, expected in (
            (poll, False, False),
            (poll, True, True),
            (forever, False, True),
            ([219], False, False),
            ([219], True, True),
            ([9, 0, 0, 0], True, False),
        ):
            self.assertEqual(expected, points.may_be_point(call, timed), (call, timed))

    def test_where_a_lock_may_be_held_is_no_point(self) -> None:
        refused: List[Callable[[], Any]] = [
            lambda: points.find(in_call(9), self.CODE, None),  # mmap: the allocator's
            lambda: points.find(in_call(202, rsi=0x80, rdx=2), self.CODE, None),  # a lock inside libc
            lambda: points.find(in_call(271, r10=0x5000), self.CODE, None),  # ppoll with signals of its own
            # Restarted, and not known which or not one of those.
            lambda: points.find(in_call(219), Bytes(b"\x90\x90\x90\x90\x90\x0f\x05"), None),
            lambda: points.find(in_call(219), Bytes(b"\xb8\x09\0\0\0\x0f\x05"), None),
            lambda: points.find(in_call(0), Bytes(b"\x90\x90"), None),
            lambda: points.find(in_call(0), Bytes(b""), None),
            lambda: points.find({**in_call(-1 & (1 << 64) - 1), "rip": 0x5000}, self.CODE, (0x1000, 0x2000)),
            lambda: points.find({**in_call(0), "cs": 0x23}, self.CODE, None),
        ]
        for find in refused:
            with self.assertRaises(Unusable):
                find()

    def test_the_eval_loop_is_one(self) -> None:
        registers = {**in_call(-1 & (1 << 64) - 1), "rip": 0x1500}
        self.assertEqual(points.EVAL_LOOP, points.find(registers, self.CODE, (0x1000, 0x2000)).place)


class Frames(unittest.TestCase):
    def test_the_vector_registers_are_laid_out_as_the_kernel_does(self) -> None:
        sizes = chain.sizes_here()
        self.assertGreaterEqual(sizes.size, 576)
        self.assertEqual(3, sizes.features & 3)
        state = chain.floating(bytes(sizes.size + 4096), sizes)
        self.assertEqual(sizes.size + 4, len(state))
        self.assertEqual(sizes.size, struct.unpack_from("<I", state, 464 + 16)[0])

    def test_a_call_finds_its_stack_aligned_and_the_next_frame_behind_its_return_address(self) -> None:
        sizes = chain.Sizes(7, 832)
        names = "r8 r9 r10 r11 r12 r13 r14 r15 rdi rsi rbp rbx rdx rax rcx rip eflags cs ss".split()
        registers = {name: 7 for name in names}
        registers["rsp"] = 0x7FFF00001234
        calls = [chain.Call(0x1111, (1, 2)), chain.Call(0x2222, ())]
        made = chain.build(calls, 0xABCD, registers, 0, bytes(832), sizes, room=64)
        self.assertLessEqual(made.address + len(made.content), registers["rsp"] - 128 - 64)
        place = made.stack - made.address
        for call in calls:
            stack = struct.unpack_from("<Q", made.content, place + 40 + 15 * 8)[0]
            self.assertEqual(call.function, struct.unpack_from("<Q", made.content, place + 40 + 16 * 8)[0])
            self.assertEqual(8, stack % 16)
            self.assertEqual(0xABCD, struct.unpack_from("<Q", made.content, stack - made.address)[0])
            place = stack + 8 - made.address
        self.assertEqual(registers["rsp"], struct.unpack_from("<Q", made.content, place + 40 + 15 * 8)[0])
        state = struct.unpack_from("<Q", made.content, place + 224)[0]
        self.assertEqual(0, state % 64)

    def test_ctypes_is_as_it_was(self) -> None:
        chain.sizes_here()
        self.assertEqual(0, ctypes.CDLL(None).abs(0))


if __name__ == "__main__":
    unittest.main()
