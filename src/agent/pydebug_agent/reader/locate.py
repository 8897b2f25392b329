"""Where the interpreter is: the address of _PyRuntime and the version, by whichever way still works."""

from __future__ import annotations

import errno
import os
import struct
from typing import Iterator, List, NamedTuple, Optional, Tuple

from .. import wire
from ..system import errors
from ..system.proc import Mapping, Proc
from ..system.target_root import TargetRoot
from .elf import Image, symbol_in_file
from .layouts import COOKIE, NEWEST, OLDEST, PUBLISHED, known_old, old_layout, schema
from .memory import Fault, Memory

Version = Tuple[int, int, int]
_Place = Tuple[int, Optional[Image], str, str]  # address, image, how it was found, path
_LARGEST_DATA = 1 << 25
_MOST_IMAGES = 1000
_STEP = 1 << 20
_OVERLAP = 1 << 12


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
        try:
            self.maps = proc.maps(pid)
        except OSError as error:
            if error.errno != errno.E2BIG:
                raise
            raise errors.AgentError(wire.UNSUPPORTED_PYTHON, f"Process {pid} {error.strerror}.", pid) from error
        self._images = self._candidates()

    def find(self) -> List[Found]:
        """Return the interpreters of the process, those that run first; an AgentError says why there is none."""
        places = self._runtimes()
        found = [self._found(place, len(places) > 1) for place in places]
        known = [entry for entry in found if entry is not None]
        if not known:
            raise self._nothing()
        running = [entry for entry in known if self._runs(entry)] if len(known) > 1 else known
        # A library that was loaded and never used holds none. The program's own comes first.
        program = next((entry.path for entry in self.maps if entry.path.startswith("/")), "")
        chosen = sorted(running, key=lambda entry: entry.path != program) or known[:1]
        readable = [entry for entry in chosen if entry.version[1] >= OLDEST]
        if not readable:
            raise errors.AgentError(
                wire.UNSUPPORTED_PYTHON,
                "Process %d runs Python %d.%d, older than 3.%d, which is the first that is read." % (
                    (self._pid,) + chosen[0].version[:2] + (OLDEST,)),
                self._pid,
            )
        return readable

    def _found(self, place: _Place, several: bool) -> Optional[Found]:
        runtime, image, how, path = place
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
            version = self._version(image, path, several)
        if version is None or version[0] != 3:
            return None
        code_type = 0
        if image is not None:
            code_type = self._symbol(image, "PyCode_Type") or 0
        return Found(runtime, version, published, free_threaded, how, path, code_type)

    def _runs(self, found: Found) -> bool:
        """Say whether there is an interpreter in a runtime; true where that cannot be told."""
        minor = found.version[1]
        try:
            if found.published:
                place = schema(minor if minor in PUBLISHED else NEWEST)[0]["runtime_head"]
                offset = self._memory.u64(found.runtime + place)
            elif known_old(minor):
                offset = old_layout(minor).runtime_head
            else:
                return True
            return self._memory.u64(found.runtime + offset) != 0
        except Fault:
            return False

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

    def _runtimes(self) -> List[_Place]:
        found: List[_Place] = []
        for _, start, path in self._images[:_MOST_IMAGES]:
            image = self._image(start)
            address = self._symbol(image, "_PyRuntime") if image else None
            if address and all(address != place[0] for place in found):
                found.append((address, image, "exported symbol", path))
        return found or self._cookies() or self._from_files()

    def _cookies(self) -> List[_Place]:
        found: List[_Place] = []
        for entry in self.writable():
            for start, content in self.pieces(entry):
                for place in _cookies(content):
                    if all(start + place != other[0] for other in found):
                        found.append((start + place, None, "cookie in memory", entry.path))
        return found

    def _from_files(self) -> List[_Place]:
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
                return [(value + image.bias, image, "symbol table of the file", path)]
        return [(0, None, "", "")]

    def _open(self, path: str, rank: int) -> Optional[int]:
        try:
            if rank and path == self._proc.link(self._pid, "exe"):
                return os.open(self._proc.path(self._pid, "exe"), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        root = TargetRoot(self._proc, self._pid)
        try:
            return root.regular(path)
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

    def _version(self, image: Optional[Image], path: str, several: bool) -> Optional[Version]:
        images = [image] if image else []
        if not (image and several):
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
            if several:
                entries = [entry for entry in entries if low <= entry.start < high]
        for entry in entries:
            for _, content in self.pieces(entry):
                found = _banner(content)
                if found is not None:
                    return found
        for entry in self.maps:
            if several and entry.path != path:
                continue
            _, named, rest = os.path.basename(entry.path).partition("python3.")
            minor = rest[: len(rest) - len(rest.lstrip("0123456789"))]
            if named and minor and OLDEST <= int(minor) <= NEWEST:
                return 3, int(minor), -1
        return None

    def _nothing(self) -> errors.AgentError:
        paths = [entry.path for entry in self.maps]
        if any("pypy" in os.path.basename(path) for path in paths):
            return errors.AgentError(
                wire.NOT_CPYTHON, "Process %d runs PyPy; only CPython can be read." % self._pid, self._pid
            )
        if any(os.path.basename(path).startswith(("python", "libpython")) for path in paths):
            return starting(self._pid)
        return errors.AgentError(wire.NO_PYTHON, "Process %d runs no Python." % self._pid, self._pid)


def _banner(content: bytes) -> Optional[Version]:
    """Find what sys.version is made of: "3.10.2+ (main, Jan  1 2022, 00:00:00) [GCC ..."."""
    bracket = content.find(b"[")
    while bracket >= 0:
        line = content[max(0, bracket - 112) : bracket].rpartition(b"\0")[2]
        line = line[:-1] if line.endswith(b"\n") else line
        line = line[:-1] if line.endswith(b" ") else line
        if line.endswith(b")"):
            place = line.find(b"3.")
            while place >= 0:
                head, space, rest = line[place:].partition(b" ")
                words = head.split(b".", 2)
                if space and rest.startswith(b"(") and 8 <= len(rest) <= 82 and len(words) == 3:
                    size = 2 if words[2][1:2].isdigit() else 1
                    plain = words[1].isdigit() and len(words[1]) <= 2 and words[2][:size].isdigit()
                    if plain and len(words[2]) - size <= 8:
                        return 3, int(words[1]), int(words[2][:size])
                place = line.find(b"3.", place + 2)
        bracket = content.find(b"[", bracket + 1)
    return None


def _cookies(content: bytes) -> Iterator[int]:
    """Yield where a published structure begins: its cookie, a version, and the flag of free threading."""
    place = content.find(COOKIE)
    while place >= 0:
        if place % 8 == 0 and content[place + 11 : place + 16] == b"\3\0\0\0\0":
            yield place
        place = content.find(COOKIE, place + 1)


def starting(pid: int) -> errors.AgentError:
    """Return the error for an interpreter that is not there yet, or not any more."""
    return errors.AgentError(
        wire.PYTHON_STARTING, "The Python of process %d is just starting or ending. Ask again in a moment." % pid, pid
    )


