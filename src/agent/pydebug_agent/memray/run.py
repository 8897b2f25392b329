"""The operations "memray" and "memrayRead"."""

from __future__ import annotations

import collections
import os
import time
from typing import Any, Deque, Dict, List, Optional, Tuple

from .. import errors
from ..digest import sha256
from ..errors import AgentError
from ..memory import read_memory
from ..payload import obtain
from ..processes import Processes
from ..request import Request
from ..scratch import nameless_file, write_all
from ..sending import send_file
from .draw import Drawer
from .interpreters import reader_interpreter
from .options import Options, hashes_of, options_of, target_pids
from .people import person_of
from .place import Place, place_for
from .subject import VERSION, Subject, invalid, read_report, unpack

_LOOK_SECONDS = 0.1
_TELL_SECONDS = 1.0
# Where less is left under the limit, or less than is used up in some seconds, the report is worth more than the rest of
# the time.
_LAST_ROOM = 6 << 20
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
        self._drawer: Optional[Drawer] = None

    def run(self, pids: List[int]) -> None:
        """Track all processes over the same seconds."""
        request = self._request
        request.channel.at_loss(self._drop)
        try:
            if self._options.html:
                self._drawer = Drawer(request, VERSION)
            ready = [pid for pid in pids if self._made_ready(pid)]
            if self._options.rehearse_only or not ready:
                return
            for subject in self._subjects:
                self._tell("attach", 0.0, "Attaching", subject.pid)
                with request.guarded(subject.pid):
                    subject.attach()
            self._track()
            for subject in self._subjects:
                if subject.started is not None and subject.ended:
                    with request.guarded(subject.pid):
                        self._answer(subject)
        finally:
            self._close()

    def _made_ready(self, pid: int) -> bool:
        request = self._request
        with request.guarded(pid):
            self._tell("prepare", 0.0, "Checking", pid)
            self._found.require(pid, request.started())
            subject = Subject(request, pid, self._options)
            subject.check()
            self._subjects.append(subject)
            subject.prepare()
            self._tell("rehearse", 0.0, "Rehearsing", pid)
            subject.rehearse()
            assert subject.rehearsal is not None
            if subject.rehearsal.how != "same":
                request.channel.warn(
                    "RehearsedElse",
                    f"The program of process {pid} cannot be started alone; memray was tried out with "
                    f"{subject.rehearsal.detail}.",
                    pid,
                )
            if self._options.rehearse_only:
                self._answer_check(subject)
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
        begun = told = time.monotonic()
        until = begun + options.seconds
        limit = Nearing()
        while active:
            self._request.channel.check()
            now = time.monotonic()
            for subject in active:
                subject.look()
            active = [subject for subject in active if subject.tracking]
            if now >= until:
                self._stop(active, "time")
                break
            sizes = {subject.pid: subject.captured for subject in active}
            if now - told >= _TELL_SECONDS:
                told = now
                self._tell("track", now - begun, f"{_amount(sum(sizes.values()))} captured", None, sum(sizes.values()))
            self._stop([subject for subject in active if sizes[subject.pid] >= subject.maximum], "limit")
            self._stop([subject for subject in active if subject.has_no_room(sizes[subject.pid])], "limit")
            if limit.is_near(read_memory(self._request.proc).room, now):
                self._stop([subject for subject in active if subject.tracking], "memory")
            active = [subject for subject in active if subject.tracking]
            time.sleep(min(_LOOK_SECONDS, max(0.0, until - now)))

    def _stop(self, subjects: List[Subject], why: str) -> None:
        for subject in subjects:
            with self._request.guarded(subject.pid):
                subject.stop(why)

    def _answer_check(self, subject: Subject) -> None:
        assert subject.rehearsal is not None
        about = self._found.about(subject.pid)
        self._request.result(
            {
                "kind": "memrayCheck",
                "pid": subject.pid,
                "command": about["command"],
                "python": subject.target.version,
                "memray": VERSION,
                "payload": subject.kind,
                "rehearsal": subject.rehearsal.as_json(),
                "needs": subject.needs,
                "room": read_memory(self._request.proc).room,
                "attach": None,
            }
        )

    def _answer(self, subject: Subject) -> None:
        request = self._request
        assert subject.started is not None and subject.rehearsal is not None
        self._warn(subject)
        self._tell("read", self._options.seconds, "Reading the capture", subject.pid)
        about = self._found.about(subject.pid)
        report: Any = None
        try:
            report = subject.report()
            report["metadata"]["command"] = about["command"]
        except AgentError as error:
            if error.cause != errors.CAPTURE_INVALID or subject.ended in ("time", "limit", "memory"):
                raise
            request.channel.warn("CaptureUnreadable", error.message, subject.pid)
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
                    "place": "memory" if subject.in_memory else "disk",
                    "maximum": subject.maximum,
                },
                "memory": {"limit": memory.limit, "used": memory.used},
                "report": report,
            }
        )
        self._hand_over(subject)

    def _warn(self, subject: Subject) -> None:
        warn = self._request.channel.warn
        pid = subject.pid
        if subject.ended == "exited":
            warn("ProcessExited", f"Process {pid} ended while it was tracked: the report is what was captured.", pid)
        elif subject.ended == "limit":
            most = _amount(subject.maximum) + (", and is kept in memory" if subject.in_memory else "")
            what = "filled the debug container's disk" if subject.is_full else f"reached {most}"
            warn("CaptureLimit", f"The capture of process {pid} {what}: tracking ended early.", pid)
        elif subject.ended == "memory":
            warn("LastWords", f"Process {pid} is close to its memory limit: tracking ended early to report.", pid)
        elif subject.ended == "tracker":
            warn("TrackerEnded", f"The tracker in process {pid} ended by itself: the report is what was captured.", pid)

    def _hand_over(self, subject: Subject) -> None:
        """Send the files that were asked for besides the report."""
        if not self._options.keep and self._drawer is None:
            return
        assert subject.place is not None
        capture = subject.place.open_capture()
        if capture is None:
            raise invalid(subject.pid, "missing", "it is gone")
        try:
            if self._drawer is not None:
                # Without a picture the capture is worth having all the same.
                with self._request.guarded(subject.pid):
                    self._tell("read", self._options.seconds, "Drawing the capture", subject.pid)
                    page = self._drawer.draw(capture)
                    try:
                        self._send(page, "html", subject.pid)
                    finally:
                        os.close(page)
            if self._options.keep:
                self._send(capture, "capture", subject.pid)
        finally:
            os.close(capture)

    def _send(self, descriptor: int, file: str, pid: int) -> None:
        told = time.monotonic()
        size = os.fstat(descriptor).st_size

        def tell(sent: int) -> None:
            nonlocal told
            if time.monotonic() - told >= _TELL_SECONDS:
                told = time.monotonic()
                text = f"{_amount(sent)} of {_amount(size)} sent"
                self._tell("send", self._options.seconds, text, pid, sent)

        about = {"file": file, "pid": pid}
        self._request.result({"kind": "file", **about})
        send_file(self._request, descriptor, size, about, tell)

    def _tell(self, phase: str, done: float, text: str, pid: Any = None, size: int = 0) -> None:
        self._request.channel.send_json(
            "P",
            {
                "done": round(min(done, self._options.seconds), 1),
                "total": self._options.seconds,
                "text": text,
                "bytes": size,
                "phase": phase,
                "pid": pid,
            },
        )

    def _close(self) -> None:
        for subject in self._subjects:
            subject.abandon()
        for subject in self._subjects:
            subject.close()
        if self._drawer is not None:
            self._drawer.close()

    def _drop(self) -> None:
        for subject in self._subjects:
            subject.drop()


