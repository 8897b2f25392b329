"""An interpreter in which a payload can be rehearsed and a capture read: the target's own, or one that is like it."""

from __future__ import annotations

import os
import sys
from typing import List, Optional

from .. import wire
from ..inject.libraries import is_libc, name_of, plain
from ..system.digest import sha256
from ..system.errors import AgentError
from ..system.launch import Credentials
from ..system.proc import Mapping, Proc
from ..system.target_root import TargetRoot
from ..target import python_names
from .credentials import Interpreter, limits_of, loader_environment

_LIBRARY_FOLDERS = (
    "/usr/lib/x86_64-linux-gnu", "/lib/x86_64-linux-gnu", "/usr/lib64", "/lib64", "/usr/lib", "/lib", "/usr/local/lib",
    "/usr/local/lib64",
)
_O_PATH = 0o10000000
_SYS_CHROOT = 1 << 18
_LARGEST_FILE = 128 << 20


def choose(pid: int, proc: Proc, credentials: Credentials, minor: int, maps: List[Mapping]) -> Interpreter:
    """Return the nearest to the target's own interpreter that can be run."""
    executable = _inside(pid, proc, plain(proc.link(pid, "exe")))
    limits = limits_of(pid, proc)
    if may_chroot(proc):
        environment = loader_environment(pid, proc)
        root = proc.path(pid, "root")
        if python_names.of_executable(executable) is not None:
            return Interpreter("same", executable, root, credentials, environment, limits)
        inside = TargetRoot(proc, pid)
        try:
            for folder in ("/usr/bin", "/usr/local/bin", "/opt/python/bin"):
                path = f"{folder}/python3.{minor}"
                if _exists(inside, path):
                    return Interpreter("image", path, root, credentials, environment, limits)
        finally:
            inside.close()
    if sys.version_info[1] == minor and _same_libc(pid, proc, maps):
        own = os.path.realpath(sys.executable)
        found = _hash(own)
        same = found is not None and found == _hash(proc.path(pid, "exe"))
        return Interpreter("same" if same else "own", own, None, credentials, {}, limits)
    raise AgentError(
        wire.MEMRAY_REHEARSAL,
        f"memray cannot be tried out before it is started in process {pid}: neither its own interpreter nor one like "
        "it can be run from the debug container.",
        pid,
        {"reason": "noInterpreter", "output": ""},
    )


def reader_interpreter(minor: int, credentials: Credentials) -> Optional[Interpreter]:
    """Return this container's own interpreter where it is of the minor asked for."""
    if sys.version_info[1] != minor:
        return None
    return Interpreter("own", os.path.realpath(sys.executable), None, credentials, {}, [])


def missing_libraries(pid: int, proc: Proc, names: List[str]) -> List[str]:
    """Return which libraries do not lie where the target's loader looks. Ones that it has loaded win in any case."""
    folders = list(_LIBRARY_FOLDERS)
    for entry in loader_environment(pid, proc).get("LD_LIBRARY_PATH", "").split(":"):
        if entry.startswith("/"):
            folders.append(entry)
    inside = TargetRoot(proc, pid)
    try:
        return [name for name in names if not any(_exists(inside, f"{folder}/{name}") for folder in folders)]
    finally:
        inside.close()


def may_chroot(proc: Proc) -> bool:
    try:
        return bool(int(proc.status("self").get("CapEff", "0"), 16) & _SYS_CHROOT) and os.geteuid() == 0
    except ValueError:
        return False


def _exists(inside: TargetRoot, path: str) -> bool:
    descriptor = inside.open(path, _O_PATH)
    if descriptor is None:
        return False
    os.close(descriptor)
    return True


def _same_libc(pid: int, proc: Proc, maps: List[Mapping]) -> bool:
    """Whether the C library that the target has loaded is, to the byte, this process's own."""
    theirs = _libc(maps)
    theirs = None if theirs is None else _inside(pid, proc, theirs)
    own = _libc(proc.maps(os.getpid()))
    if theirs is None or own is None:
        return False
    inside = TargetRoot(proc, pid)
    try:
        descriptor = inside.regular(theirs)
    finally:
        inside.close()
    if descriptor is None:
        return False
    try:
        found = _hash(own)
        return found is not None and found == _hash(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def _libc(maps: List[Mapping]) -> Optional[str]:
    for entry in maps:
        if is_libc(name_of(entry.path)):
            return plain(entry.path)
    return None


def _hash(path: str) -> Optional[str]:
    """Return the hash of a file, None where it cannot be read, or is none that programs lie in."""
    digest = sha256()
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size > _LARGEST_FILE:
                return None
            for chunk in iter(lambda: file.read(1 << 18), b""):
                digest.update(chunk)
    except OSError:
        return None
    return str(digest.hexdigest())


def _inside(pid: int, proc: Proc, path: str) -> str:
    """Return a path of the target's as it knows it: one whose root lies in ours shows with that before it."""
    root = proc.link(pid, "root").rstrip("/")
    return path[len(root) :] if root and path.startswith(root + "/") else path
