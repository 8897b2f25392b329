"""The operation that watches: one record for each process and interval, for as long as the client wants.

What it may take of a processor is bounded: looks at threads come as often as there is room for them, and where the
readings alone take more, the interval grows.
"""

from __future__ import annotations

import gc
import time
from typing import Any, Dict, List, Optional, Tuple

from .. import wire
from ..system.errors import AgentError
from ..system.guard import Guard
from ..system.light import uniform
from ..target.processes import Processes
from ..target.request import Request
from ..timing.kernel_thread import Shared
from .group import Group
from .process import Process, stat_of

# The share of a processor that readings and looks may take: for one process, and for each other one, up to the most.
_SHARE, _SHARE_EACH, _MOST_SHARE = 0.0030, 0.0009, 0.0150
# Of that, what readings may take before the interval grows.
_READINGS = 0.6
_LEAST_PAUSE = 0.1
_LONGEST_NAP = 0.25
_LONGEST_INTERVAL = 300.0
# To read a process's memory may take this share: the first time, and when that is done again, no more often than that.
_FIRST_SHARE, _AGAIN_SHARE = 0.005, 0.0005
_INSIDE_SECONDS = 15.0
# What is kept to count tasks takes memory in each.
_MOST_INSIDES = 8
_STARTING_SECONDS = 2.0
_TASKS_SHARE = 0.001
# Files that are kept open cost memory in the kernel, which counts as the pod's.
_MOST_OPEN = 400
_MOST_NEW = 64
_MOST_TRIES = 3
_UNKNOWN = "Of the GIL and of event loops nothing is known: "
# How often the memory that is left is looked at: where little is left, and where much is.
_NEAR_SECONDS, _FAR_SECONDS, _NAP_OF_FAR = 1.0, 4.0, 0.5


