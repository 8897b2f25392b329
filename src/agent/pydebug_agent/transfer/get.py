"""The operation "get": a file out of the debug container or the target's, or the files of a folder, in one stream."""

from __future__ import annotations

import os
import stat
import time
from typing import Any, Dict, List, Optional, Tuple

from .. import wire
from ..system.errors import AgentError, file_error
from ..target.request import Request
from .folder import Entry, key, walk
from .send import send_from, stand_back
from .tree import Tree, encoded, is_regular, open_in, path_of, tree_of

MOST_FILES = 100_000
_MOST_PATTERNS = 100
_LOOK_EVERY = 1000
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class _Resume:
    """Where a transfer broke off: after which file, and in which one, of which so much had come."""

    def __init__(self, request: Request) -> None:
        told = request.body.get("resume")
        body: Dict[str, Any] = told if isinstance(told, dict) else {}
        self.after = key(_text(body, "after")) if body.get("after") else ()
        self.path = _text(body, "path") if body.get("path") is not None else None
        self.before = _text(body, "sha256") if self.path is not None else ""
        self.source = [_number(body, name) if self.path is not None else 0 for name in _SOURCE]
        self.offset = _number(body, "offset") if self.path is not None else 0

    def of(self, path: str) -> Tuple[int, str, Optional[List[int]]]:
        """Return where a file goes on, the hash of what comes before that, and what it was."""
        return (self.offset, self.before, self.source) if path == self.path else (0, "", None)


_SOURCE = ("device", "inode", "size", "mtime")


def get(request: Request) -> None:
    """Send one regular file, or those of a folder, each with its hash at the end."""
    stand_back()
    named = path_of(request)
    tree, path = tree_of(request, named)
    try:
        descriptor = open_in(request, tree, path, named)
        try:
            _send(request, tree, named, descriptor)
        finally:
            os.close(descriptor)
    finally:
        tree.close()
    request.result({"kind": "end", "cpu": round(time.process_time(), 3)})


def _send(request: Request, tree: Tree, path: str, descriptor: int) -> None:
    resume = _Resume(request)
    status = os.fstat(descriptor)
    if stat.S_ISDIR(status.st_mode):
        if not request.flag("recurse"):
            raise AgentError(
                wire.FILE_NOT_REGULAR, f"{path} is a directory.", detail={"path": path, "what": "directory"}
            )
        _send_folder(request, tree, path, descriptor, resume)
        return
    if not stat.S_ISREG(status.st_mode):
        raise AgentError(wire.FILE_NOT_REGULAR, f"{path} is not a regular file.", detail={"path": path})
    if not is_regular(status, tree):
        raise AgentError(wire.FILE_NOT_REGULAR, f"{path} is no file but a view of the kernel.", detail={"path": path})
    if path.endswith("/"):
        raise AgentError(wire.FILE_NOT_REGULAR, f"{path} is not a directory.", detail={"path": path})
    _send_file(request, descriptor, "", path, resume)


def _send_folder(request: Request, tree: Tree, path: str, descriptor: int, resume: _Resume) -> None:
    views = tree.views()
    if os.fstat(descriptor).st_dev in views:
        raise AgentError(wire.FILE_NOT_REGULAR, f"{path} is no folder but a view of the kernel.", detail={"path": path})
    exclude = _patterns(request)
    files, size, left = _count(request, path, walk(descriptor, views, exclude))
    request.result({"kind": "tree", "files": files, "bytes": size, "left": left})
    for entry in walk(descriptor, views, exclude):
        request.channel.check()
        if entry.why is None and key(entry.path) <= resume.after:
            continue
        why = entry.why or _send_entry(request, entry, resume)
        if why is not None:
            request.result({"kind": "left", "path": entry.path, "why": why})


def _count(request: Request, path: str, entries: Any) -> Tuple[int, int, int]:
    files, size, left = 0, 0, 0
    for entry in entries:
        if (files + left) % _LOOK_EVERY == 0:
            request.tell(None, f"{files} files found")
        if entry.why is None:
            try:
                size += os.stat(encoded(entry.name), dir_fd=entry.directory, follow_symlinks=False).st_size
                files += 1
            except OSError:
                continue
        else:
            left += 1
        if files > MOST_FILES or left > MOST_FILES:
            raise AgentError(
                wire.LIMIT_EXCEEDED,
                f"{path} has more than {MOST_FILES} {'files' if files > MOST_FILES else 'entries that are no files'}.",
                detail={"path": path, "what": "files"},
            )
    return files, size, left


def _send_entry(request: Request, entry: Entry, resume: _Resume) -> Optional[str]:
    """Send one file of a folder; return why it was left out, None where it was not."""
    try:
        descriptor = os.open(encoded(entry.name), _OPEN, dir_fd=entry.directory)
    except FileNotFoundError:
        return "gone"
    except OSError:
        return "denied"
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return "changed"
        _send_file(request, descriptor, entry.path, entry.path, resume)
    except AgentError as error:
        if error.cause != wire.FILE_CHANGED:
            raise
        return "changed"
    except OSError:
        return "unreadable"
    finally:
        os.close(descriptor)
    return None


def _send_file(request: Request, descriptor: int, path: str, shown: str, resume: _Resume) -> None:
    offset, hashed, source = resume.of(path)
    before = os.fstat(descriptor)
    size = before.st_size
    if source is not None:
        size = _same(before, source, offset, shown)
    about = {"path": path}
    request.result(
        {
            "kind": "file",
            **about,
            "size": size,
            "offset": offset,
            "mode": stat.S_IMODE(before.st_mode),
            "mtime": before.st_mtime_ns,
            "device": before.st_dev,
            "inode": before.st_ino,
        }
    )

    def check() -> None:
        after = os.fstat(descriptor)
        if after.st_mtime_ns != before.st_mtime_ns and after.st_size == before.st_size:
            raise AgentError(wire.FILE_CHANGED, f"{shown} was written to while it was read.", detail={"path": shown})
        if after.st_size != size:
            request.channel.warn(wire.FILE_GREW, f"{shown} grew while it was read: these are its first {size} bytes.")

    try:
        send_from(request, descriptor, size, offset, hashed, about, check=check)
    except OSError as error:
        raise file_error(error, shown) from error


def _same(now: os.stat_result, source: List[int], offset: int, path: str) -> int:
    """Return the size that was announced of a file, where it may still be sent as what it was."""
    device, inode, size, mtime = source
    if (now.st_dev, now.st_ino) != (device, inode):
        raise AgentError(wire.FILE_CHANGED, f"{path} is another file than before the cut.", detail={"path": path})
    if now.st_size < size or offset > size or (now.st_size == size and now.st_mtime_ns != mtime):
        raise AgentError(wire.FILE_CHANGED, f"{path} was written to while it was read.", detail={"path": path})
    return size


def _patterns(request: Request) -> List[str]:
    value = request.body.get("exclude") or []
    if not isinstance(value, list) or len(value) > _MOST_PATTERNS or not all(isinstance(one, str) for one in value):
        raise AgentError(wire.BAD_REQUEST, "Parameter 'exclude' must be a list of patterns.")
    return value


def _text(body: Dict[str, Any], name: str) -> str:
    if not isinstance(body.get(name), str):
        raise AgentError(wire.BAD_REQUEST, f"Parameter 'resume' must have the text {name!r}.")
    return str(body[name])


def _number(body: Dict[str, Any], name: str) -> int:
    value = body.get(name)
    if type(value) is not int or value < 0:
        raise AgentError(wire.BAD_REQUEST, f"Parameter 'resume' must have the number {name!r}.")
    return int(value)
