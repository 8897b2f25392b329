"""Where payload, script and capture lie: files of ours that the target sees through /proc.

On a disk where the container has one that may be written to and run from, in memory elsewhere.
"""

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
from typing import Collection, Dict, List, Optional, Tuple

from .. import errors
from ..errors import AgentError, file_error
from ..payload import Executable
from ..proc import Proc
from ..scratch import executable_memory, seal, writable_directory, write_all
from .people import Helper, Person

# Before the names of files in memory, as maps show them.
IN_MEMORY = "memfd:pydebug-"
_PREFIX = ".pydebug-memray-"
_LEAST_SPACE = 64 << 20
_LAST_SPACE = 16 << 20
_PAGE = 4096
_YOUNG_SECONDS = 30.0
_LIBRARIES = "memray.libs/"
# What is the target's alone to write.
_OWN = ("capture", "bytecode")


class Place:
    """One target's files, by names: those of a payload as it has them, and "script", "capture" and "bytecode"."""

    in_memory = False

    def __init__(self, person: Person) -> None:
        self._person = person
        self._names: List[str] = []

    def unpack(self, payload: Executable, without: Collection[str] = ()) -> None:
        """Lay out a payload, whose hash has been checked, but for libraries of these names."""
        with opened(payload) as archive:
            for entry in archive:
                content = archive.extractfile(entry) if entry.isreg() else None
                name = os.path.normpath(entry.name)
                if content is None or name.startswith(("/", "..")) or os.path.basename(name) in without:
                    continue
                self.write(name, content.read())
                self._names.append(name)

    def files(self) -> Dict[str, str]:
        """Return a payload's files by their names, as the target sees them."""
        return {name: self.seen(name) for name in self._names}

    def libraries(self) -> List[Tuple[str, str]]:
        """Return what must be loaded before memray's extension, in this order: names, and paths as the target sees.

        The loader would not find all of them: a file in memory has no folder, a distribution's extension names none.
        """
        wanted = [name for name in self._names if name.startswith(_LIBRARIES)]
        return [(name[len(_LIBRARIES) :], self.seen(name)) for name in wanted]

    def extension(self) -> str:
        """Return the name of memray's extension module."""
        return next(name for name in self._names if name.startswith("memray/_memray.") and name.endswith(".so"))

    def write(self, name: str, content: bytes) -> None:
        """Write a file that the target may read."""
        raise NotImplementedError

    def seen(self, name: str) -> str:
        """Return a file's path as the target sees it."""
        raise NotImplementedError

    @property
    def control(self) -> str:
        """The address at which the target finds us."""
        raise NotImplementedError

    def listen(self) -> socket.socket:
        """Return a socket for the target to connect to."""
        raise NotImplementedError

    def is_full(self, captured: int) -> bool:
        """Say whether there is so little room left that a capture of this size may not grow any more."""
        return False

    def open_capture(self) -> Optional[int]:
        """Return a descriptor of the capture, None where there is none."""
        raise NotImplementedError

    def forget_capture(self) -> None:
        """Make the capture what it was before."""
        raise NotImplementedError

    def close(self) -> None:
        """Remove everything."""
        raise NotImplementedError


def opened(payload: Executable) -> tarfile.TarFile:
    """Return a payload as the archive that it is."""
    size = os.fstat(payload.descriptor).st_size
    return tarfile.open(fileobj=io.BytesIO(os.pread(payload.descriptor, size, 0)))


def place_for(proc: Proc, person: Person) -> Place:
    """Return a place for a target that is this person."""
    base = disk(proc)
    return Memory(person) if base is None else Disk(base, person)


def disk(proc: Proc) -> Optional[str]:
    """Return the folder that places are made in, None where there are none but in memory."""
    return writable_directory(proc, executable=True)


