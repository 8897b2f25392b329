"""Writes into another process's memory, and into no other program's that the process may run by then."""

from __future__ import annotations

import errno
import os
from typing import Any

from ..reader.hold import Refused
from ..reader.memory import Gone
from ..system.proc import Proc
from .registers import Unusable

_SETFSUID = 122


class Writer:
    """A program's memory as it was when this was made: once the process runs another program nothing is written."""

    def __init__(self, pid: int, proc: Proc) -> None:
        self.pid = pid
        self._memory = _open(proc.path(pid, "mem"), pid, proc)

    def write(self, address: int, data: bytes) -> None:
        """Write all of ``data``."""
        while data:
            try:
                done = os.pwrite(self._memory, data, address)
            except OSError as error:
                if error.errno == errno.ESRCH:
                    raise Gone(f"process {self.pid} is gone") from None
                raise Unusable(
                    f"its memory at {address:#x} cannot be written ({errno.errorcode.get(error.errno or 0)})"
                ) from None
            if not done:
                raise Gone(f"process {self.pid} is gone, or runs another program")
            address, data = address + done, data[done:]

    def close(self) -> None:
        """Let go of the memory."""
        if self._memory >= 0:
            os.close(self._memory)
            self._memory = -1


def _open(path: str, pid: int, proc: Proc) -> int:
    try:
        try:
            return os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except PermissionError:
            # The file is its user's: root needs a capability to pass for that, or to be that user for once.
            return _open_as(path, int(proc.status(pid)["Uid"].split()[1]))
    except (FileNotFoundError, ProcessLookupError):
        raise Gone(f"process {pid} is gone") from None
    except OSError as error:
        raise Refused(error.errno or 0, f"its memory cannot be written: {error.strerror}") from None


def _open_as(path: str, user: int) -> int:
    import ctypes

    syscall: Any = ctypes.CDLL(None, use_errno=True).syscall
    syscall(ctypes.c_long(_SETFSUID), ctypes.c_long(user))
    try:
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)
    finally:
        syscall(ctypes.c_long(_SETFSUID), ctypes.c_long(os.geteuid()))
