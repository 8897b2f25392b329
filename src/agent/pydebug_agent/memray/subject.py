"""One process that is tracked: what it needs, tried out, started, stopped and read."""

from __future__ import annotations

import os
import time
from typing import Any, Callable, Dict, List, NamedTuple, Optional

from .. import wire
from ..inject.start import Script, Started, Starter
from ..inject.symbols import unsafe
from ..reader.target import Target, describe
from ..system.errors import AgentError
from ..system.launch import Heard
from ..system.memory_limit import is_low_allowed, read_memory
from ..system.sources import program, source_of
from ..target.request import Request
from .alike import check_alike, check_session
from .control import Control
from .credentials import Interpreter, nobody, credentials_of
from .interpreters import choose, may_chroot, reader_interpreter
from .left import Left, left_in
from .needs import LimitHeadroom, headroom_of, needs_of, what_fits
from .notice import Notice
from .options import Options, hashes_of
from .payloads import VERSION, check_payload, kind_of, lay_out
from .reading import invalid, read_report, telling
from .scratch_files import IN_MEMORY, ScratchFiles, written

# What a capture in memory may take where no limit is set.
_LARGEST_IN_MEMORY = 256 << 20
_BEGIN_SECONDS, _START_SECONDS, _STOP_SECONDS = 20.0, 30.0, 30.0
_GIVE_UP_SECONDS = 3.0
_EXIT_SECONDS = 2.0
_REHEARSAL_SECONDS = 30.0
_TRACKER_EXTRA = 120.0
_LARGEST_BYTECODE = 8 << 20


class Rehearsal(NamedTuple):
    """How the payload was tried out."""

    how: str
    detail: str
    seconds: float

    def as_json(self) -> Dict[str, Any]:
        """Return it as the result has it."""
        return {"how": self.how, "detail": self.detail, "seconds": round(self.seconds, 3)}


