"""Whether a process still runs the program that it ran: one that calls execve keeps its number and its start."""

from __future__ import annotations

import os
from typing import Optional, Tuple

from ..system.proc import Proc

Image = Tuple[int, int, int]


def image(proc: Proc, pid: int) -> Optional[Image]:
    """Return what tells a program in a process from the next one: where its stack begins, and its file. None where
    neither can be seen, as of a process that is gone."""
    try:
        stack = proc.stat(pid).start_stack
    except (OSError, ValueError):
        return None
    try:
        file = os.stat(proc.path(pid, "exe"))
        device, inode = file.st_dev, file.st_ino
    except OSError:
        device = inode = 0
    # One is what the kernel shows to those who may not see.
    return (stack, device, inode) if stack > 1 or inode else None


def is_replaced(proc: Proc, pid: int, before: Optional[Image]) -> bool:
    """Say whether another program runs there now."""
    now = image(proc, pid)
    return before is not None and now is not None and now != before
