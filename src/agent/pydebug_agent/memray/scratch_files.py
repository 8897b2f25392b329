"""Where payload and capture lie: open files without names, which the target is handed.

No path of ours leads to them.
"""

from __future__ import annotations

import os
from typing import Collection, Dict, Iterable, Iterator, List, NamedTuple, Tuple

from .. import wire
from ..system.errors import AgentError, file_error
from ..system.launch import Credentials
from ..system.proc import Proc
from ..system.scratch import executable_memory, nameless_on, seal, writable_directory, write_all
from ..tools.payload import Executable

# Before the names of files in memory, as maps show them.
IN_MEMORY = "memfd:pydebug-"
_LEAST_SPACE = 64 << 20
_LAST_SPACE = 16 << 20
_PAGE = 4096
_LIBRARIES = "memray.libs/"
_BLOCK = 512
_CHUNK = 1 << 18
_STRANGERS = (65534, 65533)


class ScratchFiles:
    """One target's files: sources by their names, libraries, the bytecode that a rehearsal makes, and the capture."""

    def __init__(self, proc: Proc, credentials: Credentials) -> None:
        self._credentials = credentials
        self._opened: List[int] = []
        self._libraries: Dict[str, int] = {}
        self.sources: Dict[str, str] = {}
        directory = writable_directory(proc)
        self.in_memory = directory is None
        self.bytecode = -1
        try:
            # What was open to a rehearsal is not what the report is made of.
            self.trial = self._own(self._memory("trial"))
            self.capture = self._own(
                self._memory("capture") if directory is None else self._keep(nameless_on(directory))
            )
        except OSError as error:
            self.close()
            if directory is not None:
                raise file_error(error, directory) from error
            raise AgentError(
                wire.MEMRAY_NO_PLACE,
                "The debug container has no disk that may be written to, and files in memory are refused to it, too "
                f"({error.strerror}): memray and its capture have no place.",
                detail={"reason": "readOnly"},
            ) from error
        if directory is not None and self._free() < _LEAST_SPACE:
            self.close()
            raise AgentError(
                wire.DISK_FULL, f"{directory} has less than {_LEAST_SPACE >> 20} MiB left for a capture."
            )

    def unpack(self, payload: Executable, without: Collection[str] = ()) -> None:
        """Lay out a payload, whose hash has been checked, but for libraries of these names."""
        for member in members(payload):
            file = os.path.basename(member.name)
            if member.name.endswith(".py"):
                content = os.pread(payload.descriptor, member.size, member.offset)
                self.sources[member.name] = content.decode("utf-8")
            elif ".so" in file and file not in without:
                self._libraries[member.name] = self._library(file, payload.descriptor, member)

    def libraries(self) -> List[Tuple[str, int]]:
        """Return what must be loaded, in this order: names and descriptors, memray's extension as the last.

        The loader would not find what the extension needs: a file in memory has no folder.
        """
        wanted = [name for name in self._libraries if name.startswith(_LIBRARIES)]
        return [(os.path.basename(name), self._libraries[name]) for name in [*wanted, self._extension]]

    def extension(self) -> str:
        """Return the file name of memray's extension module."""
        return os.path.basename(self._extension)

    @property
    def _extension(self) -> str:
        return next(name for name in self._libraries if name.startswith("memray/_memray."))

    def keep_bytecode(self, code: bytes) -> None:
        """Keep what the rehearsal has compiled."""
        try:
            self.bytecode = self._sealed("bytecode", [code])
        except OSError as error:
            raise file_error(error, "bytecode") from error

    def is_full(self, captured: int) -> bool:
        """Say whether there is so little room left that a capture of this size may not grow any more."""
        try:
            # It grows by a tenth at a time.
            return not self.in_memory and self._free() < _LAST_SPACE + captured // 8
        except OSError:
            return False

    def has_capture(self) -> bool:
        """Say whether anything was captured."""
        return os.fstat(self.capture).st_size > 0

    def end_trial(self) -> None:
        """Say goodbye to what was captured in a rehearsal; raise where that is nothing."""
        size = os.fstat(self.trial).st_size
        os.ftruncate(self.trial, 0)
        if not size:
            raise AgentError(wire.MEMRAY_REHEARSAL, "No capture was written.")

    def close(self) -> None:
        """Let go of everything, which then is gone."""
        self._libraries.clear()
        while self._opened:
            os.close(self._opened.pop())

    def _free(self) -> int:
        status = os.fstatvfs(self.capture)
        return status.f_bavail * status.f_frsize

    def _keep(self, descriptor: int) -> int:
        self._opened.append(descriptor)
        return descriptor

    def _own(self, descriptor: int) -> int:
        """Make a file the target's, to write to."""
        # In this order: what belongs to another, only CAP_FOWNER may change.
        os.fchmod(descriptor, 0o600)
        if os.geteuid() == 0:
            os.fchown(descriptor, self._credentials.user, self._credentials.group)
        return descriptor

    def _memory(self, name: str) -> int:
        return self._keep(executable_memory(IN_MEMORY[len("memfd:") :] + name))

    def _library(self, name: str, source: int, member: "Member") -> int:
        """Return a descriptor by which a library can be read and loaded, and never changed."""
        places = range(0, member.size, _CHUNK)
        chunks = (os.pread(source, min(_CHUNK, member.size - place), member.offset + place) for place in places)
        try:
            return self._sealed(name, chunks)
        except OSError as error:
            raise file_error(error, name) from error

    def _sealed(self, name: str, chunks: Iterable[bytes]) -> int:
        writing = executable_memory(IN_MEMORY[len("memfd:") :] + name)
        try:
            for chunk in chunks:
                write_all(writing, chunk)
            os.fchmod(writing, 0o555)
            if os.geteuid() == 0:
                os.fchown(writing, *stranger_to(self._credentials))
            seal(writing)
            return self._keep(os.open(f"/proc/self/fd/{writing}", os.O_RDONLY | os.O_CLOEXEC))
        finally:
            os.close(writing)


def stranger_to(credentials: Credentials) -> Tuple[int, int]:
    """Return a user and a group that a target is not, nor root: what is theirs it may read, where all may."""
    stranger = _STRANGERS[0] if credentials.user != _STRANGERS[0] else _STRANGERS[1]
    return stranger, stranger


class Member(NamedTuple):
    """A file in a payload: its name, and where it lies."""

    name: str
    offset: int
    size: int


def members(payload: Executable) -> Iterator[Member]:
    """Yield the files of a payload, a tar as the build writes it."""
    offset = 0
    while True:
        header = os.pread(payload.descriptor, _BLOCK, offset)
        if len(header) < _BLOCK or not header[0]:
            return
        size = int(header[124:136].split(b"\0")[0], 8)
        if header[156:157] in (b"0", b"\0"):
            yield Member(header[:100].split(b"\0")[0].decode("ascii"), offset + _BLOCK, size)
        offset += _BLOCK + -(-size // _BLOCK) * _BLOCK


def written(descriptor: int) -> int:
    """Return how much of a capture has been written: it is laid out ahead, in zeros."""
    size = os.fstat(descriptor).st_size
    low, high = 0, -(-size // _PAGE)
    while low < high:
        middle = (low + high) // 2
        if os.pread(descriptor, _PAGE, middle * _PAGE).strip(b"\0"):
            low = middle + 1
        else:
            high = middle
    return min(size, low * _PAGE)
