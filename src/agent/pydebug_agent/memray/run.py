"""The operations "memray" and "memrayRead"."""

from __future__ import annotations

import collections
import os
import time
from typing import Any, Deque, Dict, List, Optional, Tuple

from .. import wire
from ..system import errors
from ..system.container_memory import Container
from ..system.digest import sha256
from ..system.errors import AgentError
from ..system.memory_limit import read_memory
from ..system.scratch import write_all
from ..target.processes import Processes
from ..target.request import Request
from ..transfer.kept import Kept, send_held
from .credentials import nobody
from .interpreters import reader_interpreter
from .options import Options, hashes_of, options_of, target_pids
from .payloads import VERSION, lay_out
from .reading import invalid, read_report
from .scratch_files import ScratchFiles
from .subject import Subject

_LOOK_SECONDS = 0.1
_TELL_SECONDS = 1.0
# Where no more is left under the limit than what it takes to read a capture, and what is used up in the seconds that
# this takes, the report is worth more than the rest of the time.
_LAST_HEADROOM = 14 << 20
_LAST_SECONDS = 3.0
_GROWTH_SECONDS = 3.0
_LARGEST_UPLOAD = 4 << 30


def memray(request: Request) -> None:
    """Answer a "memray" request."""
    options = options_of(request)
    hashes_of(request)
    found = request.processes()
    _Run(request, options, found).run(target_pids(request, found))


