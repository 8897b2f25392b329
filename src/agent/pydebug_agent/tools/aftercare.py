"""Looks after the target when a tool has been at it."""

from __future__ import annotations

import os
import signal
import time
from typing import Optional

from ..system.proc import Proc

_STOP = 1 << (signal.SIGSTOP - 1)
_SETTLE_SECONDS = 1.0
_CONTINUE_SECONDS = 1.0


def stopped(pid: int, proc: Proc) -> bool:
    """Say whether a thread of the process is stopped, or about to be, although nobody traces it."""
    try:
        threads = proc.threads(pid)
    except OSError:
        return False
    for thread in threads:
        try:
            status = proc.status(pid, "task", thread)
            pending = int(status.get("SigPnd", "0"), 16) | int(status.get("ShdPnd", "0"), 16)
        except (OSError, ValueError):
            continue
        if status.get("TracerPid", "0") == "0" and (status.get("State", "")[:1] in ("T", "t") or pending & _STOP):
            return True
    return False


def restore(pid: int, proc: Proc, was_stopped: bool) -> Optional[str]:
    """Continue a process that a tool left stopped; return what to tell the user, None where all is well."""
    if was_stopped or not _stays(pid, proc):
        return None
    try:
        os.kill(pid, signal.SIGCONT)
    except OSError as error:
        return (
            f"Process {pid} was left stopped and could not be continued ({error.strerror}): "
            f"send it SIGCONT from a container that may."
        )
    until = time.monotonic() + _CONTINUE_SECONDS
    while stopped(pid, proc):
        if time.monotonic() > until:
            return f"Process {pid} was left stopped and stays so after SIGCONT."
        time.sleep(0.01)
    return f"Process {pid} was left stopped by the tool and has been continued."


def _stays(pid: int, proc: Proc) -> bool:
    # A thread that is being let go shows as stopped for a moment.
    until = time.monotonic() + _SETTLE_SECONDS
    while stopped(pid, proc):
        if time.monotonic() > until:
            return True
        time.sleep(0.01)
    return False
