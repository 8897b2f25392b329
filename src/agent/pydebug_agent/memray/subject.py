"""One process that is tracked: what it needs, tried out, started, stopped and read."""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from typing import Any, Callable, Dict, List, NamedTuple, Optional

from .. import errors
from ..errors import AgentError
from ..inject.start import Script, Started, Starter
from ..inject.symbols import libc_of, unsafe
from ..memory import read_memory
from ..payload import Executable, obtain
from ..reader.target import Target
from ..request import Request
from .control import Control
from .interpreters import choose, missing_libraries, reader_interpreter
from .options import Options, hashes_of
from .people import Interpreter, end, person_of
from .place import IN_MEMORY, Place, disk, opened, place_for, written
from .sources import program, source_of

VERSION = "1.20.0"
# What tracking needs of the room under the memory limit: 8 MiB in the target, the rest for a second interpreter that
# rehearses and reads, whose need grows with the number of stacks.
_NEEDS, _NEEDS_NATIVE, _NEEDS_ALLOCATORS = 20 << 20, 48 << 20, 64 << 20
# Without a disk the payload, twice while it is laid out, and the least of a capture come on top; and what a capture
# may take where no limit is set.
_NEEDS_IN_MEMORY = 8 << 20
_LARGEST_IN_MEMORY = 256 << 20
RUNTIME = ["libstdc++.so.6", "libgcc_s.so.1", "libdl.so.2"]
_BEGIN_SECONDS, _START_SECONDS, _STOP_SECONDS = 20.0, 30.0, 30.0
_GIVE_UP_SECONDS = 3.0
_EXIT_SECONDS = 2.0
_REHEARSAL_SECONDS = 30.0
_TRACKER_EXTRA = 120.0
_LARGEST_REPORT = 15 << 20
# The reader's exit code where it read the capture and it was none.
_REFUSED = 3


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
        self.person = person_of(pid, request.proc)
        self.started_at = request.proc.started(pid)
        self.in_memory = disk(request.proc) is None
        self.maximum = options.maximum
        self.place: Optional[Place] = None
        self.control: Optional[Control] = None
        self._starter: Optional[Starter] = None
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
        version = self.target.found.version
        return f"cp{version[0]}{version[1]}"

    @property
    def needs(self) -> int:
        """The bytes that must be left under the memory limit."""
        more = _NEEDS_IN_MEMORY if self.in_memory else 0
        if self.options.python_allocators:
            return _NEEDS_ALLOCATORS + more
        return (_NEEDS_NATIVE if self.options.native else _NEEDS) + more

    def check(self) -> None:
        """Raise what speaks against it, before anything is sent or made."""
        self._check_payload()
        self._starter = Starter(self.target, self._request.channel.check)
        memory = read_memory(self._proc)
        if self.in_memory:
            # Half of what is left: the application grows meanwhile.
            most = _LARGEST_IN_MEMORY if memory.room is None else max(1 << 20, (memory.room - self.needs) // 2)
            self.maximum = min(self.maximum, most)
        if memory.room is not None and memory.room < self.needs:
            raise AgentError(
                errors.MEMORY_LOW,
                f"Tracking process {self.pid} so needs {self.needs >> 20} MiB, and {memory.room >> 20} MiB are left "
                f"under the limit of {(memory.limit or 0) >> 20} MiB that the application lives with.",
                self.pid,
                {"limit": memory.limit, "used": memory.used, "needed": self.needs, "mode": self.options.mode},
            )

    def _check_payload(self) -> None:
        machine = os.uname().machine
        minor = f"3.{self.target.found.version[1]}"
        libc = libc_of(self.target.locator.maps)
        reason = found = ""
        if self.target.found.free_threaded or self.target.layout.free_threaded:
            reason, found, text = "freeThreaded", minor + "t", "a Python without the GIL"
        elif libc == "musl":
            reason, found, text = "libc", libc, "musl as C library"
        elif libc != "glibc":
            raise unsafe(self.pid, "static", "no C library is loaded, so nothing can be loaded into it")
        elif machine not in self._hashes:
            reason, found, text = "machine", machine, f"a machine of the kind {machine}"
        elif self.kind not in self._hashes[machine]:
            reason, found, text = "version", minor, f"Python {minor}"
        if reason:
            raise AgentError(
                errors.MEMRAY_NO_PAYLOAD,
                f"There is no memray for process {self.pid}: it has {text}, and this build carries none for that.",
                self.pid,
                {"reason": reason, "found": found},
            )

    def prepare(self) -> None:
        """Bring the payload and make room for the capture."""
        machine = os.uname().machine
        hashes = self._hashes[machine]
        payload = obtain(self._request, f"memray-{self.kind}", {machine: hashes[self.kind]})
        try:
            self.place = place_for(self._proc, self.person)
            unpack(self._request, self.place, payload, self.pid, hashes)
        finally:
            os.close(payload.descriptor)
        self.control = Control(self.place)
        self.place.write("script", self._script().encode("utf-8"))

    def _script(self) -> str:
        assert self.place is not None
        place = self.place
        settings: Dict[str, Any] = {
            "control": place.control,
            "capture": place.seen("capture"),
            "bytecode": place.seen("bytecode"),
            "files": {name: path for name, path in place.files().items() if name.startswith("memray/")},
            "libraries": place.libraries(),
            "extension": place.extension(),
            "version": VERSION,
            "longest": self.options.seconds + _TRACKER_EXTRA,
            **self.options.mode,
        }
        # One name for all of its code, by which the report knows what is not the application's.
        source = (
            source_of("session")
            + f"\n\nif direct:\n    track({settings!r})\n"
            + f"else:\n    import _thread\n    _thread.start_new_thread(track, ({settings!r},))\n"
        )
        return (
            f"exec(compile({source!r}, '<pydebug>', 'exec'), "
            "{'__name__': 'pydebug', 'direct': globals().get('direct', False)})\n"
        )

    def _asked(self, target: Target) -> Script:
        place = self.place
        assert place is not None and self.control is not None
        path = place.seen("script")
        extension = place.extension()
        libraries = [*place.libraries(), (os.path.basename(extension), place.seen(extension))]
        # A copy that is loaded already wins, such as an earlier report's: another one would stay, too. Its file may
        # have a longer name.
        loaded = {os.path.basename(entry.path).replace(IN_MEMORY, "") for entry in target.locator.maps}
        before = [seen for name, seen in libraries if not any(file.startswith(name) for file in loaded)]
        return Script(
            path,
            f"try:\n exec(open({path!r}, encoding='utf-8').read(), {{'direct': True}})\nexcept BaseException:\n pass\n",
            before,
            self.control.answered,
        )

    # Rehearsal

    def rehearse(self) -> None:
        """Do it all in a process of our own that is like the target; raise what went wrong there."""
        assert self.place is not None
        begun = time.monotonic()
        minor = self.target.found.version[1]
        self.interpreter = choose(self.pid, self._proc, self.person, minor, self.target.locator.maps)
        try:
            bytecode = {"bytecode": self.place.seen("bytecode")}
            process = self.interpreter.run(program("rehearsal", "main", bytecode))
        except (OSError, subprocess.SubprocessError) as error:
            raise self._rehearsal_failed("start", f"{self.interpreter.path} cannot be run: {error}", "") from error
        try:
            self._rehearse(process)
        except AgentError as error:
            if error.cause in (errors.CANCELLED, errors.DEADLINE):
                raise
            time.sleep(0.05)
            said = _last_words(process)
            reason = "died" if process.poll() is not None else "failed"
            raise self._rehearsal_failed(reason, error.message, said) from error
        finally:
            end(process)
        self.place.forget_capture()
        where = f"{self.interpreter.path} in the target's root" if self.interpreter.root else self.interpreter.path
        self.rehearsal = Rehearsal(self.interpreter.how, where, time.monotonic() - begun)

    def _rehearse(self, process: "subprocess.Popen[bytes]") -> None:
        assert self.control is not None and self.place is not None and process.stdout is not None
        ready = select.select([process.stdout], [], [], _REHEARSAL_SECONDS)[0]
        if not ready or process.stdout.readline() != b"ready\n":
            raise AgentError(errors.MEMRAY_REHEARSAL, "The interpreter did not start.")
        target = Target(process.pid, self._proc)
        if target.found.version[1] != self.target.found.version[1]:
            raise AgentError(errors.MEMRAY_REHEARSAL, f"{target.version} was started instead of {self.target.version}.")
        starter = Starter(target, self._request.channel.check)
        self.control.expect(process.pid)
        try:
            starter.start(self._asked(target), _BEGIN_SECONDS)
            self._wait_started(process.pid)
            time.sleep(0.12)
            self.control.stop()
            said = self.control.wait(_STOP_SECONDS, self._request.channel.check)
            if said is None or said[0] != "stopped":
                raise AgentError(errors.MEMRAY_REHEARSAL, "The tracker did not stop.")
        finally:
            starter.close()
        descriptor = self.place.open_capture()
        if descriptor is None:
            raise AgentError(errors.MEMRAY_REHEARSAL, "No capture was written.")
        os.close(descriptor)

    def _rehearsal_failed(self, reason: str, message: str, output: str) -> AgentError:
        last = (_telling(output) if reason == "died" else "") or message
        return AgentError(
            errors.MEMRAY_REHEARSAL,
            f"memray was not started in process {self.pid}: in a rehearsal with the target's interpreter it failed: "
            f"{last}",
            self.pid,
            {"reason": reason, "output": output[-2000:], "message": message},
        )

    # The thing itself

    def attach(self) -> None:
        """Start the tracker."""
        assert self._starter is not None and self.control is not None
        begun = time.monotonic()
        self.control.expect(self.pid)
        self.started = self._starter.start(self._asked(self.target), _BEGIN_SECONDS)
        self._wait_started(self.pid)
        self.attach_seconds = time.monotonic() - begun
        self.tracking = True
        self.begun = time.time()
        self.began = time.monotonic()

    def _wait_started(self, pid: int) -> None:
        assert self.control is not None
        said = self.control.wait(_START_SECONDS, self._request.channel.check)
        word, rest = said if said is not None else ["", ""]
        if word == "started":
            words = rest.split()
            self.longest, self.usual = round(float(words[2]), 1), round(float(words[3]), 1)
            return
        if word == "busy":
            raise _busy(pid, rest)
        if word == "error":
            raise AgentError(
                errors.MEMRAY_FAILED, f"memray could not start in process {pid}: {rest}", pid, {"error": rest}
            )
        if not self._proc.exists(pid):
            raise AgentError(errors.PROCESS_GONE, f"Process {pid} is gone.", pid)
        raise AgentError(
            errors.MEMRAY_NO_ANSWER,
            f"Process {pid} began to load memray and did not finish within {_START_SECONDS:g} s.",
            pid,
            {"seconds": _START_SECONDS},
        )

    def look(self) -> None:
        """Note where the process has ended, or its tracker."""
        assert self.control is not None
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
        descriptor = self.place.open_capture() if self.place is not None else None
        if descriptor is None:
            return 0
        try:
            return written(descriptor)
        finally:
            os.close(descriptor)

    def has_no_room(self, captured: int) -> bool:
        """Say whether the capture may not grow any more, and note it."""
        self.is_full = self.tracking and self.place is not None and self.place.is_full(captured)
        return self.is_full

    def stop(self, why: str) -> None:
        """Stop the tracker and wait until it has."""
        if not self.tracking:
            return
        assert self.control is not None
        self.control.stop()
        self._finish(why)
        told = False
        until = time.monotonic() + _STOP_SECONDS
        while not self.control.ended and self._proc.exists(self.pid):
            said = self.control.wait(1.0, lambda: None)
            if said is not None and said[0] == "stopped":
                return
            if said is not None and said[0] == "error":
                raise AgentError(
                    errors.MEMRAY_FAILED,
                    f"memray could not stop in process {self.pid}: {said[1]}",
                    self.pid,
                    {"error": said[1]},
                )
            if not told and time.monotonic() > until:
                told = True
                self._request.channel.warn(
                    "StopDelayed",
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
        """Stop without a report, soon; whatever does not stop in time stops by itself when the socket ends."""
        if self.control is not None:
            if self.tracking:
                self.control.stop()
                self.control.wait(_GIVE_UP_SECONDS, lambda: None)
                self.tracking = False
            self.control.close()
            self.control = None

    def close(self) -> None:
        """Leave nothing behind."""
        self.abandon()
        if self._starter is not None:
            self._starter.close()
        if self.place is not None:
            self.place.close()
            self.place = None

    def drop(self) -> None:
        """Remove our files at once: the client is gone. Runs in any thread."""
        if self.place is not None:
            self.place.close()

    # After

    def report(self) -> Dict[str, Any]:
        """Return what the capture says."""
        assert self.place is not None
        descriptor = self.place.open_capture()
        if descriptor is None:
            raise invalid(self.pid, "missing", "the target wrote none")
        try:
            interpreter = self.interpreter or reader_interpreter(self.target.found.version[1], self.person)
            assert interpreter is not None
            if interpreter.root is not None and not self._proc.exists(self.pid):
                interpreter = reader_interpreter(self.target.found.version[1], self.person)
                if interpreter is None:
                    raise invalid(self.pid, "interpreter", "the target is gone, and its Python with it")
            return read_report(
                self._request,
                interpreter,
                self.place,
                descriptor,
                self.options.stacks,
                self.options.depth,
                self.pid,
            )
        finally:
            os.close(descriptor)


def unpack(request: Request, place: Place, payload: Executable, pid: int, hashes: Dict[str, str]) -> None:
    """Lay out a payload, and before it what it needs of the runtime that neither it nor the process's image has."""
    wanted = missing_libraries(pid, request.proc, RUNTIME)
    there = [name for name in RUNTIME if name not in wanted]
    with opened(payload) as archive:
        own = {os.path.basename(name) for name in archive.getnames()}
    missing = [name for name in wanted if name not in own]
    if missing:
        if "runtime" not in hashes:
            raise AgentError(
                errors.MEMRAY_NO_PAYLOAD,
                f"memray needs {' and '.join(missing)}, which the image of process {pid} has not, and this build "
                "carries none.",
                pid,
                {"reason": "runtime", "found": missing[0]},
            )
        runtime = obtain(request, "memray-runtime", {os.uname().machine: hashes["runtime"]})
        try:
            place.unpack(runtime, [name for name in RUNTIME if name not in missing])
        finally:
            os.close(runtime.descriptor)
    place.unpack(payload, there)


def read_report(
    request: Request,
    interpreter: Interpreter,
    place: Place,
    descriptor: int,
    stacks: int,
    depth: int,
    pid: Optional[int],
) -> Dict[str, Any]:
    """Let an interpreter of the payload's version make a report of a capture."""
    settings = {
        "capture": f"/proc/self/fd/{descriptor}",
        "files": place.files(),
        "libraries": place.libraries(),
        "extension": place.extension()[len("memray/_memray") :],
        "stacks": stacks,
        "depth": depth,
        "points": 1000,
    }
    source = program("reduce", "main", settings)
    status, output, said = _read(request, interpreter, source, descriptor, pid)
    if status not in (0, _REFUSED):
        # It did not come to say what is wrong with the capture; to try again harms nobody.
        status, output, said = _read(request, interpreter, source, descriptor, pid)
    if status != 0:
        raise invalid(pid, "reader", _telling(said) or f"the reader ended with {status}", said)
    try:
        found: Dict[str, Any] = json.loads(output)
    except ValueError as error:
        raise invalid(pid, "report", f"what was made of it cannot be read ({error})") from error
    return found


def _read(
    request: Request, interpreter: Interpreter, source: str, descriptor: int, pid: Optional[int]
) -> "tuple[int, bytes, str]":
    """Run the reader; return its exit code, its output and what it said."""
    try:
        process = interpreter.run(source, [descriptor])
    except (OSError, subprocess.SubprocessError) as error:
        raise invalid(pid, "interpreter", f"no interpreter can read it ({error})") from error
    try:
        output, said = _drain(process, request.channel.check)
        return process.returncode, output, said.decode("utf-8", "replace")
    finally:
        end(process)


def invalid(pid: Optional[int], reason: str, sentence: str, output: str = "") -> AgentError:
    """Return the failure of a capture that cannot be read."""
    detail = {"reason": reason, "output": output[-2000:]} if output else {"reason": reason}
    return AgentError(errors.CAPTURE_INVALID, f"The capture cannot be read: {sentence.rstrip('.')}.", pid, detail)


def _telling(said: str) -> str:
    """Return what of an interpreter's last words tells: a fatal error and its cause, else the last line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    fatal = next((number for number, line in enumerate(lines) if line.startswith("Fatal Python error:")), None)
    if fatal is None:
        return lines[-1] if lines else ""
    # Below it come the runtime's state, where there is one the exception, and where each thread was.
    threads = ("Python runtime state:", "Current thread ", "Thread 0x", "Extension modules:", "File ", "<", "Traceback")
    more = [line for line in lines[fatal + 1 :] if not line.startswith(threads)]
    return "; ".join([lines[fatal], *more[-1:]])


def _busy(pid: int, by: str) -> AgentError:
    if by == "profile":
        return AgentError(
            errors.PROCESS_TRACED,
            f"Process {pid} runs under a profiler of its own (sys.setprofile), which memray would put out of action.",
            pid,
            {"tracer": 0, "what": "profile"},
        )
    what = "a report is made of it already" if by == "pydebug" else "it has loaded a memray of its own"
    return AgentError(errors.MEMRAY_BUSY, f"Process {pid} cannot be tracked now: {what}.", pid, {"by": by})


def _drain(process: "subprocess.Popen[bytes]", check: Callable[[], None]) -> "tuple[bytes, bytes]":
    """Return what a child writes until it ends; too much is an end, too."""
    assert process.stdout is not None and process.stderr is not None
    parts: Dict[int, List[bytes]] = {process.stdout.fileno(): [], process.stderr.fileno(): []}
    open_ends = list(parts)
    total = 0
    while open_ends:
        check()
        for descriptor in select.select(open_ends, [], [], 0.1)[0]:
            data = os.read(descriptor, 1 << 16)
            total += len(data)
            if not data or total > _LARGEST_REPORT:
                open_ends.remove(descriptor)
            parts[descriptor].append(data)
    process.wait()
    return b"".join(parts[process.stdout.fileno()]), b"".join(parts[process.stderr.fileno()])


def _last_words(process: "subprocess.Popen[bytes]") -> str:
    assert process.stderr is not None
    os.set_blocking(process.stderr.fileno(), False)
    try:
        return (process.stderr.read(1 << 16) or b"").decode("utf-8", "replace")
    except OSError:
        return ""