class _SeldomGuard:
    """The guard over the last of the memory, which looks less often: what watches does not grow."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._due = 0.0

    def look(self) -> float:
        """Look where it is time; return the seconds until the next call."""
        now = time.monotonic()
        if now >= self._due:
            self._due = now + (_NEAR_SECONDS if self._guard.look() < _NAP_OF_FAR else _FAR_SECONDS)
        return _NAP_OF_FAR


class _Subject:
    """A process that is watched."""

    def __init__(self, process: Process, looks: Any, cpython: bool) -> None:
        self.process = process
        self.looks = looks
        self.inside: Any = None
        self.inside_due = 0.0 if cpython else float("inf")
        self.tasks_due = 0.0
        self.notes: List[str] = []


def watch(request: Request) -> None:
    """Send a "sample" result for each process and interval, and "ended" for one that has gone."""
    interval = request.number("interval", 2.0, 0.2, 3600.0)
    seconds = request.number("seconds", 42_000.0, 0.1, 43_000.0)
    named = request.pids()
    started = request.started()
    request.tell(None, "looking for Pythons")
    found = request.processes()
    chosen = found.choose(named)
    run = _Run(request, found, interval, named is None)
    with request.gone_together(named is None, len(chosen)):
        for pid in chosen:
            with request.guarded(pid):
                run.add(pid, found.require(pid, started, cpython=False).implementation)
    request.channel.every_look(_SeldomGuard(Guard(request.proc, request.channel.end)).look)
    try:
        run.go_on(seconds)
    finally:
        run.close()


class _Run:
    def __init__(self, request: Request, found: Processes, interval: float, whole: bool) -> None:
        self._request = request
        self._proc = request.proc
        self._found = found
        self._asked = self._interval = interval
        self._whole = whole
        self._subjects: Dict[int, _Subject] = {}
        self._groups: Dict[str, Group] = {}
        self._shared = Shared()
        self._shared.left = min(self._shared.left, _MOST_OPEN)
        # Processes that are none of the target's Pythons: when they began, and how often they were looked at. One that
        # has just begun may become one, as a shell does.
        self._passed: Dict[int, Tuple[int, int]] = {pid: (-1, _MOST_TRIES) for pid in found.seen}
        self._round = 0
        self._cost = 0.0
        self._look_cost = 0.0
        self._pause = _LEAST_PAUSE
        self._inside_at = 0.0
        self._why = ""

    def add(self, pid: int, implementation: str) -> None:
        """Watch a process from now on."""
        from .looks import Looks

        process = Process(self._proc, pid)
        subject = _Subject(process, Looks(self._proc, pid, self._shared), implementation == "CPython")
        if implementation != "CPython":
            subject.notes.append("%sit runs %s." % (_UNKNOWN, implementation))
        subject.looks.follow(process.tids)
        self._subjects[pid] = subject
        self._group_of(pid)

    def go_on(self, seconds: float) -> None:
        """Watch until the time is over or nothing is left to watch."""
        begun = time.monotonic()
        until = begun + seconds
        due = min(begun + self._interval, until)
        look_due = begun
        while self._subjects or self._whole:
            self._request.channel.check()
            now = time.monotonic()
            if now >= due:
                self._sample(now)
                if now >= until:
                    return
                due = min(max(due + self._interval, now + 0.5 * self._interval), until)
                # What is left is no interval of its own.
                if until - due < 0.25 * self._interval:
                    due = until
            elif now >= look_due:
                self._look_inside(now)
                self._look(now)
                look_due = now + self._pause * uniform(0.75, 1.25)
            left = min(due, look_due) - time.monotonic()
            if left > 0:
                time.sleep(min(left, _LONGEST_NAP))

    def close(self) -> None:
        """Close what is open."""
        for subject in self._subjects.values():
            subject.looks.close()

    # Looks

    def _look(self, now: float) -> None:
        used = time.thread_time()
        count = 0
        for subject in self._subjects.values():
            if subject.looks.is_of_use:
                subject.looks.look(now)
                count += 1
        if count:
            cost = time.thread_time() - used
            self._look_cost = cost if not self._look_cost else 0.8 * self._look_cost + 0.2 * cost

    def _look_inside(self, now: float) -> None:
        """Read the memory of one process that is due, the others after it: all at once would take too much."""
        if now < self._inside_at:
            return
        subject = next((subject for subject in self._subjects.values() if subject.inside_due <= now), None)
        if subject is None:
            return
        used = time.thread_time()
        subject.inside_due = now + _INSIDE_SECONDS
        try:
            self._read_inside(subject)
        except AgentError as error:
            if error.cause == wire.PYTHON_STARTING:
                subject.inside_due = now + _STARTING_SECONDS
            elif error.cause != wire.PROCESS_GONE:
                subject.inside_due = float("inf")
                subject.notes.append(_UNKNOWN + error.message)
        except (OSError, ImportError) as error:
            subject.inside_due = float("inf")
            subject.notes.append("%s%s." % (_UNKNOWN, error))
        took = time.thread_time() - used
        is_first = any(other.inside_due == 0.0 for other in self._subjects.values())
        self._inside_at = time.monotonic() + took / (_FIRST_SHARE if is_first else _AGAIN_SHARE)
        subject.inside_due = max(subject.inside_due, now + took / _AGAIN_SHARE)

    def _read_inside(self, subject: _Subject) -> None:
        from .inside import Inside

        inside = subject.inside or Inside(self._proc, subject.process.pid)
        found = inside.find()
        subject.looks.gils = found.gils
        subject.looks.set_loops(found.loops)
        # What has no event loops is not kept: it is read anew, in case that it has by then.
        kept = sum(other.inside is not None for other in self._subjects.values() if other is not subject)
        subject.inside = inside if inside.has_asyncio and kept < _MOST_INSIDES else None
        # Its buffers hang in circles, which nobody would look for so soon.
        del inside
        gc.collect()

    # Samples

    def _sample(self, now: float) -> None:
        used = time.thread_time()
        self._round += 1
        children = self._children()
        told: Dict[str, Dict[str, Any]] = {}
        for pid, subject in list(self._subjects.items()):
            content = subject.process.sample()
            if content is None:
                self._end(pid, subject)
                continue
            subject.looks.follow(subject.process.tids)
            if subject.looks.hidden and subject.looks.gils is not None:
                subject.looks.gils = None
                subject.inside_due = float("inf")
                subject.notes.append(_UNKNOWN + "its threads may not be looked at.")
            content.update(self._of_group(pid, content["seconds"], told))
            content.update(subject.looks.take())
            content.update(
                kind="sample",
                round=self._round,
                interval=self._interval,
                children=children.get(pid, 0),
                tasks=self._tasks(subject, now),
                notes=subject.notes + ([self._why] if self._why else []),
            )
            subject.notes = []
            self._request.result(content)
        self._adapt(time.thread_time() - used)

    def _adapt(self, cost: float) -> None:
        """Let readings and looks take no more than they may."""
        if self._round == 1:
            # What is only done once is part of it.
            return
        self._cost = cost if self._round == 2 else 0.7 * self._cost + 0.3 * cost
        share = min(_SHARE + _SHARE_EACH * (len(self._subjects) - 1), _MOST_SHARE)
        wanted = min(self._cost / (share * _READINGS), _LONGEST_INTERVAL)
        if wanted > 1.1 * self._asked:
            self._interval = wanted
            threads = sum(len(subject.process.tids) for subject in self._subjects.values())
            self._why = "The interval is %.1f s instead of %g s: %d processes with %d threads take %.0f ms to read." % (
                wanted, self._asked, len(self._subjects), threads, 1000 * self._cost)
        else:
            self._interval, self._why = self._asked, ""
        left = max(share - self._cost / self._interval, 0.25 * share)
        self._pause = min(max(_LEAST_PAUSE, self._look_cost / left), self._interval)

    def _tasks(self, subject: _Subject, now: float) -> Optional[int]:
        if subject.inside is None or now < subject.tasks_due:
            return None
        used = time.thread_time()
        count: Optional[int] = subject.inside.tasks()
        subject.tasks_due = now + (time.thread_time() - used) / _TASKS_SHARE
        return count

    def _of_group(self, pid: int, seconds: float, told: Dict[str, Dict[str, Any]]) -> Dict[str, Any]:
        """What its control group says: of one group the same to all of its processes."""
        name, group = self._group_of(pid)
        if name not in told:
            told[name] = group.read(seconds)
        return told[name]

    def _group_of(self, pid: int) -> Tuple[str, Group]:
        try:
            name = self._proc.text(pid, "cgroup", limit=1 << 13)
        except OSError:
            name = ""
        group = self._groups.get(name)
        if group is None or group.pid not in self._subjects:
            # It is seen through one of its processes, and that has ended.
            group = self._groups[name] = Group(self._proc, pid)
        return name, group

    def _children(self) -> Dict[int, int]:
        """How many children each process has; and, where the whole container is watched, watch what has begun."""
        counts: Dict[int, int] = {}
        passed: Dict[int, Tuple[int, int]] = {}
        new = 0
        for pid in self._proc.pids():
            try:
                stat = stat_of(self._proc, pid)
            except (OSError, ValueError, IndexError):
                continue
            if stat.state not in ("Z", "X"):
                counts[stat.parent] = counts.get(stat.parent, 0) + 1
            if not self._whole or pid in self._subjects:
                continue
            ticks, tries = self._passed.get(pid, (stat.start_ticks, 0))
            if ticks not in (-1, stat.start_ticks):
                tries = 0
            if tries < _MOST_TRIES and new < _MOST_NEW and stat.state not in ("Z", "X"):
                new += 1
                tries += 1
                self._meet(pid)
            passed[pid] = (stat.start_ticks if ticks != -1 else -1, tries)
        self._passed = {pid: known for pid, known in passed.items() if pid not in self._subjects}
        return counts

    def _meet(self, pid: int) -> None:
        """Watch a process that was not there before, if it is one of the target's Pythons."""
        python = self._found.meet(pid)
        if python is not None:
            try:
                self.add(pid, python.implementation)
            except (OSError, ValueError, IndexError):
                pass

    def _end(self, pid: int, subject: _Subject) -> None:
        subject.looks.close()
        del self._subjects[pid]
        self._request.result({
            "kind": "ended", "round": self._round, "pid": pid, "started": subject.process.started,
            "name": subject.process.last.stat.name,
        })
