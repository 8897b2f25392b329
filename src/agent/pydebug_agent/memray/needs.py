"""What tracking takes of the room that a process has, under the pod's limit and under its own limits."""

from __future__ import annotations

import os
from typing import Dict, NamedTuple

from ..inject.symbols import unsafe
from ..system.proc import Proc
from .credentials import limits_of
from .options import Options

# What tracking needs of the room under the memory limit: 8 MiB in the target, the payload, and a second interpreter
# that rehearses and reads, whose need grows with the number of stacks.
_NEEDS, _NEEDS_NATIVE, _NEEDS_ALLOCATORS = 28 << 20, 56 << 20, 72 << 20
# Without a disk the least of a capture comes on top.
_NEEDS_IN_MEMORY = 4 << 20
# What a process opens at the same time, and the least that a capture is worth.
_FILES, _LEAST_CAPTURE = 24, 4 << 20


def needs_of(options: Options, in_memory: bool) -> int:
    """Return the bytes that must be left under the memory limit."""
    more = _NEEDS_IN_MEMORY if in_memory else 0
    if options.python_allocators:
        return _NEEDS_ALLOCATORS + more
    return (_NEEDS_NATIVE if options.native else _NEEDS) + more


def what_fits(options: Options, in_memory: bool, headroom: int) -> Dict[str, str]:
    """Return, as a failure's detail has it, a way to ask for less that there is room for."""
    plain = options._replace(native=False, python_allocators=False)
    return {"fits": "plainReport"} if plain != options and needs_of(plain, in_memory) <= headroom else {}


class LimitHeadroom(NamedTuple):
    """What is left to a process under its limits, by their names; those that it has not are missing."""

    left: Dict[str, int]

    def capture(self, pid: int, maximum: int) -> int:
        """Return how large a capture may become; raise where the process may write no file that is worth it."""
        # It grows by a tenth at a time, and is laid out ahead.
        most = self.left["FSIZE"] * 3 // 4 if "FSIZE" in self.left else maximum
        if "FSIZE" in self.left and most < _LEAST_CAPTURE:
            raise unsafe(pid, "limits", f"it may write no file of more than {self.left['FSIZE']} bytes (RLIMIT_FSIZE)")
        if self.left.get("NOFILE", _FILES) < _FILES:
            raise unsafe(
                pid, "limits", f"it may open {self.left['NOFILE']} more files, and needs {_FILES} (RLIMIT_NOFILE)"
            )
        return min(maximum, most)


def headroom_of(pid: int, proc: Proc) -> LimitHeadroom:
    """Return what is left to a process under its limits."""
    import resource

    status = proc.status(pid)
    used = {
        "AS": _kilobytes(status, "VmSize"),
        "DATA": _kilobytes(status, "VmData"),
        "NOFILE": _open_files(pid, proc, status),
        "FSIZE": 0,
    }
    left: Dict[str, int] = {}
    for kind, soft, _ in limits_of(pid, proc):
        for name, amount in used.items():
            if kind == getattr(resource, f"RLIMIT_{name}") and soft != resource.RLIM_INFINITY:
                left[name] = max(0, soft - amount)
    return LimitHeadroom(left)


def _kilobytes(status: Dict[str, str], name: str) -> int:
    words = status.get(name, "").split()
    return int(words[0]) * 1024 if words and words[0].isdigit() else 0


def _open_files(pid: int, proc: Proc, status: Dict[str, str]) -> int:
    try:
        return len(os.listdir(proc.path(pid, "fd")))
    except OSError:
        # How many there is room for: as many as were ever open at once, or more.
        return int(status.get("FDSize", "0"))
