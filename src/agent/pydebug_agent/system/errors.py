"""Failures with a cause that the client knows by name."""

from __future__ import annotations

import errno
from typing import Any, Dict, Optional

PROCESS_GONE = "ProcessGone"
NO_PYTHON = "NoPython"
NOT_CPYTHON = "NotCPython"
UNSUPPORTED_PYTHON = "UnsupportedPython"
PTRACE_DENIED = "PtraceDenied"
NO_CTYPES = "NoCtypes"
PYTHON_STARTING = "PythonStarting"
ASYNCIO_NOT_LOADED = "AsyncioNotLoaded"
FILE_NOT_FOUND = "FileNotFound"
FILE_NOT_REGULAR = "FileNotRegular"
FILE_EXISTS = "FileExists"
FILE_CHANGED = "FileChanged"
FILE_DENIED = "FileDenied"
DISK_FULL = "DiskFull"
LIMIT = "LimitExceeded"
MEMORY_LOW = "MemoryLow"
TOOL_FAILED = "ToolFailed"
TOOL_UNAVAILABLE = "ToolUnavailable"
TOOL_OUTPUT_INVALID = "ToolOutputInvalid"
TARGET_NOT_VISIBLE = "TargetNotVisible"
TARGET_NOT_TOLD = "TargetNotTold"
PROCESS_OUTSIDE = "ProcessOutside"
NO_CAPABILITY = "NoCapability"
NO_BTF = "NoBtf"
NO_TRACEFS = "NoTracefs"
LOCKDOWN = "Lockdown"
SECCOMP = "Seccomp"
TOO_MANY_THREADS = "TooManyThreads"
TOO_MANY_SWITCHES = "TooManySwitches"
OLD_PYTHON = "OldPython"
KERNEL = "Kernel"
AMBIGUOUS_PROCESS = "AmbiguousProcess"
PROCESS_TRACED = "ProcessTraced"
MEMRAY_NO_PAYLOAD = "MemrayNoPayload"
MEMRAY_BUSY = "MemrayBusy"
MEMRAY_NO_PLACE = "MemrayNoPlace"
MEMRAY_REHEARSAL = "MemrayRehearsal"
MEMRAY_UNSAFE = "MemrayUnsafe"
MEMRAY_NO_ANSWER = "MemrayNoAnswer"
MEMRAY_FAILED = "MemrayFailed"
CAPTURE_INVALID = "CaptureInvalid"
HEAP_ALLOCATOR = "HeapAllocator"
HEAP_UNREADABLE = "HeapUnreadable"
BAD_REQUEST = "BadRequest"
DEADLINE = "Deadline"
CANCELLED = "Cancelled"
INTERNAL = "Internal"


class AgentError(Exception):
    """A failure of one process or of the whole request, as the client gets it."""

    def __init__(
        self,
        cause: str,
        message: str,
        pid: Optional[int] = None,
        detail: Optional[Dict[str, Any]] = None,
    ) -> None:
        super().__init__(message)
        self.cause = cause
        self.message = message
        self.pid = pid
        self.detail: Dict[str, Any] = dict(detail or {})

    def as_frame(self, pid: Optional[int] = None) -> Dict[str, Any]:
        """Return the content of an E frame; ``pid`` fills in where the error names none."""
        return {
            "cause": self.cause,
            "message": self.message,
            "pid": self.pid if self.pid is not None else pid,
            "detail": self.detail,
        }


_FILE_CAUSES = {
    errno.ENOENT: FILE_NOT_FOUND,
    errno.ENOTDIR: FILE_NOT_FOUND,
    errno.ENAMETOOLONG: FILE_NOT_FOUND,
    errno.EEXIST: FILE_EXISTS,
    errno.ELOOP: FILE_NOT_REGULAR,
    errno.EISDIR: FILE_NOT_REGULAR,
    errno.ENXIO: FILE_NOT_REGULAR,
    errno.ENODEV: FILE_NOT_REGULAR,
    errno.ENOSPC: DISK_FULL,
    errno.EDQUOT: DISK_FULL,
    errno.EFBIG: DISK_FULL,
    errno.EACCES: FILE_DENIED,
    errno.EPERM: FILE_DENIED,
    errno.EROFS: FILE_DENIED,
}


def file_error(error: OSError, path: str) -> AgentError:
    """Turn an error of a file operation into one with a cause."""
    cause = _FILE_CAUSES.get(error.errno or 0, INTERNAL)
    detail = {"path": path, "errno": errno.errorcode.get(error.errno or 0, str(error.errno))}
    return AgentError(cause, f"{path}: {error.strerror or error}.", detail=detail)