class Subject:
    """A process, from the first check to the last cleaning up."""

    def __init__(self, request: Request, pid: int, options: Options) -> None:
        self.pid = pid
        self.options = options
        self._request = request
        self._proc = request.proc
        self._hashes = hashes_of(request)
        self.target = Target(pid, request.proc)
        if self.target.others:
            # Which of them allocates cannot be told, and only one would be asked.
            raise unsafe(
                pid,
                "severalPythons",
                f"it runs several Pythons: {', '.join([describe(self.target.found), *self.target.others])}",
            )
        self.credentials = credentials_of(pid, request.proc)
        self.started_at = request.proc.started(pid)
        self.files = ScratchFiles(request.proc, self.credentials)
        self.maximum = options.maximum
        self.needs = needs_of(options, self.files.in_memory)
        self._headroom = LimitHeadroom({})
        self.control = Control()
        self._starter: Optional[Starter] = None
        self._notice: Optional[Notice] = None
        self.started: Optional[Started] = None
        self.rehearsal: Optional[Rehearsal] = None
        self.attach_seconds = 0.0
        self.begun = 0.0
        self.began = 0.0
        self.seconds = 0.0
        self.longest: Optional[float] = None
        self.usual: Optional[float] = None
        self.tracking = False
        self.is_full = False
        self.ended = ""
        self.interpreter: Optional[Interpreter] = None

    # Before

    @property
    def kind(self) -> str:
        """The payload that fits."""
        return kind_of(self.target)

    def check(self) -> None:
        """Raise what speaks against it, before anything is sent or made."""
        check_payload(self.target, self._hashes)
        check_session(self.pid, self._proc)
        self._starter = Starter(self.target, self._request.channel.check)
        memory = read_memory(self._proc)
        if self.files.in_memory:
            # Half of what is left: the application grows meanwhile.
            most = _LARGEST_IN_MEMORY if memory.headroom is None else max(1 << 20, (memory.headroom - self.needs) // 2)
            self.maximum = min(self.maximum, most)
        if memory.headroom is not None and memory.headroom < self.needs and not is_low_allowed():
            raise AgentError(
                wire.MEMORY_LOW,
                f"Tracking process {self.pid} so needs {self.needs >> 20} MiB, and {memory.headroom >> 20} MiB are "
                f"left under the limit of {(memory.limit or 0) >> 20} MiB that the application lives with.",
                self.pid,
                {
                    "limit": memory.limit, "used": memory.used, "needed": self.needs,
                    **what_fits(self.options, self.files.in_memory, memory.headroom),
                },
            )
        self._headroom = headroom_of(self.pid, self._proc)
        # Past this limit the kernel would send a signal that ends most programs.
        self.maximum = self._headroom.capture(self.pid, self.maximum)

    def prepare(self) -> None:
        """Bring the payload."""
        lay_out(self._request, self.files, self.kind, self.pid, self._hashes[os.uname().machine])

    def _asked(self, target: Target, capture: int) -> Script:
        """Have what is to run in a process ready for it, and return how it begins there."""
        files = self.files
        # A copy that is loaded already wins, such as an earlier report's: another one would stay, too. Its file may
        # have a longer name.
        loaded = {os.path.basename(entry.path).replace(IN_MEMORY, "") for entry in target.locator.maps}
        *others, (_, extension) = files.libraries()
        others = [(name, file) for name, file in others if not any(other.startswith(name) for other in loaded)]
        settings: Dict[str, Any] = {
            "names": ["capture", "bytecode", *(name for name, _ in others), "extension"],
            "sources": files.sources,
            "version": VERSION,
            "longest": self.options.seconds + _TRACKER_EXTRA,
            **self.options.mode,
        }
        # One name for all of its code, by which the report knows what is not the application's.
        source = source_of("session", __package__) + f"\n\ntrack({settings!r}, channel, descriptors)\n"
        handed = [capture, files.bytecode, *(file for _, file in others), extension]
        self.control.expect(target.pid, source, handed)
        begin = source_of("begin", __package__)

        def run(function: str) -> str:
            text = begin + f"\n\n{function}({self.control.address!r})\n"
            return (
                f"try:\n exec(compile({text!r}, '<pydebug>', 'exec'), {{'__name__': 'pydebug'}})\n"
                "except BaseException:\n pass\n"
            )

        def show() -> str:
            if self._notice is None:
                root = self._proc.path(self.pid, "root") if may_chroot(self._proc) else None
                self._notice = Notice(run("ask"), self.credentials, self._proc, root)
                self._notice.wait(self._request.channel.check)
            return self._notice.path

        return Script(run("begin"), show, self.control.answered, lambda: self.control.is_green)

    # Rehearsal

    def rehearse(self) -> None:
        """Do it all in a process of our own that is like the target; raise what went wrong there."""
        begun = time.monotonic()
        minor = self.target.found.version[1]
        self.interpreter = choose(self.pid, self._proc, self.credentials, minor, self.target.locator.maps)
        try:
            source = program("rehearsal", __package__, "main", {"headroom": self._headroom.left})
            process = self.interpreter.run(source)
        except OSError as error:
            raise self._rehearsal_failed("start", f"{self.interpreter.path} cannot be run: {error}", "") from error
        try:
            self._rehearse(process)
        except AgentError as error:
            if error.cause in (wire.CANCELLED, wire.DEADLINE) or error.detail.get("reason") in ("seccomp", "lsm"):
                raise
            time.sleep(0.05)
            said = process.words()
            reason = "died" if process.poll() is not None else "failed"
            raise self._rehearsal_failed(reason, error.message, said) from error
        finally:
            process.end()
            self.control.hang_up()
        where = f"{self.interpreter.path} in the target's root" if self.interpreter.root else self.interpreter.path
        self.rehearsal = Rehearsal(self.interpreter.how, where, time.monotonic() - begun)

    def _rehearse(self, process: Heard) -> None:
        check = self._request.channel.check
        word, _, size = (process.line(_REHEARSAL_SECONDS, check) or b"").strip().partition(b" ")
        most = size.isdigit() and int(size) <= _LARGEST_BYTECODE
        code = process.take(int(size), _REHEARSAL_SECONDS, check) if word == b"ready" and most else None
        if code is None:
            raise AgentError(wire.MEMRAY_REHEARSAL, "The interpreter did not start.")
        self.files.keep_bytecode(code)
        check_alike(self.pid, process.pid, self._proc)
        target = Target(process.pid, self._proc)
        if target.found.version[1] != self.target.found.version[1]:
            raise AgentError(wire.MEMRAY_REHEARSAL, f"{target.version} was started instead of {self.target.version}.")
        starter = Starter(target, check)
        try:
            starter.start(self._asked(target, self.files.trial), _BEGIN_SECONDS)
            self._wait_started(process.pid, starter)
            time.sleep(0.12)
            self.control.say("stop")
            said = self.control.wait(_STOP_SECONDS, check)
            if said is None or said[0] != "stopped":
                raise AgentError(wire.MEMRAY_REHEARSAL, "The tracker did not stop.")
        finally:
            starter.close()
        self.files.end_trial()

    def _rehearsal_failed(self, reason: str, message: str, output: str) -> AgentError:
        last = (telling(output) if reason == "died" else "") or message
        return AgentError(
            wire.MEMRAY_REHEARSAL,
            f"memray was not started in process {self.pid}: in a rehearsal with the target's interpreter it failed: "
            f"{last}",
            self.pid,
            {"reason": reason, "output": output[-2000:], "message": message},
        )

    # The thing itself

    def attach(self) -> None:
        """Start the tracker."""
        assert self._starter is not None
        begun = time.monotonic()
        try:
            self.started = self._starter.start(self._asked(self.target, self.files.capture), _BEGIN_SECONDS)
            self._wait_started(self.pid, self._starter)
        except AgentError as error:
            # Whoever comes later finds nobody, and goes.
            self.control.hang_up()
            left = self.left()
            error.message = f"{error.message} {left}"
            error.detail["left"] = left.as_json()
            raise
        self.attach_seconds = time.monotonic() - begun
        self.tracking = True
        self.begun = time.time()
        self.began = time.monotonic()

    def _wait_started(self, pid: int, starter: Starter) -> None:
        check = self._request.channel.check
        word, rest = self.control.wait(_START_SECONDS, check) or ["", ""]
        if word == "ready":
            tid, known, *numbers = _numbers(rest)
            # The first two are the capture and the bytecode; the last is memray itself, which may be there already.
            wanted = numbers[2:-1] if known else numbers[2:]
            starter.load(int(tid), [f"/proc/self/task/{tid:.0f}/fd/{number:.0f}" for number in wanted])
            self.control.say("go")
            word, rest = self.control.wait(_START_SECONDS, check) or ["", ""]
        if word == "started":
            times = [round(time, 1) if time >= 0 else None for time in _numbers(rest.partition(" ")[2])]
            self.longest, self.usual = times[1:3]
            return
        if word == "busy":
            raise _busy(pid, rest)
        if word == "error":
            raise AgentError(
                wire.MEMRAY_FAILED, f"memray could not start in process {pid}: {rest}", pid, {"error": rest}
            )
        if not self._proc.exists(pid):
            raise AgentError(wire.PROCESS_GONE, f"Process {pid} is gone.", pid)
        raise AgentError(
            wire.MEMRAY_NO_ANSWER,
            f"Process {pid} began to load memray and did not finish within {_START_SECONDS:g} s.",
            pid,
            {"seconds": _START_SECONDS},
        )

    def left(self) -> Left:
        """Look at what is left in the process."""
        return left_in(self.pid, self._proc)

    def look(self) -> None:
        """Note where the process has ended, or its tracker."""
        self.control.next()
        if self.control.ended or not self._proc.exists(self.pid):
            self._finish("exited")
            if self._lives_on():
                self.ended = "tracker"

    def _lives_on(self) -> bool:
        """Say whether the process goes on without its tracker, which ends a moment before an interpreter does."""
        until = time.monotonic() + _EXIT_SECONDS
        while self._proc.exists(self.pid):
            if time.monotonic() > until:
                return True
            self._request.channel.check()
            time.sleep(0.02)
        return False

    @property
    def captured(self) -> int:
        """The bytes of the capture so far."""
        return written(self.files.capture)

    def has_no_headroom(self, captured: int) -> bool:
        """Say whether the capture may not grow any more, and note it."""
        self.is_full = self.tracking and self.files.is_full(captured)
        return self.is_full

    def stop(self, why: str) -> None:
        """Stop the tracker and wait until it has."""
        if not self.tracking:
            return
        self.control.say("stop")
        self._finish(why)
        told = False
        until = time.monotonic() + _STOP_SECONDS
        while not self.control.ended and self._proc.exists(self.pid):
            said = self.control.wait(1.0, lambda: None)
            if said is not None and said[0] == "stopped":
                return
            if said is not None and said[0] == "error":
                raise AgentError(
                    wire.MEMRAY_FAILED,
                    f"memray could not stop in process {self.pid}: {said[1]}",
                    self.pid,
                    {"error": said[1]},
                )
            if not told and time.monotonic() > until:
                told = True
                self._request.channel.warn(
                    wire.STOP_DELAYED,
                    f"Process {self.pid} lets the tracker stop late: another thread may hold the GIL.",
                    self.pid,
                )
            self._request.channel.check()
        if not self._proc.exists(self.pid):
            self.ended = "exited"

    def _finish(self, why: str) -> None:
        if self.tracking:
            self.tracking = False
            self.ended = why
            self.seconds = time.monotonic() - self.began

    def abandon(self) -> None:
        """Stop without a report, soon; whatever does not stop in time stops by itself when the connection ends."""
        if self.tracking:
            self.control.say("stop")
            self.control.wait(_GIVE_UP_SECONDS, lambda: None)
            self.tracking = False
        self.control.hang_up()

    def close(self) -> None:
        """Leave nothing behind."""
        self.abandon()
        closing: List[Callable[[], None]] = [self.control.close, self.files.close]
        closing += [part.close for part in (self._starter, self._notice) if part is not None]
        self._starter = self._notice = None
        for close in closing:
            close()

    # After

    def report(self) -> Dict[str, Any]:
        """Return what the capture says."""
        if not self.files.has_capture():
            raise invalid(self.pid, "missing", "the target wrote none")
        interpreter = self.interpreter
        # Where its own is not there any more, nobody reads with ours.
        if interpreter is None or interpreter.root is None or not self._proc.exists(self.pid):
            interpreter = reader_interpreter(self.target.found.version[1], nobody(self._proc))
            if interpreter is None:
                raise invalid(self.pid, "interpreter", "the target is gone, and its Python with it")
        options = self.options
        capture = self.files.capture
        return read_report(self._request, interpreter, self.files, capture, options.stacks, options.depth, self.pid)


def _numbers(text: str) -> List[float]:
    """Return the numbers that something in a target said, which may say anything: three at least."""
    try:
        found = [float(word) for word in text.split()]
    except ValueError:
        found = []
    return found if len(found) > 2 else [0.0, -1.0, -1.0]


def _busy(pid: int, by: str) -> AgentError:
    if by == "profile":
        return AgentError(
            wire.PROCESS_TRACED,
            f"Process {pid} runs under a profiler of its own (sys.setprofile), which memray would put out of action.",
            pid,
            {"tracer": 0, "what": "profile"},
        )
    what = "a report is made of it already" if by == "pydebug" else "it has loaded a memray of its own"
    return AgentError(wire.MEMRAY_BUSY, f"Process {pid} cannot be tracked now: {what}.", pid, {"by": by})
