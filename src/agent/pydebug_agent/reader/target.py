"""A live Python process that was found, checked, and can be read."""

from __future__ import annotations

import os
import struct
import time
from typing import Dict, Iterator, List, Set, Tuple

from .. import wire
from ..system import errors
from ..system.proc import Proc
from ..system.ptrace_access import ptrace_denied
from .frames import Gils, Thread
from .layouts import PUBLISHED, Layout, known_old, old_layout, published_layout, schema
from .locate import Found, Locator, starting
from .memory import Denied, Fault, Gone, Memory, Pages
from .native_ids import NativeIds
from .objects import Objects, interpreters
from .selfcheck import Misfit, NotReady, SelfCheck

_U64 = struct.Struct("<Q").unpack_from
_MOST_THREADS = 10000
_ATTEMPTS = 5
STARTING_SECONDS = 10.0
_FITS = (Misfit, NotReady, Fault, ValueError, struct.error)


class Target:
    """An interpreter of a process, the ``which``th of ``runtimes``: its layout, threads and their names."""

    def __init__(self, pid: int, proc: Proc, which: int = 0) -> None:
        self.pid = pid
        self.proc = proc
        self.runtimes: List[Found] = []
        self._which = which
        self.notes: List[str] = []
        self.warnings: List[str] = []
        self.python_tids: Set[int] = set()
        self.gils = Gils()
        try:
            self._attach()
        except (Denied, PermissionError) as error:
            raise ptrace_denied(pid, proc, getattr(error, "strerror", None) or str(error)) from error
        except (Gone, FileNotFoundError, ProcessLookupError) as error:
            raise gone(pid) from error
        except (Fault, struct.error) as error:
            raise self._unsupported(str(error)) from error

    @property
    def version(self) -> str:
        """The version as people write it; the micro may be unknown."""
        return describe(self.found._replace(path=""))

    @property
    def others(self) -> List[str]:
        """The other Pythons that run in the process, by version and file."""
        return [describe(found) for found in self.runtimes if found is not self.found]

    def _attach(self) -> None:
        self.memory = Memory(self.pid)
        self.locator = Locator(self.memory, self.proc, self.pid)
        if not self.locator.maps:
            raise gone(self.pid)
        self.runtimes = self.locator.find()
        self.found = self.runtimes[min(self._which, len(self.runtimes) - 1)]
        self.tids = set(self.proc.threads(self.pid))
        self._comm = self.proc.stat(self.pid).comm
        minor = self.found.version[1]
        if self.found.published:
            self._choose([minor] if minor in PUBLISHED else list(PUBLISHED))
        elif known_old(minor):
            self._choose_old(minor)
        else:
            raise self._unsupported("it publishes no offsets")

    def _choose(self, minors: List[int]) -> None:
        reasons: List[str] = []
        for minor in minors:
            try:
                data = self.memory.read(self.found.runtime, schema(minor)[1])
                self._take(published_layout(minor, self.found.free_threaded, data), self.found)
            except _FITS as error:
                reasons.append("the layout of 3.%d does not fit: %s" % (minor, error))
                if isinstance(error, NotReady) and self._is_young():
                    raise starting(self.pid) from error
                continue
            if minor != self.found.version[1]:
                self.notes.append("Python 3.%d is not known; the layout of 3.%d fits." % (self.found.version[1], minor))
            return
        raise self._unsupported("; ".join(reasons))

    def _choose_old(self, minor: int) -> None:
        layout = old_layout(minor)
        try:
            if self.found.runtime:
                self._take(layout, self.found)
            else:
                self._scan(layout)
        except (NotReady, Misfit) as error:
            if isinstance(error, NotReady) and self._is_young():
                raise starting(self.pid) from error
            raise self._unsupported("the layout of 3.%d does not fit: %s" % (minor, error)) from error

    def _is_young(self) -> bool:
        """Only a new process can be in the middle of starting its Python; in an old one the layout is wrong."""
        ticks = self.proc.stat(self.pid).start_ticks
        return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / self.proc.ticks < STARTING_SECONDS

    def _scan(self, layout: Layout) -> None:
        """Nothing names the runtime: look for a list of interpreters whose first thread points back."""
        for entry in self.locator.writable():
            for start, data in self.locator.pieces(entry):
                for place in range(0, len(data) - 7, 8):
                    if not self._is_interpreter(layout, _U64(data, place)[0]):
                        continue
                    runtime = start + place - layout.runtime_head
                    found = self.found._replace(runtime=runtime, how="scan of writable data", path=entry.path)
                    try:
                        self._check(layout, found)
                    except _FITS:
                        continue
                    self.found = found
                    return
        raise Misfit("no runtime found")

    def _is_interpreter(self, layout: Layout, address: int) -> bool:
        if address < 4096 or address & 7 or address >> 47:
            return False
        try:
            state = self.memory.u64(address + layout.interpreter_threads)
            if state < 4096 or state & 7 or state >> 47:
                return False
            return self.memory.u64(state + layout.thread_interpreter) == address
        except Fault:
            return False

    def _take(self, layout: Layout, found: Found) -> None:
        """Check a layout, again where a living process changed under the check."""
        for attempt in range(_ATTEMPTS):
            try:
                self._check(layout, found)
                return
            except _FITS:
                if attempt == _ATTEMPTS - 1:
                    raise
                time.sleep(0.002 * attempt)

    def _check(self, layout: Layout, found: Found) -> None:
        check = SelfCheck(Pages(self.memory), layout, found.runtime, found.code_type, self.tids)
        check.run()
        self.layout = layout
        self.code_type = check.code_type
        self.notes += check.notes

    def _unsupported(self, reason: str) -> errors.AgentError:
        return errors.AgentError(
            wire.UNSUPPORTED_PYTHON,
            "The Python 3.%d of process %d cannot be read: %s. Invoke-PySpy may still read it." % (
                self.found.version[1] if hasattr(self, "found") else 0, self.pid, reason.rstrip(".")),
            self.pid,
            {"reason": reason},
        )

    def interpreters(self) -> Iterator[int]:
        """Yield the interpreter states."""
        return interpreters(self.memory, self.layout, self.found.runtime)

    def newest(self) -> int:
        """Return the interpreter that was made last: another one where one was made or ended since; 0 for none."""
        try:
            return self.memory.u64(self.found.runtime + self.layout.runtime_head)
        except Fault:
            return 0

    def gil(self, interpreter: int) -> int:
        """Return the address of an interpreter's lock, 0 where it has none."""
        layout = self.layout
        if layout.runtime_gil >= 0:
            return self.found.runtime + layout.runtime_gil
        if layout.free_threaded:
            enabled = layout.interpreter_gil_enabled
            if enabled <= 0 or not self.memory.u32(interpreter + enabled):
                return 0
        return self.memory.u64(interpreter + layout.interpreter_gil)

    def threads(self) -> List[Thread]:
        """Return the threads that have a Python state; one that has several, in different interpreters, once."""
        found: Dict[int, List[Thread]] = {}
        for state in self.states():
            # Where frames are objects nothing tells which of them were entered last.
            key = state.tid if state.tid and not self.layout.heap_frames else -state.address
            found.setdefault(key, []).append(state)
        # The first interpreter is the last of the list, and its name for the thread the one that people know.
        return [states[-1]._replace(more=tuple(states[:-1])) for states in found.values()]

    def states(self) -> List[Thread]:
        """Return the thread states of all interpreters."""
        for attempt in range(_ATTEMPTS):
            try:
                return self._states()
            except Fault:
                # The list changed while it was walked.
                if attempt == _ATTEMPTS - 1:
                    raise
        return []

    def _states(self) -> List[Thread]:
        layout, memory = self.layout, self.memory
        found: List[Tuple[int, int, bytes]] = []
        gils: Dict[int, int] = {}
        for interpreter in self.interpreters():
            gils[interpreter] = self.gils.addresses.get(interpreter) or self.gil(interpreter)
            state = memory.u64(interpreter + layout.interpreter_threads)
            while state:
                data = memory.read(state, layout.thread_bytes)
                if _U64(data, layout.thread_interpreter)[0] != interpreter:
                    raise Fault("the list of threads changed")
                found.append((state, interpreter, data))
                if len(found) > _MOST_THREADS:
                    raise errors.AgentError(
                        wire.TOO_MANY_THREADS,
                        "Process %d has more than %d Python threads." % (self.pid, _MOST_THREADS),
                        self.pid,
                    )
                state = _U64(data, layout.thread_next)[0]
        self.gils.addresses = gils
        self.tids = set(self.proc.threads(self.pid))
        idents = [_U64(data, layout.thread_ident)[0] for _, _, data in found]
        natives = NativeIds(self.memory, self.proc, self.pid, self.tids, idents)
        result: List[Thread] = []
        for (state, interpreter, data), ident in zip(found, idents):
            native = _U64(data, layout.thread_native)[0] if layout.thread_native >= 0 else 0
            result.append(Thread(state, interpreter, ident, natives.find(ident, native)))
        return result

    def kernel_name(self, tid: int, comm: str) -> str:
        """Return what a thread is called that threading does not know, by the kernel's name for it.

        That is inherited: it says something only where it differs from the process's.
        """
        if tid == self.pid:
            return "MainThread"
        return "" if comm == self._comm else comm

    def names(self) -> Dict[int, str]:
        """Return the names of the threads that threading knows, by identity; the first interpreter's count most."""
        result: Dict[int, str] = {}
        objects = Objects(Pages(self.memory), self.layout)
        try:
            for interpreter in self.interpreters():
                try:
                    result.update(self._names(objects, interpreter))
                except (Fault, struct.error, IndexError):
                    continue
        except Fault:
            pass
        return result

    @staticmethod
    def _names(objects: Objects, interpreter: int) -> Dict[int, str]:
        result: Dict[int, str] = {}
        active = objects.module(interpreter, "threading").get("_active")
        for key, thread in objects.dict_items(active) if active else ():
            try:
                name = objects.attributes(thread).get("_name")
                if name and objects.is_text(name):
                    result[objects.integer(key)] = objects.text(name, 256)
            except (Fault, struct.error, IndexError):
                continue
        return result


