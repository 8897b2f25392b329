"""Another process's memory: single reads, and many ranges in one system call."""

from __future__ import annotations

import errno
import os
import struct
from _bisect import bisect_right
from typing import Iterable, List, Optional, Sequence, Tuple

from ..system.libc import Buffer, last_error, prototype

Range = Tuple[int, int]

_U64 = struct.Struct("<Q").unpack_from
_U32 = struct.Struct("<I").unpack_from
_I32 = struct.Struct("<i").unpack_from
_IOV_MAX = 1024
_FIRST_BUFFER = 1 << 18
_LEAST_BUFFER = 1 << 12
_LARGEST_BUFFER = 1 << 24
_BLOCK_BITS = 14
_BLOCK = 1 << _BLOCK_BITS
_BLOCKS_KEPT = 16


class Fault(Exception):
    """An address of the target that cannot be read, or content that cannot be what it should."""


class Missing(Fault):
    """A page that was not copied."""


class Gone(Exception):
    """The process or thread ended."""


class Denied(Exception):
    """The kernel refuses the memory of the process."""


class Source:
    """Typed reads over anything that answers ``read``."""

    def read(self, address: int, size: int) -> bytes:
        """Return exactly ``size`` bytes, or raise Fault."""
        raise NotImplementedError

    def u64(self, address: int) -> int:
        """Read an unsigned 64-bit number or a pointer."""
        return int(_U64(self.read(address, 8))[0])

    def u32(self, address: int) -> int:
        """Read an unsigned 32-bit number."""
        return int(_U32(self.read(address, 4))[0])

    def i32(self, address: int) -> int:
        """Read a signed 32-bit number."""
        return int(_I32(self.read(address, 4))[0])

    def cstring(self, address: int, limit: int = 64) -> bytes:
        """Read a C string of at most ``limit`` bytes."""
        try:
            data = self.read(address, limit)
        except Fault:
            # It may end just before a page that is not there.
            data = self.read(address, min(limit, 4096 - address % 4096))
        return data.split(b"\0")[0]


class Batch:
    """Ranges packed for one read, so that nothing is left to do while a thread is held."""

    __slots__ = ("vector", "count", "total")

    def __init__(self, ranges: Sequence[Range]) -> None:
        self.count = len(ranges)
        self.total = sum(size for _, size in ranges)
        if self.total > _LARGEST_BUFFER:
            raise Fault("%d bytes are more than is read at once" % self.total)
        self.vector = struct.pack("<%dQ" % (2 * self.count), *[word for pair in ranges for word in pair])

    @classmethod
    def joined(cls, batches: Iterable["Batch"]) -> "Batch":
        """Return one batch that reads the given ones after one another."""
        parts = list(batches)
        whole = cls(())
        whole.count = sum(part.count for part in parts)
        whole.total = sum(part.total for part in parts)
        if whole.total > _LARGEST_BUFFER:
            raise Fault("%d bytes are more than is read at once" % whole.total)
        whole.vector = b"".join(part.vector for part in parts)
        return whole