class Nearing:
    """Tells when the memory limit is so near that there is just time enough for a report."""

    def __init__(self) -> None:
        self._seen: Deque[Tuple[float, int]] = collections.deque()

    def is_near(self, room: Optional[int], now: float) -> bool:
        """Note the bytes that are left, None where there is no limit."""
        if room is None:
            return False
        self._seen.append((now, room))
        while now - self._seen[0][0] > _GROWTH_SECONDS:
            self._seen.popleft()
        begun, before = self._seen[0]
        # In the first moments what the tracker itself takes would pass for growth.
        lasts = now - begun
        growth = max(0.0, (before - room) / lasts) if lasts >= _GROWTH_SECONDS / 2 else 0.0
        return room < max(_LAST_ROOM, growth * _LAST_SECONDS)


def memray_read(request: Request) -> None:
    """Answer a "memrayRead" request: a report from a capture that the client has."""
    import sys

    options = options_of(request)
    hashes = hashes_of(request)
    capture: Dict[str, Any] = request.body.get("capture") or {}
    size, wanted = capture.get("size"), capture.get("sha256")
    if type(size) is not int or not 0 <= size <= _LARGEST_UPLOAD or not isinstance(wanted, str):
        raise AgentError(errors.BAD_REQUEST, "Parameter 'capture' must have size and sha256.")
    machine, minor = os.uname().machine, sys.version_info[1]
    kind = f"cp3{minor}"
    if kind not in hashes.get(machine, {}):
        reason = "version" if machine in hashes else "machine"
        raise AgentError(
            errors.MEMRAY_NO_PAYLOAD,
            f"There is no memray for the debug container's Python 3.{minor} on {machine} in this build.",
            detail={"reason": reason, "found": f"3.{minor}" if machine in hashes else machine},
        )
    drawer = Drawer(request, VERSION) if options.html else None
    person = person_of(os.getpid(), request.proc)
    payload = obtain(request, f"memray-{kind}", {machine: hashes[machine][kind]})
    place: Optional[Place] = None
    descriptor = nameless_file(request.proc, "A capture of memray")
    try:
        _receive(request, descriptor, size, wanted)
        place = place_for(request.proc, person)
        request.channel.at_loss(place.close)
        unpack(request, place, payload, os.getpid(), hashes[machine])
        interpreter = reader_interpreter(minor, person)
        assert interpreter is not None
        report = read_report(request, interpreter, place, descriptor, options.stacks, options.depth, None)
        request.result({"kind": "memrayRead", "memray": VERSION, "report": report})
        if drawer is not None:
            page = drawer.draw(descriptor)
            about = {"file": "html", "pid": None}
            try:
                request.result({"kind": "file", **about})
                send_file(request, page, os.fstat(page).st_size, about)
            finally:
                os.close(page)
    finally:
        os.close(descriptor)
        os.close(payload.descriptor)
        if place is not None:
            place.close()
        if drawer is not None:
            drawer.close()


def _receive(request: Request, descriptor: int, size: int, wanted: str) -> None:
    digest = sha256()
    length = 0
    request.channel.send_json("N", {"name": "capture", "machine": None, "size": size})
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
            errors.CAPTURE_INVALID, "The capture did not arrive as it was sent.", detail={"reason": "transfer"}
        )


def _amount(size: int) -> str:
    if size < 1 << 20:
        return f"{size / 1024:.0f} kB"
    return f"{size / (1 << 20):.1f} MB"
