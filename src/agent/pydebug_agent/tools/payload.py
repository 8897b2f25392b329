"""Brings a tool into the container once, by its hash, and keeps it where it can."""

from __future__ import annotations

import os
import stat
import zlib
from typing import Iterator, NamedTuple, Optional

from .. import wire
from ..system.digest import sha256
from ..system.errors import AgentError, file_error
from ..system.memory_limit import require_headroom
from ..system.scratch import executable_memory, private_directory, seal, writable_directory, write_all
from ..target.request import Request

# The largest tool is a tenth of this; a bomb must not fill the node.
_LARGEST = 128 << 20
_EXPECTED = 10 << 20
# A process whose program its user may run but not read can be looked into by nobody else of that user.
_HIDDEN, _READABLE = 0o111, 0o500


class Executable(NamedTuple):
    """A tool that can be run by its descriptor."""

    name: str
    descriptor: int

    @property
    def path(self) -> str:
        return f"/proc/self/fd/{self.descriptor}"


def obtain(request: Request, name: str, hashes: object) -> Executable:
    """Return a tool from this container, else from the client. ``hashes`` maps machine names to SHA-256."""
    machine = os.uname().machine
    if not isinstance(hashes, dict) or not all(isinstance(value, str) for value in hashes.values()):
        raise AgentError(wire.BAD_REQUEST, "Parameter 'sha256' must map machines to hashes.")
    wanted = hashes.get(machine)
    if not wanted:
        raise AgentError(
            wire.TOOL_UNAVAILABLE,
            f"{name} is not there for this node's machine, {machine}.",
            detail={"machine": machine},
        )
    directory: Optional[int] = None
    scratch = writable_directory(request.proc, executable=True)
    if scratch is not None:
        directory = private_directory(scratch)
    try:
        kept = _kept(directory, name, wanted)
        if kept is None:
            kept = _fetch(request, directory, name, machine, wanted)
        os.fchmod(kept, _HIDDEN)
        return Executable(name, kept)
    finally:
        if directory is not None:
            os.close(directory)


def _file_name(name: str, wanted: str) -> str:
    return f"{name}-{wanted[:16]}"


def _kept(directory: Optional[int], name: str, wanted: str) -> Optional[int]:
    if directory is None:
        return None
    file = _file_name(name, wanted)
    try:
        os.chmod(file, _READABLE, dir_fd=directory)
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    except OSError:
        return None
    status = os.fstat(descriptor)
    good = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o022
    if good and _hash(descriptor) == wanted:
        return descriptor
    os.close(descriptor)
    return None


def _fetch(request: Request, directory: Optional[int], name: str, machine: str, wanted: str) -> int:
    chunks = _unpacked(request.channel.ask(name, machine))
    if directory is None:
        require_headroom(request.proc, _EXPECTED, f"Holding {name} in memory")
        descriptor = executable_memory(name)
        _receive(chunks, descriptor, name, wanted)
        seal(descriptor)
        return descriptor
    temporary = f".{name}-{os.getpid()}"
    writer = os.open(
        temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o700, dir_fd=directory
    )

    def forget() -> None:
        _unlink(directory, temporary)

    request.channel.at_loss(forget)
    try:
        try:
            _receive(chunks, writer, name, wanted)
            # What is not on the disk yet counts as memory in use: nobody can take it back.
            os.fsync(writer)
            os.posix_fadvise(writer, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            # A file that is open for writing cannot be run.
            os.close(writer)
        final = _file_name(name, wanted)
        os.rename(temporary, final, src_dir_fd=directory, dst_dir_fd=directory)
        return os.open(final, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    except BaseException:
        forget()
        raise


def _unlink(directory: Optional[int], name: str) -> None:
    try:
        os.unlink(name, dir_fd=directory)
    except OSError:
        pass


def _receive(chunks: Iterator[bytes], descriptor: int, name: str, wanted: str) -> None:
    digest = sha256()
    length = 0
    for chunk in chunks:
        length += len(chunk)
        if length > _LARGEST:
            raise AgentError(wire.BAD_REQUEST, f"What came for {name} is larger than {_LARGEST >> 20} MiB.")
        digest.update(chunk)
        try:
            write_all(descriptor, chunk)
        except OSError as error:
            raise file_error(error, name) from error
    if digest.hexdigest() != wanted:
        raise AgentError(
            wire.TOOL_UNAVAILABLE,
            f"What came for {name} has another hash than was announced.",
            detail={"expected": wanted, "found": digest.hexdigest()},
        )


def _unpacked(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield what the client sent, inflated where it is zlib or gzip."""
    inflate = None
    first = True
    for chunk in chunks:
        if first and chunk:
            first = False
            if chunk[:2] == b"\x1f\x8b" or (chunk[0] == 0x78 and chunk[:4] != b"\x7fELF"):
                inflate = zlib.decompressobj(47)
        if inflate is None:
            yield chunk
            continue
        try:
            while chunk:
                yield inflate.decompress(chunk, 1 << 18)
                chunk = inflate.unconsumed_tail
        except zlib.error as error:
            raise AgentError(wire.BAD_REQUEST, f"The payload is damaged: {error}.") from None
    if inflate is not None:
        yield inflate.flush()


def _hash(descriptor: int) -> str:
    digest = sha256()
    offset = 0
    while True:
        chunk = os.pread(descriptor, 1 << 18, offset)
        if not chunk:
            return str(digest.hexdigest())
        digest.update(chunk)
        offset += len(chunk)
