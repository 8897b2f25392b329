"""Large reads into one buffer that is used again, many small ones in one call, and which pages are there at all."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import struct
from typing import Iterator, List, Optional, Sequence, Tuple

from ..reader.memory import Denied, Fault, Gone
from ..system.proc import Proc

PAGE = 4096
WINDOW = 1 << 22
_IOV_MAX = 1024
_SMALL = 1 << 18
# Of address space; its flags are read at once.
_FLAGGED = 1 << 26
_PRESENT, _SWAPPED = 1, 2
_FLAGS = bytes(_PRESENT if byte & 0x80 else _SWAPPED if byte & 0x40 else 0 for byte in range(256))


class Buffers:
    """What is read lands here; one set serves all processes, one after the other."""

    def __init__(self) -> None:
        self._buffer = mmap.mmap(-1, WINDOW, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.window = memoryview(self._buffer)
        self.window_address = ctypes.addressof(ctypes.c_char.from_buffer(self._buffer))
        self._small = ctypes.create_string_buffer(_SMALL)
        self.small = memoryview(self._small).cast("B")
        self.small_address = ctypes.addressof(self._small)
        libc = ctypes.CDLL(None, use_errno=True)
        self.readv = libc.process_vm_readv
        self.readv.restype = ctypes.c_ssize_t
        self.readv.argtypes = [
            ctypes.c_int, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_ulong,
        ]
        self.memmem = libc.memmem
        self.memmem.restype = ctypes.c_void_p
        self.memmem.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]


class Pages:
    """The memory of a live process, a window at a time. Pages that are not resident are never touched."""

    def __init__(self, proc: Proc, pid: int, buffers: Buffers) -> None:
        self.pid = pid
        self.window = buffers.window
        self._buffers = buffers
        self._window_address = buffers.window_address
        self._small_view = buffers.small
        self._small_address = buffers.small_address
        self._pagemap = os.open(proc.path(pid, "pagemap"), os.O_RDONLY | os.O_CLOEXEC)

    def close(self) -> None:
        """Let go of the process."""
        os.close(self._pagemap)

    # Reading

    def fill(self, address: int, size: int, place: int = 0) -> int:
        """Read into the window, from ``place`` on; return how many bytes came."""
        return self._call(self._window_address + place, size, struct.pack("<QQ", address, size), 1)

    def find(self, word: bytes, got: int) -> Iterator[int]:
        """Yield where a word stands in the first ``got`` bytes of the window, at multiples of its size."""
        # Addresses end in zeros, and memory is full of them: without those the search is ten times as fast.
        short = word.rstrip(b"\0") or word
        place = 0
        while place + 8 <= got:
            found = self._buffers.memmem(self._window_address + place, got - place, short, len(short))
            if not found:
                return
            place = found - self._window_address
            if not place & 7 and self.window[place : place + 8] == word:
                yield place
            place = (place & -8) + 8

    def read(self, address: int, size: int) -> bytes:
        """Return exactly ``size`` bytes, at most 256 KiB, or raise Fault."""
        if not 0 <= size <= _SMALL or not PAGE <= address < 1 << 63:
            raise Fault("%#x+%d" % (address, size))
        if self._call(self._small_address, size, struct.pack("<QQ", address, size), 1) != size:
            raise Fault("%#x+%d" % (address, size))
        return self._small_view[:size].tobytes()

    def u64(self, address: int) -> int:
        """Read a word."""
        return int.from_bytes(self.read(address, 8), "little")

    def each(self, addresses: Sequence[int], size: int) -> Iterator[Tuple[int, bytes]]:
        """Yield ``size`` bytes at each address that can be read; many addresses are one call."""
        per = min(_IOV_MAX, _SMALL // size)
        for first in range(0, len(addresses), per):
            part = addresses[first : first + per]
            while part:
                vector = struct.pack("<%dQ" % (2 * len(part)), *[word for each in part for word in (each, size)])
                got = self._call(self._small_address, size * len(part), vector, len(part)) // size
                data = self._small_view[: got * size].tobytes()
                for index in range(got):
                    yield part[index], data[index * size : index * size + size]
                # What stopped the call cannot be read; what is behind it can.
                part = part[got + 1 :]

    def words(self, addresses: Sequence[int]) -> List[Optional[int]]:
        """Return the word at each address, None where it cannot be read."""
        found = {address: int.from_bytes(data, "little") for address, data in self.each(addresses, 8)}
        return [found.get(address) for address in addresses]

    def _call(self, local: int, size: int, remote: bytes, count: int) -> int:
        got = int(self._buffers.readv(self.pid, struct.pack("<QQ", local, size), 1, remote, count, 0))
        if got >= 0:
            return got
        number = ctypes.get_errno()
        if number == errno.ESRCH:
            raise Gone("process %d is gone" % self.pid)
        if number in (errno.EPERM, errno.EACCES, errno.ENOSYS):
            raise Denied("process_vm_readv: %s" % os.strerror(number))
        return 0

    # Residency

    def flags(self, start: int, end: int) -> bytes:
        """Return a byte a page: 1 resident, 2 swapped, 0 neither."""
        count = (end - start) // PAGE
        data = os.pread(self._pagemap, 8 * count, start // PAGE * 8)
        return data[7::8].translate(_FLAGS).ljust(count, b"\0")

    def resident(self, start: int, end: int) -> int:
        """Return how many bytes of whole pages between two addresses are resident."""
        total = 0
        start, end = start & -PAGE, (end + PAGE - 1) & -PAGE
        for first in range(start, end, _FLAGGED):
            total += self.flags(first, min(end, first + _FLAGGED)).count(_PRESENT)
        return total * PAGE

    def runs(self, start: int, end: int, most: int = WINDOW) -> Iterator[Tuple[int, int]]:
        """Yield the resident stretches between two addresses, none longer than ``most``."""
        for first in range(start & -PAGE, end, _FLAGGED):
            flags = self.flags(first, min((end + PAGE - 1) & -PAGE, first + _FLAGGED))
            index = flags.find(_PRESENT)
            while index >= 0:
                stop = index + 1
                # The next page that is not there, whichever way.
                ends = [place for place in (flags.find(0, stop), flags.find(_SWAPPED, stop)) if place >= 0]
                stop = min(ends) if ends else len(flags)
                low, high = max(start, first + index * PAGE), min(end, first + stop * PAGE)
                for address in range(low, high, most):
                    yield address, min(most, high - address)
                index = flags.find(_PRESENT, stop)
