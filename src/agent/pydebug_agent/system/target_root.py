"""Files by the paths that a process knows them by, without ever leaving its root: the target's, or our own."""

from __future__ import annotations

import errno
import os
import stat
import struct
from typing import Callable, List, NamedTuple, Optional

from .. import wire
from .errors import AgentError, file_error
from .libc import function, last_error
from .proc import Proc

_OPENAT2 = 437
_O_PATH = 0o10000000
_RESOLVE_NO_MAGICLINKS, _RESOLVE_IN_ROOT = 0x02, 0x10
# A seccomp profile that is older than the call says EPERM.
_UNKNOWN = (errno.ENOSYS, errno.EPERM)
_HERE = -100

_calls: List[Optional[Callable[..., int]]] = []


class TargetRoot:
    """Opens files below /proc/PID/root. ``usable`` is False where the kernel cannot keep a lookup inside a root."""

    def __init__(self, proc: Proc, pid: int) -> None:
        self.usable = True
        self.error = 0
        self._directory = ""
        self._root = -1
        try:
            self._root = os.open(proc.path(pid, "root"), _O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            self._directory = proc.link(pid, "cwd")
        except OSError as error:
            self.error = error.errno or 0
            self.usable = self._root >= 0

    def close(self) -> None:
        """Release the root."""
        if self._root >= 0:
            os.close(self._root)
            self._root = -1

    def open(self, path: str, flags: int) -> Optional[int]:
        """Return a descriptor, None where there is no such file or it cannot be opened safely: ``error`` says why."""
        if not self.usable or "\0" in path or not path or path.startswith("<"):
            return None
        if not path.startswith("/"):
            path = self._directory + "/" + path
        try:
            return self.descriptor(path, flags)
        except OSError as error:
            self.error = error.errno or 0
            if self.error in _UNKNOWN:
                self.usable = False
            return None

    @property
    def holds(self) -> bool:
        """Say whether there is a root here, and the kernel keeps a lookup inside it."""
        try:
            os.close(self.descriptor("/", _O_PATH))
        except OSError:
            return False
        return True

    def descriptor(self, path: str, flags: int) -> int:
        """Return a descriptor of what lies at an absolute path, or raise the kernel's error."""
        found = _openat2(self._root, path, flags, _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS)
        if found < 0:
            raise OSError(-found, os.strerror(-found))
        return found

    def regular(self, path: str) -> Optional[int]:
        """Return a regular file to read from; to open what else may lie there would have effects, or wait."""
        handle = self.open(path, _O_PATH)
        if handle is None:
            return None
        try:
            return readable(handle)
        except OSError as error:
            self.error = error.errno or 0
            return None
        finally:
            os.close(handle)

    def modified(self, path: str) -> Optional[float]:
        """Return when a regular file was changed last, in seconds since 1970; None when that cannot be told."""
        descriptor = self.open(path, _O_PATH)
        if descriptor is None:
            return None
        try:
            state = os.fstat(descriptor)
            return state.st_mtime if stat.S_ISREG(state.st_mode) else None
        finally:
            os.close(descriptor)


class Below(NamedTuple):
    """A path below the root of a process, as that process knows it."""

    pid: int
    path: str


def below(path: str) -> Optional[Below]:
    """Return what a path such as /proc/7/root/etc/x names, None where it is none of those."""
    words = _plain(path).split("/", 4)
    if len(words) < 4 or words[:2] != ["", "proc"] or words[3] != "root" or not words[2].isdigit():
        return None
    return Below(int(words[2]), "/" + "".join(words[4:]))


def handle_of(proc: Proc, path: str) -> int:
    """Return a descriptor that only names what lies at an absolute path, be it below the root of a process.

    There its links lead where that process sees them lead; a link of ours at the end is not followed.
    """
    there = below(path)
    if there is None:
        return _own(path, os.O_NOFOLLOW)
    root = TargetRoot(proc, there.pid)
    try:
        descriptor = root.open(there.path, _O_PATH)
    finally:
        root.close()
    if descriptor is not None:
        return descriptor
    if root.error in _UNKNOWN:
        raise _refused(
            path,
            "openat2",
            "this kernel, or this container's seccomp profile, has no openat2: nothing would keep the links below "
            "there inside the root of the process",
        )
    raise file_error(OSError(root.error, os.strerror(root.error)), path)


def own_directory(path: str) -> int:
    """Return a descriptor of a directory of this container's, through no process's root."""
    if below(path) is not None:
        raise _refused(path, "target", "that is the application's: nothing is written below the root of a process")
    return _own(path, os.O_DIRECTORY)


def readable(handle: int) -> int:
    """Return a descriptor to read from of what a handle names; raises OSError where that is no regular file."""
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        raise OSError(errno.ELOOP, "is not a regular file")
    return os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_CLOEXEC)


def _own(path: str, flags: int) -> int:
    """Open a path of ours, where no link of the kernel's leads into another process."""
    found = _openat2(_HERE, path, _O_PATH | flags, _RESOLVE_NO_MAGICLINKS)
    if found == -errno.ELOOP:
        raise _refused(
            path, "link", "a link on the way leads through another process; /proc/PID/root/... names its files")
    try:
        if found >= 0:
            return found
        if -found not in _UNKNOWN:
            raise OSError(-found, os.strerror(-found))
        return _own_by_steps(_plain(path), flags)
    except OSError as error:
        raise file_error(error, path) from error


def _own_by_steps(path: str, flags: int) -> int:
    """The same without openat2: what real names there are lead, below /proc none."""
    parent, name = (path, "") if flags & os.O_DIRECTORY else os.path.split(path)
    real = os.path.realpath(parent.encode("utf-8", "surrogateescape"))
    if name:
        real = os.path.join(real, name.encode("utf-8", "surrogateescape"))
    if path.startswith("/proc/") or real.startswith(b"/proc/"):
        raise OSError(errno.EACCES, "leads through /proc, which takes openat2")
    return os.open(real, _O_PATH | flags | os.O_CLOEXEC)


def _openat2(directory: int, path: str, flags: int, resolve: int) -> int:
    """Return a descriptor, or the negative error."""
    if not _calls:
        _calls.append(function("syscall", waits=True))
    call = _calls[0]
    if call is None:
        return -errno.ENOSYS
    how = struct.pack("<QQQ", flags | os.O_CLOEXEC, 0, resolve)
    # The locale of the image has no say in a name.
    found = call(_OPENAT2, directory, path.encode("utf-8", "surrogateescape"), how, len(how))
    return found if found >= 0 else -last_error()


def _plain(path: str) -> str:
    """A path without what changes nothing in it."""
    return "/" + "/".join(word for word in path.split("/") if word not in ("", "."))


def _refused(path: str, reason: str, words: str) -> AgentError:
    return AgentError(wire.FILE_DENIED, f"{path}: {words}.", detail={"path": path, "reason": reason})
