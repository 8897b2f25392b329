"""The operations that move one file: get and put."""

from __future__ import annotations

import functools
import os
import stat
from typing import Callable, Dict, Optional, Tuple

from .digest import sha256
from .errors import (
    BAD_REQUEST,
    DISK_FULL,
    FILE_CHANGED,
    FILE_EXISTS,
    FILE_NOT_REGULAR,
    AgentError,
    file_error,
)
from .memory import require_room
from .request import Request
from .scratch import is_memory, write_all

_CHUNK = 1 << 18
_LARGE = 1 << 20


def get(request: Request) -> None:
    """Send one regular file, with its hash at the end."""
    path = _path(request)
    descriptor = _open(path)
    try:
        before = _regular(descriptor, path)
        if before.st_dev == os.stat("/proc").st_dev:
            raise AgentError(FILE_NOT_REGULAR, f"{path} is no file but a view of the kernel.", detail={"path": path})
        request.result(
            {
                "kind": "file",
                "path": path,
                "size": before.st_size,
                "mode": stat.S_IMODE(before.st_mode),
                "mtime": before.st_mtime,
            }
        )
        digest = sha256()
        sent = 0
        while sent < before.st_size:
            request.channel.check()
            try:
                chunk = os.pread(descriptor, min(_CHUNK, before.st_size - sent), sent)
            except OSError as error:
                raise file_error(error, path) from error
            if not chunk:
                raise AgentError(
                    FILE_CHANGED, f"{path} shrank while it was read.", detail={"size": before.st_size, "read": sent}
                )
            digest.update(chunk)
            request.channel.send("F", chunk)
            sent += len(chunk)
        after = os.fstat(descriptor)
        if after.st_mtime_ns != before.st_mtime_ns and after.st_size == before.st_size:
            raise AgentError(FILE_CHANGED, f"{path} was written to while it was read.", detail={"path": path})
        if after.st_size != before.st_size:
            request.channel.warn(
                "FileGrew", f"{path} grew while it was read: these are its first {before.st_size} bytes."
            )
        request.result({"kind": "fileEnd", "path": path, "sha256": digest.hexdigest(), "size": sent})
    finally:
        os.close(descriptor)


def put(request: Request) -> None:
    """Write one file under a temporary name and rename it when its hash is right."""
    path = _path(request)
    size = int(request.number("size", -1, 0, 1 << 50))
    wanted = request.text("sha256")
    if size < 0:
        raise AgentError(BAD_REQUEST, "Parameter 'size' is missing.")
    overwrite = request.flag("overwrite")
    parent, name = os.path.split(path)
    try:
        directory = os.open(_encoded(parent), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise file_error(error, path) from error
    temporary: Optional[bytes] = None
    try:
        _check_place(directory, name, path, overwrite)
        if size > _LARGE and is_memory(request.proc, f"/proc/self/fd/{directory}"):
            require_room(request.proc, size, f"Writing {path}, which lives in memory,")
        _check_space(directory, size, path)
        descriptor, temporary = _create(directory, path)
        request.channel.at_loss(functools.partial(_unlink, directory, temporary))
        try:
            _receive(request, descriptor, path, size, wanted)
        finally:
            os.close(descriptor)
        _publish(directory, temporary, name, path, overwrite)
        temporary = None
        request.result({"kind": "fileEnd", "path": path, "sha256": wanted, "size": size})
    finally:
        if temporary is not None:
            _unlink(directory, temporary)
        os.close(directory)


def _path(request: Request) -> str:
    path = request.text("path")
    if not path.startswith("/") or "\0" in path:
        raise AgentError(BAD_REQUEST, "Parameter 'path' must be an absolute path.")
    if path.endswith("/") or os.path.basename(path) in (".", ".."):
        raise AgentError(FILE_NOT_REGULAR, f"{path} is a directory.", detail={"path": path})
    return path


def _encoded(path: str) -> bytes:
    # The locale of the image has no say in it.
    return path.encode("utf-8", "surrogateescape")


def _open(path: str) -> int:
    try:
        # A pipe must not hold the agent, a link must not lead elsewhere.
        return os.open(_encoded(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        raise file_error(error, path) from error


def _regular(descriptor: int, path: str) -> os.stat_result:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise AgentError(FILE_NOT_REGULAR, f"{path} is not a regular file.", detail={"path": path})
    return status


def _check_place(directory: int, name: str, path: str, overwrite: bool) -> None:
    try:
        status = os.stat(_encoded(name), dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return
    except OSError as error:
        raise file_error(error, path) from error
    if not overwrite:
        raise AgentError(FILE_EXISTS, f"{path} exists.", detail={"path": path})
    if not stat.S_ISREG(status.st_mode):
        raise AgentError(FILE_NOT_REGULAR, f"{path} exists and is not a regular file.", detail={"path": path})


def _check_space(directory: int, size: int, path: str) -> None:
    status = os.fstatvfs(directory)
    free = status.f_bavail * status.f_frsize
    if status.f_blocks and size > free:
        raise AgentError(
            DISK_FULL, f"{path} needs {size} bytes, and {free} are free.", detail={"size": size, "free": free}
        )


def _create(directory: int, path: str) -> Tuple[int, bytes]:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    name = b".pydebug-" + os.urandom(8).hex().encode("ascii")
    try:
        return os.open(name, flags, 0o600, dir_fd=directory), name
    except OSError as error:
        raise file_error(error, path) from error


def _receive(request: Request, descriptor: int, path: str, size: int, wanted: str) -> None:
    digest = sha256()
    length = 0
    for chunk in request.channel.ask("content"):
        request.channel.check()
        length += len(chunk)
        if length > size:
            raise AgentError(BAD_REQUEST, f"More came for {path} than the {size} bytes announced.")
        digest.update(chunk)
        try:
            write_all(descriptor, chunk)
        except OSError as error:
            raise file_error(error, path) from error
    if length != size or digest.hexdigest() != wanted:
        raise AgentError(
            FILE_CHANGED,
            f"What came for {path} is not what was announced.",
            detail={"size": size, "received": length, "sha256": digest.hexdigest()},
        )
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise file_error(error, path) from error


def _publish(directory: int, temporary: bytes, name: str, path: str, overwrite: bool) -> None:
    final = _encoded(name)
    try:
        if overwrite:
            os.rename(temporary, final, src_dir_fd=directory, dst_dir_fd=directory)
            return
        try:
            # A link, unlike a rename, never replaces what came into being meanwhile.
            os.link(temporary, final, src_dir_fd=directory, dst_dir_fd=directory, follow_symlinks=False)
        except PermissionError:
            _check_place(directory, name, path, False)
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


OPERATIONS: Dict[str, Callable[[Request], None]] = {"get": get, "put": put}
