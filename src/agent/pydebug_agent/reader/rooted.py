"""Files by the paths the target knows them by, without ever leaving the target's root."""

from __future__ import annotations

import errno
import os
import struct
from typing import Any, Optional

from ..proc import Proc

_OPENAT2 = 437
_O_PATH = 0o10000000
_RESOLVE_NO_MAGICLINKS, _RESOLVE_IN_ROOT = 0x02, 0x10


class TargetRoot:
    """Opens files below /proc/PID/root. ``usable`` is False where the kernel cannot keep a lookup inside a root."""

    def __init__(self, proc: Proc, pid: int) -> None:
        import ctypes

        self._syscall: Any = ctypes.CDLL(None, use_errno=True).syscall
        self._syscall.restype = ctypes.c_long
        self._get_errno = ctypes.get_errno
        self._argument = ctypes.c_long
        self.usable = True
        self._directory = ""
        self._root = -1
        try:
            self._root = os.open(proc.path(pid, "root"), _O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            self._directory = proc.link(pid, "cwd")
        except OSError:
            self.usable = self._root >= 0

    def close(self) -> None:
        """Release the root."""
        if self._root >= 0:
            os.close(self._root)
            self._root = -1

    def open(self, path: str, flags: int) -> Optional[int]:
        """Return a descriptor of a file, None when there is no such file or it cannot be opened safely."""
        if not self.usable or "\0" in path or not path or path.startswith("<"):
            return None
        if not path.startswith("/"):
            path = self._directory + "/" + path
        how = struct.pack("<QQQ", flags | os.O_CLOEXEC, 0, _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS)
        long = self._argument
        name = path.encode("utf-8", "surrogateescape")
        found = self._syscall(long(_OPENAT2), long(self._root), name, how, long(len(how)))
        if found >= 0:
            return int(found)
        if self._get_errno() in (errno.ENOSYS, errno.EPERM):
            self.usable = False
        return None

    def modified(self, path: str) -> Optional[float]:
        """Return when a regular file was changed last, in seconds since 1970; None when that cannot be told."""
        descriptor = self.open(path, _O_PATH)
        if descriptor is None:
            return None
        try:
            state = os.fstat(descriptor)
            return state.st_mtime if state.st_mode & 0o170000 == 0o100000 else None
        finally:
            os.close(descriptor)
