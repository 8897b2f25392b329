"""The kernel's files of one thread, kept open: a look costs one read."""

from __future__ import annotations

import os
from typing import Dict, Optional

from ..reader.thread_state import SCHEDSTAT, Counters, counters_of
from ..system.proc import Proc

STAT = "stat"

_NOT_COUNTED = b"0 0 0\n"
_SPARE_DESCRIPTORS = 256
_MOST_DESCRIPTORS = 65536


class Shared:
    """What all threads share: how many files may still be kept open, and whether the kernel counts turns."""

    def __init__(self) -> None:
        self.left = max(0, _raised() - _SPARE_DESCRIPTORS)
        self.counts = False


class Hidden(Exception):
    """A file that may not be read, or that this kernel does not have."""


class KernelThread:
    """Reads a thread's files. One that ended gives None."""

    __slots__ = ("_proc", "_pid", "tid", "_shared", "_open")

    def __init__(self, proc: Proc, pid: int, tid: int, shared: Shared) -> None:
        self._proc = proc
        self._pid = pid
        self.tid = tid
        self._shared = shared
        self._open: Dict[str, int] = {}

    def read(self, name: str, limit: int = 512) -> Optional[bytes]:
        """Return a file's content, None where the thread ended; raise Hidden where there is none to be had."""
        descriptor = self._open.get(name)
        try:
            if descriptor is not None:
                return os.pread(descriptor, limit, 0)
            descriptor = os.open(self._proc.path(self._pid, "task", self.tid, name), os.O_RDONLY | os.O_CLOEXEC)
            if self._shared.left > 0:
                self._shared.left -= 1
                self._open[name] = descriptor
                return os.pread(descriptor, limit, 0)
            try:
                return os.pread(descriptor, limit, 0)
            finally:
                os.close(descriptor)
        except PermissionError as error:
            raise Hidden(name) from error
        except FileNotFoundError as error:
            if not os.path.isdir(self._proc.path(self._pid, "task", self.tid)):
                return None
            if name == SCHEDSTAT:
                return _NOT_COUNTED
            raise Hidden(name) from error
        except OSError:
            return None

    def read_if_shown(self, name: str) -> Optional[bytes]:
        """Return a file's content, None where there is none to be had."""
        try:
            return self.read(name)
        except Hidden:
            return None

    def counters(self, schedstat: Optional[bytes]) -> Optional[Counters]:
        """Return what ``schedstat`` says; where the kernel does not count there, what ``stat`` says."""
        counted = counters_of(schedstat)
        if counted is not None:
            self._shared.counts = True
            return counted
        if self._shared.counts:
            # It has not had its first turn yet.
            return Counters(0.0, 0.0, 0)
        try:
            return Counters(self._proc.stat(self._pid, "task", self.tid).cpu, None, None)
        except (OSError, ValueError):
            return None

    def letter(self) -> str:
        """Return the state's letter, "X" where the thread ended."""
        raw = self.read(STAT, 1024) or b""
        closing = raw.rfind(b")")
        return raw[closing + 2 : closing + 3].decode("ascii", "replace") if closing >= 0 else "X"

    def close(self) -> None:
        """Close the files."""
        for descriptor in self._open.values():
            os.close(descriptor)
            self._shared.left += 1
        self._open.clear()


def _raised() -> int:
    """Raise the limit of open files to what is allowed; return it."""
    try:
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = min(hard, _MOST_DESCRIPTORS) if hard != resource.RLIM_INFINITY else _MOST_DESCRIPTORS
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
        return wanted if soft == resource.RLIM_INFINITY else soft
    except (ImportError, OSError, ValueError):
        return 1024
