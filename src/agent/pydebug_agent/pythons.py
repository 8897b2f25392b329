"""Tells whether a process is a Python, and which, by its name, its maps and its binary."""

from __future__ import annotations

import os
import re
import stat
from typing import Dict, List, NamedTuple, Optional, Tuple

from . import elf
from .proc import Mapping, Proc

_LIBRARY = re.compile(r"/libpython3\.(\d{1,2})[a-z]*\.so[^/]*$")
_PYPY_LIBRARY = re.compile(r"/libpypy3[^/]*\.so[^/]*$")
_EXTENSION = re.compile(r"\.cpython-3(\d{1,2})[a-z]*-[^/]*\.so$")
_EXECUTABLE = re.compile(r"(?:^|/)python(?:3(?:\.(\d{1,2}))?)?[a-z]{0,2}(?:-dbg|-debug)?$")
_PYPY_EXECUTABLE = re.compile(r"(?:^|/)pypy(?:3(?:\.\d+)?)?(?:-c)?$")
_OTHERS = re.compile(r"(?:^|/)(graalpy|rustpython|micropython)[^/]*$")
_OLD = re.compile(r"/libpython2\.7[^/]*\.so[^/]*$|(?:^|/)python2(?:\.7)?$")
_DELETED = " (deleted)"

CPYTHON = "CPython"
PYPY = "PyPy"


class Python(NamedTuple):
    """An interpreter found in a process."""

    implementation: str
    version: Optional[str]


class Finder:
    """Finds Pythons; what it learnt of one binary it keeps for the other processes that run it."""

    def __init__(self, proc: Proc) -> None:
        self._proc = proc
        self._images: Dict[Tuple[int, int, int], elf.Image] = {}

    def executable(self, pid: int) -> Optional[str]:
        """Return the path of the process's program, None where it may not be read."""
        try:
            path = self._proc.link(pid, "exe")
        except OSError:
            return None
        return path[: -len(_DELETED)] if path.endswith(_DELETED) else path

    def find(self, pid: int, executable: Optional[str], command: List[str]) -> Optional[Python]:
        """Return the Python in a process, None where there is none."""
        try:
            mappings = self._proc.maps(pid)
        except OSError:
            mappings = []
        if not mappings and executable is None:
            return self._by_name(command[0] if command else "", None)
        name = executable or (command[0] if command else "")
        if _OLD.search(name):
            return Python(CPYTHON, "2.7")
        library = self._in_library(pid, mappings)
        if library is not None:
            return library
        if _PYPY_EXECUTABLE.search(name):
            return Python(PYPY, None)
        other = _OTHERS.search(name)
        if other is not None:
            return Python(other.group(1), None)
        return self._in_executable(pid, name, mappings)

    def _in_library(self, pid: int, mappings: List[Mapping]) -> Optional[Python]:
        for mapping in mappings:
            path = mapping.path[: -len(_DELETED)] if mapping.path.endswith(_DELETED) else mapping.path
            if _PYPY_LIBRARY.search(path):
                return Python(PYPY, None)
            if _OLD.search(path):
                return Python(CPYTHON, "2.7")
            match = _LIBRARY.search(path)
            if match is not None:
                minor = int(match.group(1))
                image = self._library_image(pid, mapping, path, minor)
                return Python(CPYTHON, image.version if image and image.version else f"3.{minor}")
        return None

    def _library_image(self, pid: int, mapping: Mapping, path: str, minor: int) -> Optional[elf.Image]:
        # map_files needs more rights; the path through root may be somebody else's file, hence the inode.
        for place in (("map_files", f"{mapping.start:x}-{mapping.end:x}"), ("root", path.lstrip("/"))):
            image = self._image(self._proc.path(pid, *place), minor, mapping.inode)
            if image is not None:
                return image
        return None

    def _in_executable(self, pid: int, name: str, mappings: List[Mapping]) -> Optional[Python]:
        named = _EXECUTABLE.search(name)
        minor = int(named.group(1)) if named is not None and named.group(1) else None
        extensions = {int(match.group(1)) for match in (_EXTENSION.search(entry.path) for entry in mappings) if match}
        if minor is None and len(extensions) == 1:
            minor = next(iter(extensions))
        image = self._image(self._proc.path(pid, "exe"), minor, None)
        short = f"3.{minor}" if minor is not None else None
        if image is not None and image.pypy:
            return Python(PYPY, None)
        if image is not None and image.python:
            return Python(CPYTHON, image.version or short)
        # A stripped program with a static interpreter still loads extension modules that say which.
        if named is not None or extensions:
            return Python(CPYTHON, short)
        return None

    def _by_name(self, name: str, version: Optional[str]) -> Optional[Python]:
        match = _EXECUTABLE.search(name)
        if match is not None:
            return Python(CPYTHON, f"3.{match.group(1)}" if match.group(1) else version)
        return Python(PYPY, None) if _PYPY_EXECUTABLE.search(name) else None

    def _image(self, path: str, minor: Optional[int], inode: Optional[int]) -> Optional[elf.Image]:
        handle = -1
        descriptor = -1
        try:
            # A handle first: to open a device or a pipe that lies there instead would have effects.
            handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode) or (inode is not None and status.st_ino != inode):
                return None
            key = (status.st_dev, status.st_ino, status.st_mtime_ns)
            if key not in self._images:
                descriptor = os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_CLOEXEC)
                self._images[key] = elf.inspect(descriptor, minor)
            return self._images[key]
        except OSError:
            return None
        finally:
            for opened in (handle, descriptor):
                if opened >= 0:
                    os.close(opened)