class _Run:
    def __init__(self, request: Request, options: Options, found: Processes) -> None:
        self._request = request
        self._options = options
        self._found = found
        self._subjects: List[Subject] = []
        self._container = Container(request.proc)
        self._begun = 0.0

    def run(self, pids: List[int]) -> None:
        """Track all processes over the same seconds."""
        request = self._request
        try:
            ready = [pid for pid in pids if self._made_ready(pid)]
            if not ready:
                return
            for subject in self._subjects:
                self._tell(0.0, "Attaching")
                with request.guarded(subject.pid):
                    subject.attach()
            self._track()
            answered: List[Subject] = []
            for subject in self._subjects:
                if subject.started is not None and subject.ended:
                    with request.guarded(subject.pid):
                        self._answer(subject)
                        answered.append(subject)
            self._hand_over(answered)
        finally:
            self._close()

    def _made_ready(self, pid: int) -> bool:
        request = self._request
        with request.guarded(pid):
            self._tell(0.0, "Checking")
            self._found.require(pid, request.started())
            subject = Subject(request, pid, self._options)
            self._subjects.append(subject)
            subject.check()
            subject.prepare()
            self._tell(0.0, "Rehearsing")
            subject.rehearse()
            assert subject.rehearsal is not None
            if subject.rehearsal.how != "same":
                request.channel.warn(
                    wire.REHEARSED_ELSE,
                    f"The program of process {pid} cannot be started alone; memray was tried out with "
                    f"{subject.rehearsal.detail}.",
                    pid,
                )
            return True
        self._subjects = [subject for subject in self._subjects if not self._discarded(subject, pid)]
        return False

    @staticmethod
    def _discarded(subject: Subject, pid: int) -> bool:
        if subject.pid == pid:
            subject.close()
            return True
        return False

    def _track(self) -> None:
        options = self._options
        active = [subject for subject in self._subjects if subject.tracking]
        if not active:
            return
        begun = told = self._begun = time.monotonic()
        until = begun + options.seconds
        limit = Nearing()
        self._container.note()
        while active:
            self._request.channel.check()
            now = time.monotonic()
            self._container.note()
            for subject in active:
                subject.look()
            active = [subject for subject in active if subject.tracking]
            if now >= until:
                self._stop(active, "time")
                break
            sizes = {subject.pid: subject.captured for subject in active}
            if now - told >= _TELL_SECONDS:
                told = now
                self._tell(now - begun, f"{_amount(sum(sizes.values()))} captured")
            self._stop([subject for subject in active if sizes[subject.pid] >= subject.maximum], "limit")
            self._stop([subject for subject in active if subject.has_no_headroom(sizes[subject.pid])], "limit")
            if limit.is_near(read_memory(self._request.proc).headroom, now):
                self._stop([subject for subject in active if subject.tracking], "memory")
            active = [subject for subject in active if subject.tracking]
            time.sleep(min(_LOOK_SECONDS, max(0.0, until - now)))

    def _stop(self, subjects: List[Subject], why: str) -> None:
        for subject in subjects:
            with self._request.guarded(subject.pid):
                subject.stop(why)

    def _answer(self, subject: Subject) -> None:
        request = self._request
        assert subject.started is not None and subject.rehearsal is not None
        self._warn(subject)
        self._tell(self._options.seconds, "Reading the capture")
        about = self._found.about(subject.pid)
        report: Any = None
        try:
            report = subject.report()
            report["metadata"]["command"] = about["command"]
        except AgentError as error:
            if error.cause != wire.CAPTURE_INVALID or subject.ended in ("time", "limit", "memory"):
                raise
            request.channel.warn(wire.CAPTURE_UNREADABLE, error.message, subject.pid)
        memory = read_memory(request.proc)
        size = subject.captured
        request.result(
            {
                "kind": "memray",
                "pid": subject.pid,
                "command": about["command"],
                "python": subject.target.version,
                "started": subject.started_at,
                "memray": VERSION,
                "mode": self._options.mode,
                "begun": subject.begun,
                "seconds": round(subject.seconds, 3),
                "ended": subject.ended,
                "pause": {
                    "held": round(subject.started.held),
                    "longest": subject.longest,
                    "usual": subject.usual,
                },
                "attach": {
                    "how": subject.started.how,
                    "thread": subject.started.thread,
                    "place": subject.started.place,
                    "seconds": round(subject.attach_seconds, 3),
                },
                "rehearsal": subject.rehearsal.as_json(),
                "capture": {
                    "bytes": size,
                    "sha256": None,
                    "place": "memory" if subject.files.in_memory else "disk",
                },
                "memory": {**self._container.as_json(self._begun), "limit": memory.limit, "used": memory.used},
                "left": subject.left().as_json(),
                "report": report,
            }
        )

    def _warn(self, subject: Subject) -> None:
        warn = self._request.channel.warn
        pid = subject.pid
        if subject.ended == "exited":
            warn(
                wire.PROCESS_EXITED, f"Process {pid} ended while it was tracked: the report is what was captured.", pid)
        elif subject.ended == "limit":
            most = _amount(subject.maximum) + (", and is kept in memory" if subject.files.in_memory else "")
            what = "filled the debug container's disk" if subject.is_full else f"reached {most}"
            warn(wire.CAPTURE_LIMIT, f"The capture of process {pid} {what}: tracking ended early.", pid)
        elif subject.ended == "memory":
            warn(wire.LAST_WORDS, f"Process {pid} is close to its memory limit: tracking ended early to report.", pid)
        elif subject.ended == "tracker":
            warn(wire.TRACKER_ENDED, f"The tracker in process {pid} ended by itself: the report is what was captured.",
                pid)

    def _hand_over(self, subjects: List[Subject]) -> None:
        """Send the captures where they were asked for: behind all reports, so that a cut loses none of these."""
        if not self._options.keep:
            return
        files: List[Kept] = []
        for subject in subjects:
            with self._request.guarded(subject.pid):
                files.append(self._capture(subject))
        send_held(self._request, files, True)

    def _capture(self, subject: Subject) -> Kept:
        told = time.monotonic()
        descriptor, most = subject.files.capture, 2 * subject.maximum
        size = os.fstat(descriptor).st_size
        if size > most:
            # It is the target's to write, and may be as large as it likes to have it.
            raise invalid(subject.pid, "size", f"it claims {_amount(size)}, and tracking ended at {_amount(most // 2)}")

        def tell(sent: int) -> None:
            nonlocal told
            if time.monotonic() - told >= _TELL_SECONDS:
                told = time.monotonic()
                text = f"{_amount(sent)} of {_amount(size)} sent"
                self._tell(self._options.seconds, text)

        about = {"file": "capture", "pid": subject.pid}
        return Kept(descriptor, size, {"kind": "file", **about, "size": size}, about, tell)

    def _tell(self, done: float, text: str) -> None:
        self._request.channel.progress(round(min(done, self._options.seconds), 1), self._options.seconds, text)

    def _close(self) -> None:
        for subject in self._subjects:
            subject.abandon()
        for subject in self._subjects:
            subject.close()


