"""The ring through which the kernel programs send what they found."""

from __future__ import annotations

import mmap
import struct
from typing import Iterator

_HEAD = 8
_BUSY, _DISCARDED = 1 << 31, 1 << 30
_U32 = struct.Struct("<I").unpack_from
_U64 = struct.Struct("<Q").unpack_from


class Ring:
    """Reads the records of a ring of ``size`` bytes, each once."""

    def __init__(self, descriptor: int, size: int) -> None:
        page = mmap.PAGESIZE
        self._size = size
        self._consumer = mmap.mmap(descriptor, page, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        self._data = mmap.mmap(descriptor, page + 2 * size, mmap.MAP_SHARED, mmap.PROT_READ, offset=page)
        self._page = page
        self._position = 0

    def records(self) -> Iterator[bytes]:
        """Return an iterator over what has come since the last time."""
        produced = _U64(self._data, 0)[0]
        return self._read(produced) if self._position < produced else iter(())

    def _read(self, produced: int) -> Iterator[bytes]:
        while self._position < produced:
            # The data is mapped twice in a row: a record never breaks.
            place = self._page + (self._position & self._size - 1)
            head = _U32(self._data, place)[0]
            if head & _BUSY:
                return
            length = head & ~_DISCARDED
            content = self._data[place + _HEAD : place + _HEAD + length]
            self._position += length + _HEAD + 7 & ~7
            self._consumer[:8] = struct.pack("<Q", self._position)
            if not head & _DISCARDED:
                yield content

    def close(self) -> None:
        """Let go of the mappings."""
        self._consumer.close()
        self._data.close()