class Disk(Place):
    """A folder: what a payload holds may be read by the target, another one within is the target's alone."""

    def __init__(self, base: str, person: Person) -> None:
        super().__init__(person)
        _sweep(base)
        free = os.statvfs(base)
        if free.f_bavail * free.f_frsize < _LEAST_SPACE:
            raise AgentError(errors.DISK_FULL, f"{base} has less than {_LEAST_SPACE >> 20} MiB left for a capture.")
        self.folder = tempfile.mkdtemp(prefix=_PREFIX, dir=base)
        self._lock = os.open(os.path.join(self.folder, "lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._library = os.path.join(self.folder, "lib")
        self._own = os.path.join(self.folder, "own")
        self._control = os.path.join(self._library, "control")
        self._helper: Optional[Helper] = None
        os.mkdir(self._library)
        os.mkdir(self._own)
        try:
            # Nobody else finds the way in by listing, and the names within are the target's.
            os.chmod(self.folder, 0o711)
            os.chmod(self._library, 0o755)
            _give(self._own, person, 0o700)
            self._helper = Helper(person)
        except OSError as error:
            self.close()
            raise file_error(error, self.folder) from error

    def unpack(self, payload: Executable, without: Collection[str] = ()) -> None:
        super().unpack(payload, without)
        for folder, _, _ in os.walk(self._library):
            os.chmod(folder, 0o755)

    def write(self, name: str, content: bytes) -> None:
        path = self._path(name)
        try:
            os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
            with open(path, "wb") as file:
                file.write(content)
            os.chmod(path, 0o644)
        except OSError as error:
            raise file_error(error, path) from error

    def seen(self, name: str) -> str:
        assert self._helper is not None
        return self._helper.seen(self._path(name))

    @property
    def control(self) -> str:
        assert self._helper is not None
        return self._helper.seen(self._control)

    def listen(self) -> socket.socket:
        """Return a socket that the target's user alone can connect to."""
        # In a folder of ours: nobody can put anything else under this name.
        server = _listening(self._control)
        _give(self._control, self._person, 0o600)
        return server

    def is_full(self, captured: int) -> bool:
        try:
            status = os.statvfs(self.folder)
        except OSError:
            return False
        # It grows by a tenth at a time.
        return status.f_bavail * status.f_frsize < _LAST_SPACE + captured // 8

    def open_capture(self) -> Optional[int]:
        """Return a descriptor of the capture, None where there is none.

        The folder is the target's: no link in it is followed.
        """
        try:
            folder = os.open(self._own, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
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

    def forget_capture(self) -> None:
        try:
            os.unlink(self._path("capture"))
        except OSError:
            pass

    def close(self) -> None:
        if self._helper is not None:
            self._helper.close()
            self._helper = None
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _path(self, name: str) -> str:
        return os.path.join(self._own if name in _OWN else self._library, name)


class Memory(Place):
    """Files without names that a process of the target's user holds open; they go with it and with us."""

    in_memory = True

    def __init__(self, person: Person) -> None:
        super().__init__(person)
        self._files: Dict[str, int] = {}
        self._helper: Optional[Helper] = None
        # Among the network namespace's sockets; whoever is not the process that is waited for is turned away.
        self._control = f"\0pydebug-memray-{os.urandom(16).hex()}"
        try:
            self._make("script")
            for name in _OWN:
                descriptor = self._make(name)
                if os.geteuid() == 0:
                    os.fchown(descriptor, person.user, person.group)
                os.fchmod(descriptor, 0o600)
        except OSError as error:
            self.close()
            raise AgentError(
                errors.MEMRAY_NO_PLACE,
                "The debug container has no disk that may be written to and run from, and files in memory are refused "
                f"to it, too ({error.strerror}): memray and its capture have no place.",
                detail={"reason": "readOnly"},
            ) from error

    def unpack(self, payload: Executable, without: Collection[str] = ()) -> None:
        # Whoever holds them open takes them over when it is started.
        assert self._helper is None
        super().unpack(payload, without)

    def write(self, name: str, content: bytes) -> None:
        try:
            descriptor = self._files.get(name)
            if descriptor is None:
                descriptor = self._make(name)
            write_all(descriptor, content)
        except OSError as error:
            raise file_error(error, name) from error
        seal(descriptor)

    def seen(self, name: str) -> str:
        if self._helper is None:
            try:
                self._helper = Helper(self._person, list(self._files.values()))
            except OSError as error:
                raise file_error(error, name) from error
        return f"/proc/{self._helper.pid}/fd/{self._files[name]}"

    @property
    def control(self) -> str:
        return self._control

    def listen(self) -> socket.socket:
        return _listening(self._control)

    def open_capture(self) -> Optional[int]:
        descriptor = self._files.get("capture")
        if descriptor is None or not os.fstat(descriptor).st_size:
            return None
        return os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY | os.O_CLOEXEC)

    def forget_capture(self) -> None:
        os.ftruncate(self._files["capture"], 0)

    def close(self) -> None:
        if self._helper is not None:
            self._helper.close()
            self._helper = None
        while self._files:
            os.close(self._files.popitem()[1])

    def _make(self, name: str) -> int:
        descriptor = executable_memory(IN_MEMORY[len("memfd:") :] + os.path.basename(name))
        self._files[name] = descriptor
        return descriptor


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


def _listening(address: str) -> socket.socket:
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    server.bind(address)
    server.listen(4)
    server.setblocking(False)
    return server


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