class Nearing:
    """Tells when the memory limit is so near that there is just time enough for a report."""

    def __init__(self) -> None:
        self._seen: Deque[Tuple[float, int]] = collections.deque()

    def is_near(self, headroom: Optional[int], now: float) -> bool:
        """Note the bytes that are left, None where there is no limit."""
        if headroom is None:
            return False
        self._seen.append((now, headroom))
        while now - self._seen[0][0] > _GROWTH_SECONDS:
            self._seen.popleft()
        begun, before = self._seen[0]
        # In the first moments what the tracker itself takes would pass for growth.
        lasts = now - begun
        growth = max(0.0, (before - headroom) / lasts) if lasts >= _GROWTH_SECONDS / 2 else 0.0
        return headroom < _LAST_HEADROOM + growth * _LAST_SECONDS


def memray_read(request: Request) -> None:
    """Answer a "memrayRead" request: a report from a capture that the client has."""
    import sys

    options = options_of(request)
    hashes = hashes_of(request)
    capture: Dict[str, Any] = request.body.get("capture") or {}
    size, wanted = capture.get("size"), capture.get("sha256")
    if type(size) is not int or not 0 <= size <= _LARGEST_UPLOAD or not isinstance(wanted, str):
        raise AgentError(wire.BAD_REQUEST, "Parameter 'capture' must have size and sha256.")
    machine, minor = os.uname().machine, sys.version_info[1]
    kind = f"cp3{minor}"
    if kind not in hashes.get(machine, {}):
        reason = "version" if machine in hashes else "machine"
        raise AgentError(
            wire.MEMRAY_NO_PAYLOAD,
            f"There is no memray for the debug container's Python 3.{minor} on {machine} in this build.",
            detail={"reason": reason, "found": f"3.{minor}" if machine in hashes else machine},
        )
    credentials = nobody(request.proc)
    files = ScratchFiles(request.proc, credentials)
    try:
        _receive(request, files.capture, size, wanted)
        lay_out(request, files, kind, os.getpid(), hashes[machine])
        interpreter = reader_interpreter(minor, credentials)
        assert interpreter is not None
        report = read_report(request, interpreter, files, files.capture, options.stacks, options.depth, None)
        request.result({"kind": "memrayRead", "memray": VERSION, "report": report})
    finally:
        files.close()


def _receive(request: Request, descriptor: int, size: int, wanted: str) -> None:
    digest = sha256()
    length = 0
    request.channel.send_json(wire.NEED, {"name": "capture", "machine": None, "size": size})
    for chunk in request.channel.chunks():
        length += len(chunk)
        if length > size:
            break
        digest.update(chunk)
        try:
            write_all(descriptor, chunk)
        except OSError as error:
            raise errors.file_error(error, "capture") from error
    if length != size or digest.hexdigest() != wanted:
        raise AgentError(
            wire.CAPTURE_INVALID, "The capture did not arrive as it was sent.", detail={"reason": "transfer"}
        )


def _amount(size: int) -> str:
    if size < 1 << 20:
        return f"{size / 1024:.0f} kB"
    return f"{size / (1 << 20):.1f} MB"
