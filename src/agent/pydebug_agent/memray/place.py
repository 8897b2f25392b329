"""Where payload, control socket and capture lie: a folder of ours that the target sees through /proc."""

from __future__ import annotations

import fcntl
import io
import os
import shutil
import socket
import stat
import struct
import tarfile
import tempfile
import time
from typing import Collection, Optional

from .. import errors
from ..errors import AgentError, file_error
from ..payload import Executable
from ..proc import Proc
from ..scratch import writable_directory
from .people import Helper, Person

_PREFIX = ".pydebug-memray-"
_LEAST_SPACE = 64 << 20
_PAGE = 4096
_YOUNG_SECONDS = 30.0


class Place:
    """One target's folder: ``library`` is ours and may be read by the target, ``own`` is the target's alone."""

    def __init__(self, proc: Proc, person: Person) -> None:
        base = writable_directory(proc, executable=True)
        if base is None:
            raise AgentError(
                errors.MEMRAY_NO_PLACE,
                "The debug container has no disk that may be written to and run from: memray and its capture have no "
                "place. A container with a writable root file system has.",
                detail={"reason": "readOnly"},
            )
        _sweep(base)
        free = os.statvfs(base)
        if free.f_bavail * free.f_frsize < _LEAST_SPACE:
            raise AgentError(errors.DISK_FULL, f"{base} has less than {_LEAST_SPACE >> 20} MiB left for a capture.")
        self.folder = tempfile.mkdtemp(prefix=_PREFIX, dir=base)
        self._lock = os.open(os.path.join(self.folder, "lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.library = os.path.join(self.folder, "lib")
        self.own = os.path.join(self.folder, "own")
        self.control = os.path.join(self.library, "control")
        self.capture = os.path.join(self.own, "capture")
        self.bytecode = os.path.join(self.own, "bytecode")
        self.script = os.path.join(self.library, "script.py")
        os.mkdir(self.library)
        os.mkdir(self.own)
        self.helper: Optional[Helper] = None
        try:
            # Nobody else finds the way in by listing, and the names within are the target's.
            os.chmod(self.folder, 0o711)
            os.chmod(self.library, 0o755)
            _give(self.own, person, 0o700)
            self._person = person
            self.helper = Helper(person)
        except OSError as error:
            self.close()
            raise file_error(error, self.folder) from error

    def unpack(self, payload: Executable, only: Collection[str] = ()) -> None:
        """Lay out a payload, whose hash has been checked; with ``only`` the files of these names."""
        size = os.fstat(payload.descriptor).st_size
        with tarfile.open(fileobj=io.BytesIO(os.pread(payload.descriptor, size, 0))) as archive:
            for entry in archive:
                content = archive.extractfile(entry) if entry.isreg() else None
                path = os.path.normpath(os.path.join(self.library, entry.name))
                if only and os.path.basename(path) not in only:
                    continue
                if content is None or not path.startswith(self.library + "/"):
                    continue
                os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
                self.write(path, content.read())
        for folder, _, _ in os.walk(self.library):
            os.chmod(folder, 0o755)

    def write(self, path: str, content: bytes) -> None:
        """Write a file that the target may read."""
        try:
            with open(path, "wb") as file:
                file.write(content)
            os.chmod(path, 0o644)
        except OSError as error:
            raise file_error(error, path) from error

    def extension(self) -> str:
        """Return the file name of memray's extension module."""
        names = os.listdir(os.path.join(self.library, "memray"))
        return next(name for name in names if name.startswith("_memray.") and name.endswith(".so"))

    def seen(self, path: str) -> str:
        """Return a path of ours as the target sees it."""
        assert self.helper is not None
        return self.helper.seen(path)

    def listen(self) -> socket.socket:
        """Return a socket that the target's user alone can connect to."""
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        # In a folder of ours: nobody can put anything else under this name.
        server.bind(self.control)
        _give(self.control, self._person, 0o600)
        server.listen(4)
        server.setblocking(False)
        return server

    def open_capture(self) -> Optional[int]:
        """Return a descriptor of the capture, None where there is none.

        The folder is the target's: no link in it is followed.
        """
        try:
            folder = os.open(self.own, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open("capture", flags, dir_fd=folder)
        except OSError:
            return None
        finally:
            os.close(folder)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor
        os.close(descriptor)
        return None

    def close(self) -> None:
        """Remove everything."""
        if self.helper is not None:
            self.helper.close()
            self.helper = None
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def written(descriptor: int) -> int:
    """Return how much of a capture has been written: it is laid out ahead, in zeros."""
    size = os.fstat(descriptor).st_size
    low, high = 0, -(-size // _PAGE)
    while low < high:
        middle = (low + high) // 2
        if os.pread(descriptor, _PAGE, middle * _PAGE).strip(b"\0"):
            low = middle + 1
        else:
            high = middle
    return min(size, low * _PAGE)


def peer_of(connection: socket.socket) -> int:
    """Return the process at the other end."""
    return int(struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0])


def _give(path: str, person: Person, mode: int) -> None:
    if os.geteuid() == 0:
        os.chown(path, person.user, person.group)
    os.chmod(path, mode)


def _sweep(base: str) -> None:
    """Remove what an agent left behind that was killed: nobody holds its lock any more."""
    for name in os.listdir(base):
        path = os.path.join(base, name)
        if not name.startswith(_PREFIX):
            continue
        try:
            status = os.lstat(path)
            if status.st_uid != os.geteuid() or time.time() - status.st_mtime < _YOUNG_SECONDS:
                continue
            lock = os.open(os.path.join(path, "lock"), os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
        except OSError:
            continue
        finally:
            os.close(lock)