class Memory(Source):
    """The memory of a live process, through process_vm_readv."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.calls = 0
        self._readv = prototype("process_vm_readv", "l", "iPLPLL")
        self._grow(_FIRST_BUFFER)
        self._remote = Buffer(16 * _IOV_MAX)
        self._steps: List[Tuple[bytes, int, int, int]] = []

    def _grow(self, size: int) -> None:
        # A page fault in it during a hold would be paid by the target.
        self._buffer = Buffer(size)

    def shrink(self) -> None:
        """Give back what was grown: for who reads little, and seldom."""
        self._steps = []
        self._grow(_LEAST_BUFFER)
        self._remote = Buffer(_LEAST_BUFFER)

    def read(self, address: int, size: int) -> bytes:
        if not 4096 <= address < 1 << 63 or not 0 <= size <= _LARGEST_BUFFER:
            raise Fault("%#x+%d" % (address, size))
        if size > self._buffer.size:
            self._grow(size)
        self._local = struct.pack("<QQ", self._buffer.address, size)
        self.calls += 1
        got = self._readv(self.pid, self._local, 1, struct.pack("<QQ", address, size), 1, 0)
        if got == size:
            return self._buffer.view[:size].tobytes()
        if got < 0:
            self._refuse(last_error())
        raise Fault("%#x+%d" % (address, size))

    def _refuse(self, number: int) -> None:
        if number == errno.ESRCH:
            raise Gone("process %d is gone" % self.pid)
        if number in (errno.EPERM, errno.EACCES, errno.ENOSYS):
            raise Denied("process_vm_readv: %s" % os.strerror(number))

    def load(self, batch: Batch) -> None:
        """Lay the batch out for ``fire``, which then is nothing but the system call."""
        if batch.total > self._buffer.size:
            self._grow(batch.total)
        if len(batch.vector) > self._remote.size:
            self._remote = Buffer(len(batch.vector))
        self._remote.view[: len(batch.vector)] = batch.vector
        self._steps = []
        done = 0
        for first in range(0, batch.count, _IOV_MAX):
            count = min(_IOV_MAX, batch.count - first)
            part = batch.vector[16 * first : 16 * (first + count)]
            size = sum(struct.unpack("<%dQ" % (2 * count), part)[1::2])
            local = struct.pack("<QQ", self._buffer.address + done, size)
            self._steps.append((local, self._remote.address + 16 * first, count, size))
            done += size

    def fire(self) -> bool:
        """Read the batch that was loaded; False when some of it is not mapped."""
        for local, remote, count, size in self._steps:
            if self._readv(self.pid, local, 1, remote, count, 0) != size:
                return False
        return True

    def take(self, batch: Batch) -> bytes:
        """Return what ``fire`` read."""
        return self._buffer.view[: batch.total].tobytes()

    def read_batch(self, batch: Batch) -> Optional[bytes]:
        """Read a batch: the bytes of its ranges after one another, None when one is not mapped."""
        self.load(batch)
        self.calls += 1
        return self.take(batch) if self.fire() else None


class Copy(Source):
    """A copy of ranges, addressed as in the target; their table is sorted. ``Miss`` names what it does not hold."""

    __slots__ = ("_data", "_table", "_last")

    def __init__(self, data: bytes, table: Sequence[Tuple[int, int, int]]) -> None:
        self._data = data
        self._table = table
        self._last = table[0]

    def find(self, address: int, size: int) -> int:
        """Return where an address lies in the copied bytes."""
        start, length, place = self._last
        if start <= address and address + size <= start + length:
            return place + address - start
        found = bisect_right(self._table, (address, _LARGEST_BUFFER + 1, 0)) - 1
        if found >= 0:
            self._last = self._table[found]
            start, length, place = self._last
            if address + size <= start + length:
                return place + address - start
        raise Miss(address, size)

    def read(self, address: int, size: int) -> bytes:
        place = self.find(address, size)
        return self._data[place : place + size]

    def u64(self, address: int) -> int:
        return int(_U64(self._data, self.find(address, 8))[0])


class Miss(Exception):
    """A frame or record that lies outside what was copied."""

    def __init__(self, address: int, size: int) -> None:
        super().__init__("%#x+%d" % (address, size))
        self.address = address
        self.size = size


class Blocks(Source):
    """Reads whole blocks and keeps the last few of them: for long walks, which nothing is to be kept of."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._kept: "dict[int, bytes]" = {}

    def read(self, address: int, size: int) -> bytes:
        number, offset = address >> _BLOCK_BITS, address & _BLOCK - 1
        if offset + size > _BLOCK:
            return self._memory.read(address, size)
        data = self._kept.get(number)
        if data is None:
            try:
                data = self._memory.read(number << _BLOCK_BITS, _BLOCK)
            except Fault:
                # It is not mapped as a whole.
                return self._memory.read(address, size)
            if len(self._kept) >= _BLOCKS_KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[number] = data
        return data[offset : offset + size]


class Pages(Source):
    """Reads whole pages, each once: for many small reads that lie close together.

    With ``frozen`` it answers from the pages it was given alone, and notes those it lacks in ``missing``.
    """

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.pages: "dict[int, bytes]" = {}
        self.frozen = False
        self.missing: "set[int]" = set()

    def _page(self, number: int) -> bytes:
        page = self.pages.get(number)
        if page is None:
            if self.frozen:
                self.missing.add(number)
                raise Missing("page %#x" % (number << 12))
            page = self.pages[number] = self.memory.read(number << 12, 4096)
        return page

    def read(self, address: int, size: int) -> bytes:
        offset = address & 4095
        if offset + size <= 4096:
            return self._page(address >> 12)[offset : offset + size]
        if size > _LARGEST_BUFFER:
            raise Fault("%#x+%d" % (address, size))
        last = address + size - 1 >> 12
        data = b"".join([self._page(number) for number in range(address >> 12, last + 1)])
        return data[offset : offset + size]

    def u64(self, address: int) -> int:
        offset = address & 4095
        if offset <= 4088:
            return int(_U64(self._page(address >> 12), offset)[0])
        return int(_U64(self.read(address, 8))[0])

    @classmethod
    def frozen_with(cls, memory: Memory, data: bytes, numbers: Sequence[int]) -> "Pages":
        """Return a source that answers from a copy of some pages alone."""
        result = cls(memory)
        result.pages = {number: data[4096 * index : 4096 * index + 4096] for index, number in enumerate(numbers)}
        result.frozen = True
        return result

    def forget(self) -> None:
        """Drop what was read: the next reads see the target as it is then."""
        self.pages = {}
        self.missing = set()


def page_batch(numbers: Sequence[int]) -> Batch:
    """Return a batch that reads whole pages; their numbers must be sorted."""
    ranges: List[Range] = []
    for number in numbers:
        if ranges and ranges[-1][0] + ranges[-1][1] == number << 12:
            ranges[-1] = (ranges[-1][0], ranges[-1][1] + 4096)
        else:
            ranges.append((number << 12, 4096))
    return Batch(ranges)
