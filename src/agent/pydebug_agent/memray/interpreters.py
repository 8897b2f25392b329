"""An interpreter in which a payload can be rehearsed and a capture read: the target's own, or one that is like it."""

from __future__ import annotations

import os
import re
import sys
from typing import List, Optional

from .. import errors
from ..digest import sha256
from ..errors import AgentError
from ..proc import Mapping, Proc
from ..reader.rooted import TargetRoot
from .people import Interpreter, Person, loader_environment

_PYTHON = re.compile(r"python3?(?:\.\d+)?$")
_LIBRARY_FOLDERS = (
    "/usr/lib/x86_64-linux-gnu", "/lib/x86_64-linux-gnu", "/usr/lib64", "/lib64", "/usr/lib", "/lib", "/usr/local/lib",
    "/usr/local/lib64",
)  # fmt: skip
_O_PATH = 0o10000000
_SYS_CHROOT = 1 << 18


def choose(pid: int, proc: Proc, person: Person, minor: int, maps: List[Mapping]) -> Interpreter:
    """Return the nearest to the target's own interpreter that can be run."""
    executable = _inside(pid, proc, _plain(proc.link(pid, "exe")))
    if _may_chroot(proc):
        environment = loader_environment(pid, proc)
        root = proc.path(pid, "root")
        if _PYTHON.match(os.path.basename(executable)):
            return Interpreter("same", executable, root, person, environment)
        inside = TargetRoot(proc, pid)
        try:
            for folder in ("/usr/bin", "/usr/local/bin", "/opt/python/bin"):
                path = f"{folder}/python3.{minor}"
                if _exists(inside, path):
                    return Interpreter("image", path, root, person, environment)
        finally:
            inside.close()
    if sys.version_info[1] == minor and _same_libc(pid, proc, maps):
        own = os.path.realpath(sys.executable)
        same = _hash(own) == _hash(proc.path(pid, "exe"))
        return Interpreter("same" if same else "own", own, None, person, loader_environment(os.getpid(), proc))
    raise AgentError(
        errors.MEMRAY_REHEARSAL,
        f"memray cannot be tried out before it is started in process {pid}: neither its own interpreter nor one like "
        "it can be run from the debug container.",
        pid,
        {"reason": "noInterpreter", "output": ""},
    )


def reader_interpreter(minor: int, person: Person) -> Optional[Interpreter]:
    """Return this container's own interpreter where it is of the minor asked for."""
    if sys.version_info[1] != minor:
        return None
    return Interpreter("own", os.path.realpath(sys.executable), None, person, {"LC_ALL": "C.UTF-8"})


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


def _may_chroot(proc: Proc) -> bool:
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
        descriptor = inside.open(theirs, os.O_RDONLY | os.O_NONBLOCK)
    finally:
        inside.close()
    if descriptor is None:
        return False
    try:
        return _hash(f"/proc/self/fd/{descriptor}") == _hash(own)
    finally:
        os.close(descriptor)


def _libc(maps: List[Mapping]) -> Optional[str]:
    for entry in maps:
        if re.match(r"libc(?:\.so\.6|-2\.\d+\.so)$", os.path.basename(_plain(entry.path))):
            return _plain(entry.path)
    return None


def _hash(path: str) -> Optional[str]:
    digest = sha256()
    try:
        with open(path, "rb") as file:
            for chunk in iter(lambda: file.read(1 << 18), b""):
                digest.update(chunk)
    except OSError:
        return None
    return str(digest.hexdigest())


def _inside(pid: int, proc: Proc, path: str) -> str:
    """Return a path of the target's as it knows it: one whose root lies in ours shows with that before it."""
    root = proc.link(pid, "root").rstrip("/")
    return path[len(root) :] if root and path.startswith(root + "/") else path


def _plain(path: str) -> str:
    return path[: -len(" (deleted)")] if path.endswith(" (deleted)") else path