def describe(found: Found) -> str:
    """Return an interpreter's version and file, for people."""
    version = "%d.%d" % found.version[:2] if found.version[2] < 0 else "%d.%d.%d" % found.version
    return "%s (%s)" % (version, found.path) if found.path else version


def targets(pid: int, proc: Proc) -> List[Target]:
    """Return the interpreters of a process; of those besides the first that cannot be read, its notes tell."""
    first = Target(pid, proc)
    result = [first]
    for which in range(1, len(first.runtimes)):
        try:
            result.append(Target(pid, proc, which))
        except errors.AgentError as error:
            first.warnings.append("Another Python, %s, is in the process. %s" % (
                describe(first.runtimes[which]), error.message))
    return result


def gone(pid: int) -> errors.AgentError:
    """Return the error for a process that ended."""
    return errors.AgentError(wire.PROCESS_GONE, "Process %d is gone." % pid, pid)


def check_ctypes(pid: int) -> None:
    """Raise the error for an image whose Python has no _ctypes."""
    try:
        import _ctypes
    except ImportError as error:
        raise errors.AgentError(
            wire.NO_CTYPES,
            "The debug container's Python has no _ctypes, so it cannot read other processes: %s." % error,
            pid,
            {"python": os.fspath(getattr(__import__("sys"), "executable", "") or "")},
        ) from error
