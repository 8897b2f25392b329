"""Places for bytes: nameless files where the container has a disk it may write to, memory elsewhere."""

from __future__ import annotations

import fcntl
import os
import stat
from typing import Optional

from .memory_limit import require_headroom
from .proc import Proc

_DIRECTORIES = ("/tmp", "/var/tmp")
_IN_MEMORY = ("tmpfs", "ramfs", "devtmpfs", "hugetlbfs")
_MFD_CLOEXEC = 0x1
_MFD_ALLOW_SEALING = 0x2
_MFD_EXEC = 0x10
_ADD_SEALS = 1033
_SEAL_ALL = 0xF


def writable_directory(proc: Proc, executable: bool = False) -> Optional[str]:
    """Return a directory on a disk that this process may write to, None where there is none.

    ``executable``: what lies there must also be allowed to run.
    """
    for directory in _DIRECTORIES:
        try:
            # Either may be a link into a tmpfs.
            real = os.path.realpath(directory)
            flags = os.statvfs(real).f_flag
        except OSError:
            continue
        if flags & os.ST_RDONLY or (executable and flags & os.ST_NOEXEC):
            continue
        if os.access(real, os.W_OK | os.X_OK) and not is_memory(proc, real):
            return real
    return None


def is_memory(proc: Proc, path: str) -> bool:
    """Say whether files at a path live in memory that counts against the pod's limit."""
    try:
        device = os.stat(path).st_dev
        wanted = f"{os.major(device)}:{os.minor(device)}"
        for line in proc.text("self", "mountinfo").splitlines():
            left, _, right = line.partition(" - ")
            if left.split(" ")[2:3] == [wanted]:
                return right.split(" ")[0] in _IN_MEMORY
    except OSError:
        pass
    return False


def nameless_file(proc: Proc, what: str) -> int:
    """Return the descriptor of a file that nobody else can find and that goes with the last descriptor."""
    directory = writable_directory(proc)
    if directory is not None:
        try:
            return nameless_on(directory)
        except OSError:
            pass
    require_headroom(proc, 1 << 20, what)
    return os.memfd_create(what, _MFD_CLOEXEC)


def nameless_on(directory: str) -> int:
    """Return the descriptor of a file on a disk that has no name."""
    try:
        # Nor can it be given one.
        return os.open(directory, os.O_TMPFILE | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError:
        path = os.path.join(directory, f".pydebug-{os.urandom(8).hex()}")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        os.unlink(path)
        return descriptor


def executable_memory(what: str) -> int:
    """Return the descriptor of a file in memory that may be run."""
    try:
        return os.memfd_create(what, _MFD_CLOEXEC | _MFD_ALLOW_SEALING | _MFD_EXEC)
    except OSError:
        # Kernels before 6.3 do not know the flag, and need none.
        return os.memfd_create(what, _MFD_CLOEXEC | _MFD_ALLOW_SEALING)


def seal(descriptor: int) -> None:
    """Let nobody change a file in memory any more."""
    try:
        fcntl.fcntl(descriptor, _ADD_SEALS, _SEAL_ALL)
    except OSError:
        pass


def private_path(parent: str) -> str:
    """Return the path of our own directory below ``parent``."""
    return os.path.join(parent, f".pydebug-{os.geteuid()}")


def private_directory(parent: str) -> Optional[int]:
    """Return a descriptor of our own directory below ``parent``, None where somebody else holds the name."""
    path = private_path(parent)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass
    except OSError:
        return None
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    status = os.fstat(descriptor)
    if status.st_uid == os.geteuid() and not stat.S_IMODE(status.st_mode) & 0o077:
        return descriptor
    os.close(descriptor)
    return None


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of ``data``."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
