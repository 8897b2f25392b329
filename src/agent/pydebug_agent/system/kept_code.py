"""Keeps what was compiled here on the container's disk, so that the next agent has only to load it.

The client is told the hash of it, and tells that to the next agent: nothing else that lies there is ever run.
"""

from __future__ import annotations

import marshal
import os
import sys
from typing import Any, Dict, List, Optional, Tuple

from .proc import Proc
from .scratch import private_directory, private_path, writable_directory, write_all

_PREFIX = "code-"
_MOST_FILES = 16


def keep(proc: Proc) -> Optional[Dict[str, Any]]:
    """Write the code of the modules that were compiled here; return what the client has to know, None for nothing."""
    loader: Any = sys.modules["__main__"]
    compiled: List[Tuple[str, Any]] = getattr(loader, "compiled", [])
    find = loader.hasher() if compiled else None
    directory = writable_directory(proc) if find is not None else None
    folder = private_directory(directory) if directory is not None else None
    if directory is None or folder is None:
        return None
    name = _PREFIX + os.urandom(8).hex()
    try:
        _make_way(folder)
        size, digest = _write(folder, name, compiled, find())
    except (OSError, ValueError):
        # A full disk, or code that cannot be written: the next one compiles it again.
        _remove(folder, name)
        return None
    finally:
        os.close(folder)
    return {
        "path": os.path.join(private_path(directory), name),
        "size": size,
        "sha256": digest,
        "magic": loader.MAGIC,
        "modules": [module for module, _ in compiled],
    }


def _write(folder: int, name: str, compiled: List[Tuple[str, Any]], digest: Any) -> Tuple[int, str]:
    file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder)
    size = 0
    try:
        for module, code in compiled:
            content = marshal.dumps(code)
            for part in (b"%s %d\n" % (module.encode(), len(content)), content):
                digest.update(part)
                write_all(file, part)
                size += len(part)
        # What is not on the disk yet counts as memory in use; nobody has to wait until it is.
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(file)
    return size, digest.hexdigest()


def _make_way(folder: int) -> None:
    """Remove the oldest files where there are many: each client that starts anew leaves one."""
    files = [name for name in os.listdir(folder) if name.startswith(_PREFIX)]
    if len(files) >= _MOST_FILES:
        times = sorted((os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime, name) for name in files)
        for _, name in times[: len(files) - _MOST_FILES + 1]:
            _remove(folder, name)


def _remove(folder: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except OSError:
        pass
