"""Tells whether a process is a Python, and which, by its name, its maps and its binary."""

from __future__ import annotations

import os
import stat
from typing import Callable, Dict, List, NamedTuple, Optional, Tuple

from ..system import elf_file, plain_paths
from ..system.proc import Mapping, Proc
from . import python_names

_OTHERS = ("graalpy", "rustpython", "micropython")
_DELETED = " (deleted)"

CPYTHON = "CPython"
PYPY = "PyPy"


class Python(NamedTuple):
    """An interpreter found in a process."""

    implementation: str
    version: Optional[str]


class Finder:
    """Finds Pythons; what it learnt of one binary it keeps for the other processes that run it."""

    def __init__(self, proc: Proc, check: Callable[[], None] = lambda: None) -> None:
        self._proc = proc
        self._images: Dict[Tuple[int, ...], elf_file.Image] = {}
        self._budget = elf_file.Budget(check)
        # How many programs were not looked into any more.
        self.unread = 0

    def executable(self, pid: int) -> Optional[str]:
        """Return the path of the process's program, None where it may not be read.

        Of a program that was started through the dynamic loader, for which the kernel names the loader, its own.
        """
        try:
            path = _plain(self._proc.link(pid, "exe"))
        except OSError:
            return None
        if not _is_loader(path):
            return path
        try:
            mapping = self._loaded(self._proc.maps(pid), path, self._proc.command(pid))
        except OSError:
            return path
        return path if mapping is None else _plain(mapping.path)

    def _loaded(self, mappings: List[Mapping], loader: str, command: List[str]) -> Optional[Mapping]:
        """What a loader was told to run: the file in its memory that its arguments name, or that is called Python."""
        files = [entry for entry in mappings if entry.path.startswith("/") and not entry.offset]
        named = {os.path.basename(argument) for argument in command[1:] if argument}
        others = [entry for entry in files
            if _plain(entry.path) != loader and ".so" not in os.path.basename(entry.path)]
        for entry in others:
            if os.path.basename(_plain(entry.path)) in named:
                return entry
        # A symbolic link was named, and the file has another name.
        pythons = [entry for entry in others if python_names.of_executable(_plain(entry.path)) is not None]
        return next(iter(pythons), None)

    def find(self, pid: int, executable: Optional[str], command: List[str]) -> Optional[Python]:
        """Return the Python in a process, None where there is none."""
        try:
            mappings = self._proc.maps(pid)
        except OSError:
            mappings = []
        if not mappings and executable is None:
            return self._by_name(command[0] if command else "", None)
        name = executable or (command[0] if command else "")
        if python_names.is_old(name):
            return Python(CPYTHON, "2.7")
        library = self._in_library(pid, mappings)
        if library is not None:
            return self._beside(pid, name, mappings, library)
        if python_names.is_pypy(name):
            return Python(PYPY, None)
        for other in _OTHERS:
            if os.path.basename(name).startswith(other):
                return Python(other, None)
        return self._in_executable(pid, name, mappings)

    def _in_library(self, pid: int, mappings: List[Mapping]) -> Optional[Python]:
        """The Python whose library is loaded; where there are several, the versions of all."""
        versions: List[str] = []
        # Of the mappings of one file the first says all there is to its name, the one of its beginning the rest.
        last: Optional[str] = None
        for mapping in mappings:
            if mapping.path == last and mapping.offset:
                continue
            last = mapping.path
            path = _plain(mapping.path)
            if python_names.is_pypy_library(path):
                return Python(PYPY, None)
            if python_names.is_old(path):
                return Python(CPYTHON, "2.7")
            minor = python_names.of_library(path)
            if minor is not None and not mapping.offset:
                image = self._library_image(pid, mapping, path, minor)
                version = image.version if image and image.version else f"3.{minor}"
                if version not in versions:
                    versions.append(version)
        return Python(CPYTHON, ", ".join(versions)) if versions else None

    def _beside(self, pid: int, name: str, mappings: List[Mapping], library: Python) -> Python:
        """The Python of a library, and the program's own where that is another one that has no need of it."""
        if library.implementation != CPYTHON or python_names.of_executable(name) is None:
            return library
        own = self._in_executable(pid, name, mappings)
        image = self._program_image(pid, name, None, mappings)
        if own is None or own.version is None or image is None or not image.python:
            return library
        versions = [own.version] + [word for word in (library.version or "").split(", ") if word != own.version]
        return Python(CPYTHON, ", ".join(versions))

    def _library_image(self, pid: int, mapping: Mapping, path: str, minor: Optional[int]) -> Optional[elf_file.Image]:
        # map_files needs more rights; the path through root may be somebody else's file, hence the inode.
        for place in (("map_files", f"{mapping.start:x}-{mapping.end:x}"), ("root", path.lstrip("/"))):
            image = self._image(self._proc.path(pid, *place), minor, mapping.inode)
            if image is not None:
                return image
        return None

    def _in_executable(self, pid: int, name: str, mappings: List[Mapping]) -> Optional[Python]:
        named = python_names.of_executable(name)
        minor = named or None
        found = {python_names.of_extension(path) for path in {entry.path for entry in mappings} if path}
        extensions = {number for number in found if number is not None}
        if minor is None and len(extensions) == 1:
            minor = next(iter(extensions))
        image = self._program_image(pid, name, minor, mappings)
        short = f"3.{minor}" if minor is not None else None
        if image is not None and image.pypy:
            return Python(PYPY, None)
        if image is not None and image.python:
            return Python(CPYTHON, image.version or short)
        # A stripped program with a static interpreter still loads extension modules that say which.
        if named is not None or extensions:
            return Python(CPYTHON, short)
        return None

    def _program_image(
        self, pid: int, name: str, minor: Optional[int], mappings: List[Mapping]
    ) -> Optional[elf_file.Image]:
        for mapping in mappings:
            # It is not the kernel's program where a loader runs it.
            if _plain(mapping.path) == name and not mapping.offset:
                image = self._library_image(pid, mapping, name, minor)
                if image is not None:
                    return image
        return self._image(self._proc.path(pid, "exe"), minor, None)

    def _by_name(self, name: str, version: Optional[str]) -> Optional[Python]:
        minor = python_names.of_executable(name)
        if minor is not None:
            return Python(CPYTHON, f"3.{minor}" if minor else version)
        return Python(PYPY, None) if python_names.is_pypy(name) else None

    def _image(self, path: str, minor: Optional[int], inode: Optional[int]) -> Optional[elf_file.Image]:
        handle = -1
        descriptor = -1
        try:
            # A handle first: to open a device or a pipe that lies there instead would have effects.
            handle = plain_paths.handle(path)
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode) or (inode is not None and status.st_ino != inode):
                return None
            key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
            if key not in self._images:
                if self._budget.spent:
                    self.unread += 1
                    return None
                descriptor = os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_CLOEXEC)
                self._images[key] = elf_file.inspect(descriptor, minor, self._budget)
            return self._images[key]
        except OSError:
            return None
        finally:
            for opened in (handle, descriptor):
                if opened >= 0:
                    os.close(opened)


def _plain(path: str) -> str:
    return path[: -len(_DELETED)] if path.endswith(_DELETED) else path


def _is_loader(path: str) -> bool:
    """Say whether a program is the dynamic loader: ld-linux-x86-64.so.2, ld-2.31.so, ld-musl-x86_64.so.1."""
    name = os.path.basename(path)
    return name.startswith("ld") and ".so" in name
