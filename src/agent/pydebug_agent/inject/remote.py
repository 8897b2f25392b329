"""The interpreter's own way in, from 3.14 on (PEP 768): a script's path in a thread's state, run at a safe point."""

from __future__ import annotations

import os
import struct
from typing import NamedTuple, Optional

from ..reader.frames import Thread
from ..reader.layouts import schema
from ..reader.memory import Fault
from ..reader.target import Target
from .writer import Writer

_FIRST_MINOR = 14
# Behind what the reader uses come two fields of lists, then these six.
_FIELDS = struct.Struct("<8Q")
_PLEASE_STOP = 1 << 5
_LARGEST_OFFSET = 1 << 20
_PATH_SIZE = 512


class Support(NamedTuple):
    """Where a thread's state keeps what a debugger asks of it."""

    eval_breaker: int
    support: int
    enabled: int
    pending: int
    path: int
    size: int


def support_of(target: Target) -> Optional[Support]:
    """Return the offsets that the process publishes, None where it has none that make sense."""
    if target.layout.minor < _FIRST_MINOR or not target.found.published or target.found.version[1] < _FIRST_MINOR:
        return None
    try:
        data = target.memory.read(target.found.runtime + schema(target.layout.minor)[1], _FIELDS.size)
    except Fault:
        return None
    found = Support(*_FIELDS.unpack(data)[2:])
    small = all(0 <= value < _LARGEST_OFFSET for value in found)
    return found if small and found.size == _PATH_SIZE and found.path >= found.pending + 4 and found.support else None


def is_enabled(target: Target, support: Support, thread: Thread) -> bool:
    """Say whether the process lets itself be debugged so; PYTHON_DISABLE_REMOTE_DEBUG says no."""
    return target.memory.u32(thread.interpreter + support.enabled) == 1


class Remote:
    """Asks one thread to run one script."""

    def __init__(self, target: Target, support: Support, writer: Writer) -> None:
        self._memory = target.memory
        self._support = support
        self._writer = writer

    def leave(self, thread: Thread, path: str) -> bool:
        """Leave the path of a script with a thread; false where somebody else has left one."""
        text = os.fsencode(path) + b"\0"
        if len(text) > self._support.size:
            raise ValueError("the path of the script is too long")
        place = thread.address + self._support.support
        if self._memory.u32(place + self._support.pending):
            return False
        self._writer.write(place + self._support.path, text)
        self._writer.write(place + self._support.pending, struct.pack("<i", 1))
        return True

    def raise_flag(self, thread: Thread) -> None:
        """Let a thread look soon at what was left with it. It must stand meanwhile.

        Its flags are read and written in two steps: what it, or a signal that it handles, sets in between would be
        lost.
        """
        breaker = thread.address + self._support.eval_breaker
        # One byte holds the flags; the others must not be put back to what they were.
        flags = self._memory.read(breaker, 1)[0]
        self._writer.write(breaker, bytes([flags | _PLEASE_STOP]))

    def take_back(self, thread: Thread) -> None:
        """Forget a script that has not been run."""
        place = thread.address + self._support.support
        self._writer.write(place + self._support.pending, struct.pack("<i", 0))
        self._writer.write(place + self._support.path, b"\0")
