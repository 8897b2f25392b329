"""Threads that no Python knows: which of them use the processor while the others are read."""

from __future__ import annotations

import time
from typing import Collection, Dict, List, NamedTuple, Set

from ..system.proc import Proc

_MOST_WATCHED = 4000
_MOST_NAMED = 4
# Of the time that the stacks took to read, or of a processor that others had: less is a heartbeat.
_NOTABLE_SHARE = 0.2
_LEAST_SECONDS = 0.02


class _Reading(NamedTuple):
    comm: str
    letter: str
    ran: int
    waited: int


class Bystanders:
    """Reads the kernel's counters of all threads twice, and tells which native ones ran, or wanted to, in between."""

    def __init__(self, proc: Proc, pid: int) -> None:
        self._proc = proc
        self._pid = pid
        self._begun = time.monotonic()
        self._first = self._read()

    def busy(self, known: Set[int]) -> List[str]:
        """Return the names and numbers of the busy threads that are not ``known``."""
        if known.issuperset(self._first):
            return []
        lasted = time.monotonic() - self._begun
        if lasted < _LEAST_SECONDS:
            time.sleep(_LEAST_SECONDS - lasted)
            lasted = time.monotonic() - self._begun
        found: List[str] = []
        for tid, last in self._read(known).items():
            first = self._first.get(tid)
            if first is None:
                continue
            used = (last.ran - first.ran + last.waited - first.waited) / 1e9
            if used > _NOTABLE_SHARE * lasted:
                found.append("%s (%d)" % (last.comm, tid))
        return found

    def _read(self, known: Collection[int] = ()) -> Dict[int, _Reading]:
        result: Dict[int, _Reading] = {}
        try:
            tids = self._proc.threads(self._pid)
        except OSError:
            return result
        for tid in tids[:_MOST_WATCHED]:
            if tid in known:
                continue
            try:
                stat = self._proc.stat(self._pid, "task", tid)
                words = self._proc.read(self._pid, "task", tid, "schedstat", limit=96).split()
                result[tid] = _Reading(stat.comm, stat.state, int(words[0]), int(words[1]))
            except (OSError, ValueError, IndexError):
                continue
        return result


def note(busy: List[str]) -> str:
    """Say which native threads use the processor."""
    names = ", ".join(busy[:_MOST_NAMED])
    if len(busy) > _MOST_NAMED:
        names += " and %d more" % (len(busy) - _MOST_NAMED)
    return "%s no Python and used the CPU meanwhile: %s. Measure-PyTime has their share; Invoke-PySpy -Native may " \
        "name their functions." % ("A thread runs" if len(busy) == 1 else "%d threads run" % len(busy), names)
