"""Where the interpreter is: the address of _PyRuntime and the version, by whichever way still works."""

from __future__ import annotations

import os
import re
import struct
from typing import Iterator, List, NamedTuple, Optional, Tuple

from .. import errors
from ..proc import Mapping, Proc
from .elf import Image, symbol_in_file
from .layouts import COOKIE, NEWEST, OLDEST
from .memory import Fault, Memory
from .rooted import TargetRoot

Version = Tuple[int, int, int]
_LARGEST_DATA = 1 << 25
_STEP = 1 << 20
_OVERLAP = 1 << 12
_BANNER = re.compile(rb"3\.(\d{1,2})\.(\d{1,2})[^ \0]{0,8} \([^\0]{6,80}\) ?\n?\[")


class Found(NamedTuple):
    """An interpreter that was found."""

    runtime: int
    version: Version
    published: bool
    free_threaded: bool
    how: str
    path: str
    code_type: int


class Locator:
    """Looks for the interpreter in a process."""

    def __init__(self, memory: Memory, proc: Proc, pid: int) -> None:
        self._memory = memory
        self._proc = proc
        self._pid = pid
        self.maps = proc.maps(pid)
        self._images = self._candidates()

    def find(self) -> Found:
        """Return the interpreter; an AgentError says why there is none."""
        runtime, image, how, path = self._runtime()
        version: Optional[Version] = None
        free_threaded = published = False
        if runtime:
            head = self._memory.read(runtime, 24)
            published = head[:8] == COOKIE
            if published:
                number, flag = struct.unpack_from("<QQ", head, 8)
                version = (number >> 24 & 255, number >> 16 & 255, number >> 8 & 255)
                free_threaded = bool(flag)
        if version is None:
            version = self._version(image)
        if version is None or version[0] != 3:
            raise self._nothing()
        if version[1] < OLDEST:
            raise errors.AgentError(
                errors.UNSUPPORTED_PYTHON,
                "Process %d runs Python %d.%d, older than 3.%d, which is the first that is read." % (
                    (self._pid,) + version[:2] + (OLDEST,)),
                self._pid,
            )  # fmt: skip
        code_type = 0
        if image is not None:
            code_type = self._symbol(image, "PyCode_Type") or 0
        return Found(runtime, version, published, free_threaded, how, path, code_type)

    def writable(self) -> List[Mapping]:
        """Return the mappings in which the interpreter's data may lie."""
        return [
            entry
            for entry in self.maps
            if "w" in entry.permissions
            and "r" in entry.permissions
            and entry.end - entry.start <= _LARGEST_DATA
            and not entry.path.startswith("[")
        ]

    def pieces(self, entry: Mapping) -> Iterator[Tuple[int, bytes]]:
        """Yield a mapping's content with its addresses, never much at once; each piece repeats the end of the last."""
        for start in range(entry.start, entry.end, _STEP):
            try:
                yield start, self._memory.read(start, min(_STEP + _OVERLAP, entry.end - start))
            except Fault:
                return

    def _candidates(self) -> List[Tuple[int, int, str]]:
        """The images in the process, likely ones first."""
        found: List[Tuple[int, int, str]] = []
        seen = set()
        for entry in self.maps:
            if entry.offset or not entry.path.startswith("/") or entry.path in seen or "r" not in entry.permissions:
                continue
            seen.add(entry.path)
            name = os.path.basename(entry.path.replace(" (deleted)", ""))
            if name.startswith("libpython"):
                rank = 0
            elif name.startswith("python"):
                rank = 1
            else:
                rank = 2 if not found else 3
            found.append((rank, entry.start, entry.path))
        return sorted(found)

    def _runtime(self) -> Tuple[int, Optional[Image], str, str]:
        for _, start, path in self._images:
            image = self._image(start)
            address = self._symbol(image, "_PyRuntime") if image else None
            if address:
                return address, image, "exported symbol", path
        for entry in self.writable():
            for start, content in self.pieces(entry):
                place = _cookie(content)
                if place >= 0:
                    return start + place, None, "cookie in memory", entry.path
        return self._from_files()

    def _from_files(self) -> Tuple[int, Optional[Image], str, str]:
        for rank, start, path in self._images[:3]:
            image = self._image(start)
            descriptor = self._open(path, rank)
            if image is None or descriptor is None:
                continue
            try:
                value = symbol_in_file(descriptor, "_PyRuntime")
            except (OSError, struct.error):
                value = None
            finally:
                os.close(descriptor)
            if value:
                return value + image.bias, image, "symbol table of the file", path
        return 0, None, "", ""

    def _open(self, path: str, rank: int) -> Optional[int]:
        try:
            if rank and path == self._proc.link(self._pid, "exe"):
                return os.open(self._proc.path(self._pid, "exe"), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        root = TargetRoot(self._proc, self._pid)
        try:
            return root.open(path, os.O_RDONLY | os.O_NONBLOCK)
        finally:
            root.close()

    def _image(self, start: int) -> Optional[Image]:
        try:
            return Image(self._memory, start)
        except (Fault, struct.error):
            return None

    @staticmethod
    def _symbol(image: Image, name: str) -> Optional[int]:
        try:
            return image.symbol(name)
        except (Fault, struct.error):
            return None

    def _version(self, image: Optional[Image]) -> Optional[Version]:
        images = [image] if image else []
        images += [found for found in (self._image(start) for rank, start, _ in self._images if rank < 3) if found]
        for candidate in images:
            address = self._symbol(candidate, "Py_Version")
            if address:
                number = self._memory.u32(address)
                return number >> 24, number >> 16 & 255, number >> 8 & 255
        # Before 3.11 the text that sys.version was made from is the only witness in memory.
        entries = self.writable()
        if image is not None:
            low, high = image.bias, image.end
            entries.sort(key=lambda entry: not low <= entry.start < high)
        for entry in entries:
            for _, content in self.pieces(entry):
                match = _BANNER.search(content)
                if match:
                    return 3, int(match.group(1)), int(match.group(2))
        for entry in self.maps:
            named = re.search(r"python3\.(\d+)", os.path.basename(entry.path))
            if named and OLDEST <= int(named.group(1)) <= NEWEST:
                return 3, int(named.group(1)), -1
        return None

    def _nothing(self) -> errors.AgentError:
        paths = [entry.path for entry in self.maps]
        if any("pypy" in os.path.basename(path) for path in paths):
            return errors.AgentError(
                errors.NOT_CPYTHON, "Process %d runs PyPy; only CPython can be read." % self._pid, self._pid
            )
        if any(os.path.basename(path).startswith(("python", "libpython")) for path in paths):
            return starting(self._pid)
        return errors.AgentError(errors.NO_PYTHON, "Process %d runs no Python." % self._pid, self._pid)


def _cookie(content: bytes) -> int:
    """Where the published structure begins: its cookie, a version, and the flag of free threading; -1 for nowhere."""
    place = content.find(COOKIE)
    while place >= 0:
        if place % 8 == 0 and content[place + 11 : place + 16] == b"\3\0\0\0\0":
            return place
        place = content.find(COOKIE, place + 1)
    return -1


def starting(pid: int) -> errors.AgentError:
    """Return the error for an interpreter that is not there yet, or not any more."""
    return errors.AgentError(
        errors.PYTHON_STARTING, "The Python of process %d is just starting or ending. Ask again in a moment." % pid, pid
    )


