"""The processes of the kernel's sampler: which can be sampled so, and how each of them is looked at."""

from __future__ import annotations

from typing import Callable, Optional

from .. import wire
from ..bpf.attach import Attachment, TargetEntry
from ..bpf.thread_local import find_offset
from ..reader.layouts import NEWEST
from ..reader.memory import Denied, Fault, Gone
from ..reader.target import Target, check_ctypes, gone
from ..system.errors import AgentError
from .tally import Reasons, Tally

MOST_THREADS = 5000
_OLDEST_MINOR = 11
_CALIBRATIONS = 8
_WATCHES = 20


def check(target: Target, others: int) -> None:
    """Raise an AgentError that says why the kernel cannot sample a process; ``others`` counts threads beside it."""
    check_ctypes(target.pid)
    version, layout, pid = target.version, target.layout, target.pid
    if layout.free_threaded:
        raise AgentError(
            wire.KERNEL, "The kernel's sampler does not read free-threaded Pythons (%s)." % version, pid
        )
    if layout.minor < _OLDEST_MINOR:
        raise AgentError(
            wire.OLD_PYTHON, "The kernel's sampler reads Python 3.11 and later; this is %s." % version, pid
        )
    if target.found.version[1] > NEWEST:
        raise AgentError(wire.KERNEL, "The kernel's sampler does not know Python %s." % version, pid)
    threads = len(target.tids) + others
    if threads > MOST_THREADS:
        raise AgentError(
            wire.TOO_MANY_THREADS,
            "The kernel's sampler takes up to %d threads; there are %d." % (MOST_THREADS, threads),
            pid,
            {"threads": threads},
        )


class Process:
    """One process: how it is looked at, and what was seen of it."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.pid = target.pid
        self.look: Callable[[], None] = lambda: None
        self.tgid = 0
        self.tally: Optional[Tally] = None
        self.ended = 0
        self.known: "set[int]" = set()
        self.counted = TargetEntry(0, 0, 0, 0, 0)
        self.begin: Callable[[int], None] = lambda now: None

    def admit(self, attachment: Attachment, reasons: Reasons) -> None:
        """Find where its threads keep their Python state; raise an AgentError where it is not found."""
        target = self.target
        offset: Optional[int] = None
        for _ in range(_CALIBRATIONS):
            # Threads come and go: those that both sides know are taken.
            probed = {thread.tid: thread for thread in attachment.probe(self.pid)}
            if not probed:
                raise gone(self.pid)
            threads = [thread for thread in target.threads() if thread.tid in probed]
            pairs = [(thread, probed[thread.tid].pointer) for thread in threads]
            offset = find_offset(target.memory, pairs)
            if offset is not None:
                self.tgid = next(iter(probed.values())).tgid
                break
        if offset is None:
            raise AgentError(
                wire.KERNEL,
                "Where the threads of process %d keep their Python state was not found." % self.pid,
                self.pid,
            )
        layout = target.layout
        fixed = target.found.runtime + layout.runtime_gil if layout.runtime_gil >= 0 else 0
        self.tally = Tally(target, self.tgid, reasons)
        self.name_threads()
        self.look = attachment.looks(self.pid)
        found = offset
        self.begin = lambda now: attachment.add(self.tgid, layout, found, fixed, now)

    def watch(self, attachment: Attachment) -> None:
        """See the switches of all threads; those that are started meanwhile by one that is watched are so too."""
        watched: "set[int]" = set()
        for _ in range(_WATCHES):
            tids = set(self.target.proc.threads(self.pid)) - watched
            if not tids:
                break
            attachment.watch_switches(sorted(tids))
            watched |= tids

    def name_threads(self) -> None:
        """Take note of the names that Python has for its threads."""
        assert self.tally is not None
        target = self.target
        try:
            tids = set(target.proc.threads(self.pid))
            if tids <= self.known:
                return
            self.known = tids
            names = target.names()
            for thread in target.threads():
                if thread.ident in names:
                    self.tally.thread_names[thread.tid] = names[thread.ident]
        except (Fault, Gone, Denied, OSError):
            # It may be ending; the kernel's names remain.
            pass
