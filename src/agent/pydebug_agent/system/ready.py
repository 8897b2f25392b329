"""Which descriptors may be read or written. select() knows none from 1,024 on, and an agent may hold one a process."""

from __future__ import annotations

import select
from typing import Iterable, List

_READABLE = select.POLLIN | select.POLLHUP | select.POLLERR


def readable(descriptors: Iterable[int], seconds: float) -> List[int]:
    """Return those with something to read, or an end, once there are any or the time is over."""
    return _wait(descriptors, _READABLE, seconds)


def writable(descriptor: int, seconds: float) -> bool:
    """Say whether something may be written, or nobody reads any more, once it is so or the time is over."""
    return bool(_wait([descriptor], select.POLLOUT, seconds))


def _wait(descriptors: Iterable[int], events: int, seconds: float) -> List[int]:
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, events)
    return [descriptor for descriptor, _ in poll.poll(seconds * 1000)]
