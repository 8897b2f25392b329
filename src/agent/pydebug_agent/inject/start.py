"""Starts a script inside a live CPython, by the way that its version and its threads allow."""

from __future__ import annotations

import time
from typing import Callable, List, NamedTuple, Optional

from .. import wire
from ..reader.frames import Thread
from ..reader.hold import Refused
from ..reader.memory import Fault, Gone
from ..reader.target import Target
from ..reader.waits import called
from ..system import errors
from .libraries import libc_of
from .registers import Unusable
from .remote import Remote, is_enabled, support_of
from .symbols import Symbols, unsafe
from .worker import Worker
from .writer import Writer

_OWN_SECONDS = 0.15
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
    """What is to run: a source for a thread of ours, and the path of another for the interpreter's own way.

    ``shown`` returns that path. ``answered`` says whether a thread of ours has begun. ``refused`` says whether one of
    the application's has run the script and could start none.
    """

    source: str
    shown: Callable[[], str]
    answered: Callable[[], bool]
    refused: Callable[[], bool]


class Starter:
    """Starts scripts in one process."""

    def __init__(self, target: Target, check: Callable[[], None]) -> None:
        self._target = target
        self._check = check
        pid = target.pid
        # Whatever was read of it before was of the program that it runs now, or nothing of the following fits.
        self._writer = _writer_of(target)
        try:
            threads = self._threads()
            _check_state(target)
            self._support = support_of(target)
            if self._support is not None and threads and not is_enabled(target, self._support, threads[0]):
                raise unsafe(pid, "remoteDebugOff", "it was started with remote debugging switched off")
            symbols = Symbols(pid, target.memory, target.locator.maps)
            self._worker = Worker(pid, target.proc, target.memory, self._writer, symbols, check)
        except BaseException:
            self._writer.close()
            raise

    def start(self, script: Script, seconds: float) -> Started:
        """Start a script and wait until it has begun."""
        begun = self._by_interpreter(script) if self._support is not None else None
        if begun is None:
            begun = self._by_thread(script)
        if not self._wait(script, seconds):
            raise errors.AgentError(
                wire.MEMRAY_NO_ANSWER,
                f"Process {self._target.pid} did not begin to track within {seconds:g} s: another thread of it may "
                "hold the GIL.",
                self._target.pid,
                {"seconds": seconds},
            )
        return begun

    def load(self, tid: int, libraries: List[str]) -> None:
        """Let a thread of ours that waits for a word load libraries, without the GIL."""
        try:
            self._worker.load(tid, libraries)
        except (Unusable, Refused) as error:
            raise unsafe(self._target.pid, "kernel", f"its libraries could not be loaded ({error})") from error
        except Gone as error:
            raise _gone(self._target.pid) from error

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
        remote = Remote(self._target, self._support, self._writer)
        threads = self._threads()
        running = [thread for thread in threads if self._state(thread) == "R"]
        waiting = [thread for thread in threads if self._call(thread) == _EPOLL_WAIT]
        for thread in (running + waiting)[:3]:
            self._check()
            place, held = "running", 0.0
            try:
                if not remote.leave(thread, script.shown()):
                    continue
                if thread in waiting:
                    # A stop ends this wait, and behind it the thread looks.
                    place, held = "epoll_wait", self._worker.hold(thread.tid, lambda: None)
                # So it does whenever it lets go of the GIL, collects or handles a signal.
                if not self._wait(script, _OWN_SECONDS, script.refused) and not script.refused():
                    held += self._worker.hold(thread.tid, lambda: remote.raise_flag(thread))
            except (Refused, Gone, Unusable):
                self._take_back(remote, thread)
                continue
            if self._wait_taken(script, remote, thread):
                return Started("remote-debugging", thread.tid, place, held)
            if script.refused():
                return None
        return None

    def _wait_taken(self, script: Script, remote: Remote, thread: Thread) -> bool:
        """Wait until a script that was left with a thread has begun; take it back where it does not."""
        if self._wait(script, _REMOTE_SECONDS, script.refused):
            return True
        self._take_back(remote, thread)
        return self._wait(script, _LATE_SECONDS)

    @staticmethod
    def _take_back(remote: Remote, thread: Thread) -> None:
        try:
            remote.take_back(thread)
        except (Fault, Gone, Unusable):
            # Its state went with the thread.
            pass

    def _by_thread(self, script: Script) -> Started:
        tids = [thread.tid for thread in self._threads()]
        if not tids:
            raise unsafe(self._target.pid, "noSafePoint", "none of its threads runs Python")
        made = self._worker.make(tids)
        try:
            self._worker.run(made.tid, script.source)
        except (Unusable, Refused, Gone) as error:
            # It goes back to sleep, wakes and ends by itself.
            raise unsafe(self._target.pid, "kernel", f"the thread that was made could not be used ({error})") from error
        return Started("thread", made.through, made.place, made.held)

    def _wait(self, script: Script, seconds: float, refused: Callable[[], bool] = lambda: False) -> bool:
        until = time.monotonic() + seconds
        while not script.answered():
            if time.monotonic() > until or refused():
                return False
            self._check()
            if not self._target.proc.exists(self._target.pid):
                raise _gone(self._target.pid)
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


def _gone(pid: int) -> errors.AgentError:
    return errors.AgentError(wire.PROCESS_GONE, f"Process {pid} is gone.", pid)


def _writer_of(target: Target) -> Writer:
    """Return what writes into a process, whose maps are read anew then: they must be those that it was found by."""
    try:
        writer = Writer(target.pid, target.proc)
    except Gone as error:
        raise _gone(target.pid) from error
    except Refused as error:
        raise unsafe(target.pid, "kernel", str(error)) from error
    programs = [
        {(entry.start, entry.inode, entry.path) for entry in maps if "x" in entry.permissions and entry.inode}
        for maps in (target.locator.maps, target.proc.maps(target.pid))
    ]
    if not programs[0] <= programs[1]:
        writer.close()
        raise unsafe(target.pid, "exec", "it has begun to run another program, or unloaded part of it, meanwhile")
    return writer


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
    try:
        apart = proc.link(pid, "ns", "net") != proc.link("self", "ns", "net")
    except OSError:
        apart = False
    if apart:
        raise unsafe(pid, "network", "it has a network of its own, in which it does not reach the debug container")
    for tid in proc.threads(pid):
        try:
            status = proc.status(pid, "task", tid)
        except OSError:
            continue
        tracer = int(status.get("TracerPid", "0"))
        if tracer:
            raise errors.AgentError(
                wire.PROCESS_TRACED,
                f"Process {pid} is being traced by process {tracer}, a debugger or profiler.",
                pid,
                {"tracer": tracer, "what": "ptrace"},
            )
        if status.get("State", "")[:1] in ("T", "t"):
            raise unsafe(pid, "stopped", "it is stopped (SIGSTOP or a debugger)")
        if "shstk" in status.get("x86_Thread_features", "").split():
            raise unsafe(pid, "shadowStack", "its processor keeps a shadow stack of it")
