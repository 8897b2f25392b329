"""The operation "put": a file into the debug container, or the files of a folder, in one stream.

The client sends for each file: the length of a JSON object (4 bytes, big-endian), the object (path below the folder,
size, offset, mtime in ns), the bytes from the offset on, and the SHA-256 of the whole file (32 bytes).
"""

from __future__ import annotations

import _thread
import os
import stat
import time
from typing import Any, Dict, Iterator, Optional, Tuple

from .. import wire
from ..protocol.light_json import loads
from ..system.digest import sha256_for
from ..system.errors import AgentError, file_error
from ..system.memory_limit import require_headroom
from ..system.scratch import is_memory, write_all
from ..system.target_root import own_directory
from ..target.request import Request
from .get import MOST_FILES
from .send import stand_back
from .tree import encoded, path_of

_LARGE = 1 << 20
_LONGEST_HEAD = 1 << 16
_READ = 1 << 18
# So long a client whose connection was cut may come back for what is half there.
_KEPT_SECONDS = 25.0
_POLL_SECONDS = 0.1
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_LEFT_OUT = {
    wire.FILE_EXISTS: "exists",
    wire.FILE_DENIED: "denied",
    wire.FILE_NOT_REGULAR: "place",
    wire.FILE_CHANGED: "changed",
}


def put(request: Request) -> None:
    """Write files under a temporary name each, and rename each when its hash is right."""
    stand_back()
    path = path_of(request)
    folder = request.flag("folder")
    parent, name = os.path.split(path.rstrip("/") if folder else path)
    if not folder and name in ("", ".", ".."):
        raise AgentError(wire.FILE_NOT_REGULAR, f"{path} is a directory.", detail={"path": path})
    store = _Store(request, own_directory(parent or "/"), path, folder)
    try:
        if folder:
            store.enter(name)
        store.check_headroom()
        store.receive(name)
    finally:
        store.close()
    request.result({"kind": "end", "cpu": round(time.process_time(), 3)})


