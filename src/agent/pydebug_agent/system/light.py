"""What the standard library has as well, without what it imports for it.

An image may come without bytecode, as the official Python images do: each module of the standard library is compiled
anew then, in megabytes that count against the application's limit.
"""

from __future__ import annotations

import _random
import _thread
import time
from typing import Any, Callable, Generic, List, Optional, TypeVar

Item = TypeVar("Item")

# The helper threads are shallow; a stack counts as a whole against the limit of our own memory.
_thread.stack_size(256 << 10)
_chance = _random.Random()


def uniform(low: float, high: float) -> float:
    """Return a number between two, by chance."""
    return low + (high - low) * _chance.random()


def start_thread(work: Callable[[], None]) -> None:
    """Run a function in a thread of its own, which does not hold up the end of the process."""
    _thread.start_new_thread(work, ())


class Event:
    """Something that happens once."""

    def __init__(self) -> None:
        self._set = False
        self._gate = _thread.allocate_lock()
        self._gate.acquire()
        self._lock = _thread.allocate_lock()

    def is_set(self) -> bool:
        """Say whether it has happened."""
        return self._set

    def set(self) -> None:
        """Let it happen. A signal's handler may do so, too."""
        if self._set:
            return
        self._set = True
        try:
            self._gate.release()
        except RuntimeError:
            pass

    def wait(self, seconds: float) -> bool:
        """Wait for it; say whether it has happened."""
        if not self._set and self._gate.acquire(timeout=max(0.0, seconds)):
            self._gate.release()
        return self._set


class Queue(Generic[Item]):
    """Hands items from one thread to one other, a few at a time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._items: List[Item] = []
        self._some = _thread.allocate_lock()
        self._some.acquire()
        self._free = _thread.allocate_lock()
        self._free.acquire()

    def put(self, item: Item, seconds: float) -> bool:
        """Add an item; say whether there was room for it in time."""
        if len(self._items) >= self._most and not _acquire(self._free, seconds):
            return False
        if len(self._items) >= self._most:
            return False
        self._items.append(item)
        if self._some.locked():
            self._some.release()
        return True

    def get(self, seconds: float) -> Optional[Item]:
        """Take the next item, None where none comes in time."""
        until = time.monotonic() + seconds
        while not self._items:
            left = until - time.monotonic()
            if left <= 0 or not _acquire(self._some, left):
                return None
        item = self._items.pop(0)
        if self._free.locked():
            self._free.release()
        return item


def _acquire(lock: "_thread.LockType", seconds: float) -> bool:
    return lock.acquire(timeout=seconds)


class _Context:
    def __init__(self, generator: Any) -> None:
        self._generator = generator

    def __enter__(self) -> Any:
        return next(self._generator)

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        if kind is None:
            next(self._generator, None)
            return False
        try:
            self._generator.throw(error)
        except StopIteration:
            return True
        except BaseException as other:
            # The traceback is that of the body, which has the place where it failed.
            if other is not error:
                raise
            error.__traceback__ = trace
            return False
        raise RuntimeError("a context went on after the failure in it")


def contextmanager(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a context of a generator that yields once."""

    def make(*arguments: Any, **named: Any) -> _Context:
        return _Context(function(*arguments, **named))

    return make
