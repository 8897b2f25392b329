"""Starts a script inside a live CPython, by the way that its version and its threads allow."""

from __future__ import annotations

import time
from typing import Callable, List, NamedTuple, Optional

from .. import errors
from ..reader.frames import Thread
from ..reader.hold import Refused
from ..reader.memory import Fault, Gone
from ..reader.target import Target
from ..reader.waits import called
from .registers import Unusable
from .remote import Remote, is_enabled, support_of
from .symbols import Symbols, libc_of, unsafe
from .worker import Worker

_REMOTE_SECONDS = 1.5
_LATE_SECONDS = 0.1
_EPOLL_WAIT = 232
_MACHINE = "x86_64"


class Started(NamedTuple):
    """How a script was started: the way, the thread that was used, where it was, for how long it stood (us)."""

    how: str
    thread: int
    place: str
    held: float


class Script(NamedTuple):
    """What is to run: a file, as the target sees it, for the interpreter's own way, and a source for our thread.

    ``libraries`` are loaded before, without the GIL. ``answered`` says whether the script has begun.
    """

    path: str
    source: str
    libraries: List[str]
    answered: Callable[[], bool]


class Starter:
    """Starts scripts in one process."""

    def __init__(self, target: Target, check: Callable[[], None]) -> None:
        self._target = target
        self._check = check
        pid = target.pid
        threads = self._threads()
        _check_state(target)
        self._support = support_of(target)
        if self._support is not None and threads and not is_enabled(target, self._support, threads[0]):
            raise unsafe(pid, "remoteDebugOff", "it was started with remote debugging switched off")
        self._worker = Worker(pid, target.proc, target.memory, Symbols(pid, target.memory, target.locator.maps), check)

    def start(self, script: Script, seconds: float) -> Started:
        """Start a script and wait until it has begun."""
        begun = self._by_interpreter(script) if self._support is not None else None
        if begun is None:
            begun = self._by_thread(script)
        if not self._wait(script, seconds):
            raise no_answer(self._target.pid, seconds)
        return begun

    def close(self) -> None:
        """Let go of whatever is still held."""
        self._worker.close()

    def _threads(self) -> List[Thread]:
        """Return the threads of the main interpreter, those that handle signals last."""
        found = [thread for thread in self._target.threads() if thread.tid]
        main = list(self._target.interpreters())[-1]
        return sorted((thread for thread in found if thread.interpreter == main), key=self._is_main)

    def _is_main(self, thread: Thread) -> bool:
        return thread.tid == self._target.pid

    def _by_interpreter(self, script: Script) -> Optional[Started]:
        """Ask a thread that runs, or one whose wait ends when it is touched; None where there is none."""
        assert self._support is not None
        remote = Remote(self._target, self._support)
        threads = self._threads()
        running = [thread for thread in threads if self._state(thread) == "R"]
        waiting = [thread for thread in threads if self._call(thread) == _EPOLL_WAIT]
        for thread in (running + waiting)[:3]:
            self._check()
            place, held = "running", 0.0
            if not remote.ask(thread, script.path):
                continue
            if thread in waiting:
                place = "epoll_wait"
                held = self._worker.touch(thread.tid)
            if self._wait(script, _REMOTE_SECONDS):
                return Started("remote-debugging", thread.tid, place, held)
            try:
                remote.take_back(thread)
            except (Fault, Gone, Unusable):
                # Its state went with the thread.
                continue
            if self._wait(script, _LATE_SECONDS):
                return Started("remote-debugging", thread.tid, place, held)
        return None

    def _by_thread(self, script: Script) -> Started:
        tids = [thread.tid for thread in self._threads()]
        if not tids:
            raise unsafe(self._target.pid, "noSafePoint", "none of its threads runs Python")
        made = self._worker.make(tids)
        try:
            self._worker.run(made.tid, script.libraries, script.source)
        except (Unusable, Refused, Gone) as error:
            # It goes back to sleep, wakes and ends by itself.
            raise unsafe(self._target.pid, "kernel", f"the thread that was made could not be used ({error})") from error
        return Started("thread", made.through, made.place, made.held)

    def _wait(self, script: Script, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while not script.answered():
            if time.monotonic() > until:
                return False
            self._check()
            if not self._target.proc.exists(self._target.pid):
                raise errors.AgentError(
                    errors.PROCESS_GONE, f"Process {self._target.pid} is gone.", self._target.pid
                )
            time.sleep(0.001)
        return True

    def _state(self, thread: Thread) -> str:
        try:
            return self._target.proc.stat(self._target.pid, "task", thread.tid).state
        except (OSError, ValueError):
            return ""

    def _call(self, thread: Thread) -> Optional[int]:
        try:
            words = called(self._target.proc.read(self._target.pid, "task", thread.tid, "syscall", limit=512))
        except OSError:
            return None
        return words[0] if words else None


def no_answer(pid: int, seconds: float) -> errors.AgentError:
    """Return the failure of a target in which the script did not begin in time."""
    return errors.AgentError(
        errors.MEMRAY_NO_ANSWER,
        f"Process {pid} did not begin to track within {seconds:g} s: another thread of it may hold the GIL. "
        "What was asked of it has been taken back.",
        pid,
        {"seconds": seconds},
    )


def _check_state(target: Target) -> None:
    """Raise where the process as a whole is not to be touched."""
    import os

    pid, proc = target.pid, target.proc
    machine = os.uname().machine
    if machine != _MACHINE:
        raise unsafe(pid, "kernel", f"this is done and proven on {_MACHINE} alone, not on {machine}")
    if target.layout.free_threaded:
        raise unsafe(pid, "symbols", "its Python has no GIL")
    if libc_of(target.locator.maps) != "glibc":
        raise unsafe(pid, "static", "it has no glibc")
    for tid in proc.threads(pid):
        try:
            status = proc.status(pid, "task", tid)
        except OSError:
            continue
        tracer = int(status.get("TracerPid", "0"))
        if tracer:
            raise errors.AgentError(
                errors.PROCESS_TRACED,
                f"Process {pid} is being traced by process {tracer}, a debugger or profiler.",
                pid,
                {"tracer": tracer, "what": "ptrace"},
            )
        if status.get("State", "")[:1] in ("T", "t"):
            raise unsafe(pid, "stopped", "it is stopped (SIGSTOP or a debugger)")
        if "shstk" in status.get("x86_Thread_features", "").split():
            raise unsafe(pid, "shadowStack", "its processor keeps a shadow stack of it")