class _Store:
    """What is written, and where."""

    def __init__(self, request: Request, base: int, path: str, folder: bool) -> None:
        self._request = request
        self._base = base
        self._path = path
        self._folder = folder
        self._overwrite = request.flag("overwrite")
        self._size = int(request.number("bytes", -1, 0, 1 << 60))
        self._files = int(request.number("files", 1, 0, MOST_FILES))
        self._try = int(request.number("try", 0, 0, 1 << 20))
        self._token = request.text("token")
        if self._size < 0 or len(self._token) != 32 or not self._token.isalnum():
            raise AgentError(wire.BAD_REQUEST, "Parameters 'bytes' and 'token' must say what comes.")
        self._writing = _thread.allocate_lock()
        self._directory = -1
        self._temporary: Optional[bytes] = None
        request.channel.at_loss(self._keep)

    def close(self) -> None:
        """Remove what got no name."""
        self._drop()
        os.close(self._base)

    def enter(self, name: str) -> None:
        """Go into the folder that is written to; make it where there is none."""
        self._base, above = _inner(self._base, name or ".", self._path), self._base
        os.close(above)

    def check_headroom(self) -> None:
        """Raise where there is no room for all of it."""
        if self._size > _LARGE and is_memory(self._request.proc, f"/proc/self/fd/{self._base}"):
            require_headroom(self._request.proc, self._size, f"Writing {self._path}, which lives in memory,")
        status = os.fstatvfs(self._base)
        free = status.f_bavail * status.f_frsize
        if status.f_blocks and self._size > free:
            raise AgentError(
                wire.DISK_FULL,
                f"{self._path} needs {self._size} bytes, and {free} are free.",
                detail={"size": self._size, "free": free},
            )

    def receive(self, name: str) -> None:
        """Take the files as they come."""
        if not self._folder:
            _check_destination(self._base, name, self._path, self._overwrite)
        first, have, digest = self._half()
        if not have:
            self._drop()
        if not self._folder and not have:
            self._begin(self._base)
        self._request.channel.send_json(
            wire.NEED, {"name": "content", "path": first, "have": have, "sha256": digest.hexdigest() if have else None}
        )
        stream = _Stream(self._request)
        for number in range(self._files + 1):
            head = stream.head()
            if head is None:
                return
            path = self._checked(head, number)
            try:
                if have and path == first and head["offset"] == have:
                    self._take(stream, head, os.path.basename(path) if self._folder else name, digest, have)
                else:
                    if have:
                        self._drop()
                    self._one(stream, head, name)
            except AgentError as error:
                if not self._folder or error.cause != wire.FILE_CHANGED:
                    raise
                self._drop()
                self._left(head, error)

    def _checked(self, head: Dict[str, Any], number: int) -> str:
        path, numbers = head.get("path"), [head.get(field) for field in ("size", "offset", "mtime")]
        parts = path.split("/") if isinstance(path, str) else []
        if (
            not isinstance(path, str)
            or number == self._files
            or any(type(value) is not int or value < 0 for value in numbers)
            or head["offset"] > head["size"]
            or "\0" in path
            or (any(part in ("", ".", "..") for part in parts) if self._folder else path != "")
        ):
            raise AgentError(wire.BAD_REQUEST, "What came for a file is not what it must be.")
        return str(path)

    def _one(self, stream: "_Stream", head: Dict[str, Any], name: str) -> None:
        if head["offset"]:
            raise AgentError(wire.BAD_REQUEST, "The client goes on with what is not here.")
        digest = sha256_for(self._request.proc, head["size"])
        if not self._folder:
            if self._temporary is None:
                self._begin(self._base)
            self._take(stream, head, name, digest, 0)
            return
        try:
            directory, last = _descend(self._base, head["path"], self._path)
        except AgentError as error:
            self._leave(stream, head, error)
            return
        try:
            try:
                _check_destination(directory, last, head["path"], self._overwrite)
                self._begin(directory)
            except AgentError as error:
                self._leave(stream, head, error)
                return
            self._take(stream, head, last, digest, 0)
        finally:
            os.close(directory)

    def _leave(self, stream: "_Stream", head: Dict[str, Any], error: AgentError) -> None:
        """Tell that a file is left out; the others go on."""
        if error.cause not in _LEFT_OUT:
            raise error
        for _ in stream.bytes(head["size"] - head["offset"] + 32):
            pass
        self._left(head, error)

    def _left(self, head: Dict[str, Any], error: AgentError) -> None:
        self._request.result({"kind": "left", "path": head["path"], "why": _LEFT_OUT[error.cause]})

    def _take(self, stream: "_Stream", head: Dict[str, Any], name: str, digest: Any, have: int) -> None:
        path = head["path"] or self._path
        flags = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self._temporary or b"", flags, dir_fd=self._directory)
        try:
            for chunk in stream.bytes(head["size"] - have):
                digest.update(chunk)
                with self._writing:
                    write_all(descriptor, chunk)
            wanted = b"".join(stream.bytes(32)).hex()
            if digest.hexdigest() != wanted:
                raise AgentError(
                    wire.FILE_CHANGED,
                    f"What came for {path} is not what was announced.",
                    detail={"size": head["size"], "sha256": digest.hexdigest()},
                )
            os.utime(descriptor, ns=(time.time_ns(), head["mtime"]))
            os.fsync(descriptor)
        except OSError as error:
            raise file_error(error, path) from error
        finally:
            os.close(descriptor)
        self._publish(name, path)
        self._request.result({"kind": "fileEnd", "path": head["path"], "sha256": wanted, "size": head["size"]})

    # The temporary file

    def _name(self, number: int) -> bytes:
        return b".pydebug-%s-%d" % (self._token.encode("ascii"), number)

    def _begin(self, directory: int) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        name = self._name(self._try)
        try:
            os.close(os.open(name, flags, 0o600, dir_fd=directory))
        except OSError as error:
            raise file_error(error, self._path) from error
        self._directory, self._temporary = os.dup(directory), name

    def _half(self) -> Tuple[str, int, Any]:
        """Take over what an agent before this one has of a file; return its path, size and hash."""
        path = self._request.text("resume", required=False)
        nothing = path, 0, sha256_for(self._request.proc, 0)
        if not self._try:
            return nothing
        try:
            directory = _descend(self._base, path, self._path)[0] if self._folder else os.dup(self._base)
        except AgentError:
            return nothing
        for number in range(self._try - 1, max(-1, self._try - 100), -1):
            try:
                # Who waits with it for the client sees by that that it came.
                os.rename(self._name(number), self._name(self._try), src_dir_fd=directory, dst_dir_fd=directory)
            except OSError:
                continue
            self._directory, self._temporary = directory, self._name(self._try)
            return (path, *self._read_half())
        os.close(directory)
        return nothing

    def _read_half(self) -> Tuple[int, Any]:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(self._temporary or b"", flags, dir_fd=self._directory)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_nlink != 1:
                raise AgentError(wire.FILE_NOT_REGULAR, f"Something else lies in the place of {self._path}.")
            digest = sha256_for(self._request.proc, status.st_size)
            have = 0
            while have < status.st_size:
                self._request.channel.check()
                chunk = os.read(descriptor, _READ)
                if not chunk:
                    break
                digest.update(chunk)
                have += len(chunk)
            return have, digest
        finally:
            os.close(descriptor)

    def _publish(self, name: str, path: str) -> None:
        _publish(self._directory, self._temporary or b"", name, path, self._overwrite)
        self._temporary = None
        self._drop()

    def _drop(self) -> None:
        if self._temporary is not None:
            _unlink(self._directory, self._temporary)
            self._temporary = None
        if self._directory >= 0:
            os.close(self._directory)
            self._directory = -1

    def _keep(self) -> None:
        """Wait for the client that was cut off; what it does not come back for goes."""
        # Nothing is written any more: whoever takes over counts what is there.
        self._writing.acquire()
        temporary, directory = self._temporary, self._directory
        if temporary is None:
            return
        until = time.monotonic() + _KEPT_SECONDS
        while time.monotonic() < until:
            try:
                os.stat(temporary, dir_fd=directory, follow_symlinks=False)
            except OSError:
                return
            time.sleep(_POLL_SECONDS)
        _unlink(directory, temporary)


