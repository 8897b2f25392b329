"""The operation that looks at heaps: the split first, then the types, then what grows and who holds it."""

from __future__ import annotations

import time
from typing import Any, Dict, List

from .. import wire
from ..reader.memory import Denied, Fault, Gone
from ..reader.target import gone
from ..system.errors import AgentError
from ..system.ptrace_access import ptrace_denied
from ..target.masking import mask_command
from ..target.processes import shorten
from ..target.request import Request, no_ctypes
from .options import Options, options
from .report import build
from .split import C_HEAP, FREE, PYTHON

# For the answer, when the time is over.
_RESERVE = 3.0
# How many looks there are unless that is said: many where one takes less than this part of the time between two.
_FEW, _MANY = 5, 9
_CHEAP = 0.5
_SHARED_PERCENT = 10.0
_PERCENT = 50.0
_MEMORY_EVERY = 0.5
# Of the time that is left.
_HOLDER_SHARE = 0.8


def heap(request: Request) -> None:
    """Send one "heap" result per process."""
    chosen = options(request)
    named = request.pids()
    started = request.started()
    found = request.processes()
    pids = found.choose(named)
    try:
        import ctypes  # to fail here, once, with the reason
    except ImportError as error:
        raise no_ctypes(error) from error
    from .pace import Pace, shares_quota
    from .pages import Buffers

    percent = chosen.percent
    if percent is None:
        shared = any(shares_quota(request.proc, pid) for pid in pids[:1])
        percent = _SHARED_PERCENT if shared else _PERCENT
    pace = Pace(request.channel, percent, min(_RESERVE, request.channel.seconds_left() / 4))
    run = _Run(request, chosen, pace, Buffers())
    # Looks that are spread over time are taken of all processes side by side.
    groups = [pids] if chosen.seconds else [[pid] for pid in pids]
    for group in groups:
        try:
            for pid in group:
                with request.guarded(pid):
                    found.require(pid, started)
                    run.add(pid)
            run.look()
            run.send()
        finally:
            run.close()


class _Run:
    """The processes that are looked at side by side."""

    def __init__(self, request: Request, chosen: Options, pace: Any, buffers: Any) -> None:
        self._request = request
        self._options = chosen
        self._pace = pace
        self._buffers = buffers
        self._watches: Dict[int, Any] = {}
        self._about: Dict[int, Dict[str, Any]] = {}
        self._container: Any = None
        self._used = self._gap = 0.0

    def add(self, pid: int) -> None:
        """Attach to a process."""
        from ..system.container_memory import Container
        from .subject import Subject
        from .watch import Watch

        request = self._request
        about = {
            "command": " ".join(mask_command(shorten(request.proc.command(pid)))),
            "started": request.proc.started(pid),
        }
        self._watches[pid] = Watch(Subject(request.proc, pid, self._buffers, self._pace, self._options.complete))
        about["version"] = self._watches[pid].subject.target.version
        self._about[pid] = about
        self._container = self._container or Container(request.proc)

    def look(self) -> None:
        """Take all looks, spread over the time there is."""
        if not self._watches:
            return
        begun = due = time.monotonic()
        self._used = self._pace.used
        looks = self._options.looks
        index = 0
        try:
            while looks is None or index < looks:
                self._wait(due)
                for pid in list(self._watches):
                    self._one(pid, index, index + 1 == looks)
                if looks is None:
                    # More of them say more, where they are cheap.
                    taken = time.monotonic() - begun
                    looks = _MANY if taken < _CHEAP * self._options.seconds / (_MANY - 1) else _FEW
                index += 1
                if index == 1 and looks > 1:
                    self._gap = self._options.seconds / (looks - 1)
                # Where a look takes longer than the time between two, all of them take longer: fewer would say less.
                due = max(begun + index * self._gap, time.monotonic() + self._gap / 4)
        except _over() as over:
            self._late(over)
            return
        self._container.note(whatever=True)

    def _wait(self, due: float) -> None:
        while time.monotonic() < due:
            self._container.note()
            self._pace.sleep_until(min(due, time.monotonic() + _MEMORY_EVERY))

    def _one(self, pid: int, index: int, last: bool) -> None:
        self._container.note()
        watch = self._watches[pid]
        try:
            if index == 0:
                self._tell(pid, watch)
            wants = None
            if self._options.holder and last:
                from .choose import wants as chosen_by

                wants = chosen_by(watch, self._options)
            watch.look(wants)
        except _over():
            raise
        except Exception as error:  # what goes wrong with one process must not end the others
            del self._watches[pid]
            watch.subject.close()
            with self._request.guarded(pid):
                raise _explained(error, pid, self._request) from error

    def _tell(self, pid: int, watch: Any) -> None:
        """Say where the memory is, as far as that shows at once."""
        look = watch.subject.divide()
        watch.quick = look
        parts = look.split.parts
        self._request.channel.progress(
            0, self._options.seconds or None,
            "process %d: RSS %s; Python %s in use, %s free inside it; C library %s" % (
                pid, _mib(look.split.rss), _mib(parts.get(PYTHON, 0)), _mib(parts.get(FREE, 0)),
                _mib(parts.get(C_HEAP, 0))),
        )

    def _late(self, over: BaseException) -> None:
        """The time is over: what was seen until then is the answer."""
        for pid, watch in self._watches.items():
            if watch.last is None:
                look = getattr(watch, "quick", None)
                if look is None:
                    look = watch.subject.divide()
                look.why_not = AgentError(
                    wire.DEADLINE, "The time was over before the objects of process %d were counted." % pid, pid
                )
                watch.add(look)
            watch.subject.notes.append("The time was over before the last look was taken.")

    def send(self) -> None:
        """Send what was found of each process."""
        count = max(len(self._watches), 1)
        for pid, watch in self._watches.items():
            with self._request.guarded(pid):
                holders = self._holders(watch)
                content = build(watch, self._container, self._options, holders)
                content.update(self._about[pid])
                content["agentCpu"] = round((self._pace.used - self._used) / count, 3)
                self._request.result(content)

    def _holders(self, watch: Any) -> List[Dict[str, Any]]:
        """Say who holds what was asked for, or what grows."""
        from .choose import asked, growing

        options = self._options
        samples = asked(watch, options) if options.holder else growing(watch, options) if options.seconds else []
        seconds = self._pace.seconds_left * _HOLDER_SHARE
        if not samples or seconds < 1:
            return []
        from .holders import Holders

        self._request.channel.progress(
            options.seconds, options.seconds or None,
            "process %d: who holds %d types" % (watch.subject.pid, len(samples)),
        )
        try:
            return Holders(watch.subject, options.keys, seconds).find(samples)
        except _over():
            watch.subject.notes.append("The time was over before the holders were found.")
            return []

    def close(self) -> None:
        """Let go of all processes."""
        for watch in self._watches.values():
            watch.subject.close()
        self._watches = {}


def _over() -> Any:
    from .pace import TimeOver

    return TimeOver


def _explained(error: BaseException, pid: int, request: Request) -> BaseException:
    if isinstance(error, Gone):
        return gone(pid)
    if isinstance(error, Denied):
        return ptrace_denied(pid, request.proc, str(error))
    if isinstance(error, Fault):
        if not request.proc.exists(pid):
            return gone(pid)
        return AgentError(
            wire.HEAP_UNREADABLE, "The heap of process %d changed under the look: %s." % (pid, error), pid,
            {"reason": "fault"},
        )
    return error


def _mib(size: int) -> str:
    return "%.1f MiB" % (size / (1 << 20))
