"""The C library and the loader of a process, by the names of their files."""

from __future__ import annotations

import os
from typing import List, Tuple

from ..system.proc import Mapping

_DELETED = " (deleted)"


def plain(path: str) -> str:
    """Return a path of a map without what says that the file is gone."""
    return path[: -len(_DELETED)] if path.endswith(_DELETED) else path


def name_of(path: str) -> str:
    """Return the name of a map's file."""
    return os.path.basename(plain(path))


def is_libc(name: str) -> bool:
    """Say whether a file is called like glibc itself."""
    return name == "libc.so.6" or _is_of_release(name, ("libc",))


def is_glibc(name: str) -> bool:
    """Say whether a file is called like glibc or one of the parts that older releases of it have."""
    return is_libc(name) or name in ("libpthread.so.0", "libdl.so.2") or _is_of_release(name, ("libpthread", "libdl"))


def is_musl(name: str) -> bool:
    """Say whether a file is called like musl."""
    return name.startswith(("ld-musl-", "libc.musl-")) and name.endswith(".so.1")


def is_loader(name: str) -> bool:
    """Say whether a file is called like the dynamic loader."""
    return name.startswith("ld-linux") and ".so" in name or name == "ld.so" or _is_of_release(name, ("ld",))


def _is_of_release(name: str, parts: Tuple[str, ...]) -> bool:
    """Whether a name is such as libc-2.31.so."""
    begin, _, release = name[: -len(".so")].partition("-2.")
    return name.endswith(".so") and begin in parts and release.isdigit()


def libc_of(maps: List[Mapping]) -> str:
    """Return "glibc", "musl", or "static" where no C library is mapped."""
    names = [name_of(entry.path) for entry in maps]
    if any(is_musl(name) for name in names):
        return "musl"
    return "glibc" if any(is_glibc(name) for name in names) else "static"
