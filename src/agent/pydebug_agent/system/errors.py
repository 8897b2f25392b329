"""Failures with a cause that the client knows by name."""

from __future__ import annotations

import errno
from typing import Any, Dict, Optional

from .. import wire


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
    errno.ENOENT: wire.FILE_NOT_FOUND,
    errno.ENOTDIR: wire.FILE_NOT_FOUND,
    errno.ENAMETOOLONG: wire.FILE_NOT_FOUND,
    errno.EEXIST: wire.FILE_EXISTS,
    errno.ELOOP: wire.FILE_NOT_REGULAR,
    errno.EISDIR: wire.FILE_NOT_REGULAR,
    errno.ENXIO: wire.FILE_NOT_REGULAR,
    errno.ENODEV: wire.FILE_NOT_REGULAR,
    errno.ENOSPC: wire.DISK_FULL,
    errno.EDQUOT: wire.DISK_FULL,
    errno.EFBIG: wire.DISK_FULL,
    errno.EACCES: wire.FILE_DENIED,
    errno.EPERM: wire.FILE_DENIED,
    errno.EROFS: wire.FILE_DENIED,
}


def file_error(error: OSError, path: str) -> AgentError:
    """Turn an error of a file operation into one with a cause."""
    cause = _FILE_CAUSES.get(error.errno or 0, wire.INTERNAL)
    detail = {"path": path, "errno": errno.errorcode.get(error.errno or 0, str(error.errno))}
    return AgentError(cause, f"{path}: {error.strerror or error}.", detail=detail)