class _Stream:
    """What the client sends, in pieces of the size that is wanted."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._chunks: Iterator[bytes] = request.channel.chunks()
        self._rest = b""

    def head(self) -> Optional[Dict[str, Any]]:
        """Return what comes next, None at the end."""
        length = int.from_bytes(b"".join(self.bytes(4)), "big")
        if length == 0:
            return None
        if length > _LONGEST_HEAD:
            raise AgentError(wire.BAD_REQUEST, "What came for a file is not what it must be.")
        try:
            head = loads(b"".join(self.bytes(length)))
        except (ValueError, RecursionError):
            head = None
        if not isinstance(head, dict):
            raise AgentError(wire.BAD_REQUEST, "What came for a file is not what it must be.")
        return head

    def bytes(self, count: int) -> Iterator[bytes]:
        """Yield so many bytes, as they come."""
        while count > 0:
            self._request.channel.check()
            if not self._rest:
                self._rest = next(self._chunks, b"")
                if not self._rest:
                    raise AgentError(wire.BAD_REQUEST, "Less came than was announced.")
            piece, self._rest = self._rest[:count], self._rest[count:]
            count -= len(piece)
            yield piece


def _descend(base: int, path: str, shown: str) -> Tuple[int, str]:
    """Return the folder of a path below ``base``, made where it is missing, and the last part of the path."""
    parts = path.split("/")
    directory = os.dup(base)
    try:
        for part in parts[:-1]:
            inner = _inner(directory, part, shown)
            os.close(directory)
            directory = inner
    except BaseException:
        os.close(directory)
        raise
    return directory, parts[-1]


def _inner(directory: int, name: str, path: str) -> int:
    try:
        try:
            os.mkdir(encoded(name), 0o700, dir_fd=directory)
        except FileExistsError:
            pass
        return os.open(encoded(name), _DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
    except NotADirectoryError:
        raise AgentError(wire.FILE_NOT_REGULAR, f"{path} exists and is no folder.", detail={"path": path}) from None
    except OSError as error:
        raise file_error(error, path) from error


def _check_destination(directory: int, name: str, path: str, overwrite: bool) -> None:
    try:
        status = os.stat(encoded(name), dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return
    except OSError as error:
        raise file_error(error, path) from error
    if not overwrite:
        raise AgentError(wire.FILE_EXISTS, f"{path} exists.", detail={"path": path})
    if not stat.S_ISREG(status.st_mode):
        raise AgentError(wire.FILE_NOT_REGULAR, f"{path} exists and is not a regular file.", detail={"path": path})


def _publish(directory: int, temporary: bytes, name: str, path: str, overwrite: bool) -> None:
    final = encoded(name)
    try:
        if overwrite:
            os.rename(temporary, final, src_dir_fd=directory, dst_dir_fd=directory)
            return
        try:
            # A link, unlike a rename, never replaces what came into being meanwhile.
            os.link(temporary, final, src_dir_fd=directory, dst_dir_fd=directory, follow_symlinks=False)
        except PermissionError:
            _check_destination(directory, name, path, False)
            os.rename(temporary, final, src_dir_fd=directory, dst_dir_fd=directory)
            return
        _unlink(directory, temporary)
    except OSError as error:
        raise file_error(error, path) from error


def _unlink(directory: int, name: bytes) -> None:
    try:
        os.unlink(name, dir_fd=directory)
    except OSError:
        pass
