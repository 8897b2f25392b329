"""Keeps this process out of the last of the memory while it works: the application may grow meanwhile."""

from __future__ import annotations

import resource
from typing import Callable, Optional

from . import oom_victim
from .errors import AgentError
from .memory_limit import MARGIN, Memory, is_low_allowed, memory_for_us, refusal
from .proc import Proc

# Below that the application has come so near that what is at work here ends.
_LEAST = MARGIN // 2
_NEAR = 64 << 20
_NEAR_SECONDS = 0.05
_FAR_SECONDS = 0.5


class Guard:
    """Looks at what is left, again and again."""

    def __init__(self, proc: Proc, end: Callable[[AgentError], None]) -> None:
        self._proc = proc
        self._end = end
        self._hard = resource.getrlimit(resource.RLIMIT_DATA)[1]

    def look(self) -> float:
        """Hold this process to what is left, or end it; return the seconds until the next look."""
        oom_victim.grow()
        if is_low_allowed():
            return _FAR_SECONDS
        memory = memory_for_us(self._proc)
        headroom = memory.headroom
        if headroom is None:
            return _FAR_SECONDS
        if headroom < _LEAST:
            self._end(refusal(memory, MARGIN, "The application has grown meanwhile"))
        self._limit(headroom - MARGIN)
        return _NEAR_SECONDS if headroom < _NEAR else _FAR_SECONDS

    def _limit(self, more: int) -> None:
        """Let this process grow by so many bytes and no further: it fails then, and nothing else does."""
        try:
            has = int(self._proc.text("self", "statm").split()[5]) * resource.getpagesize()
            _set(has + max(0, more), self._hard)
        except (OSError, ValueError, IndexError):
            pass


def child_limit(proc: Proc) -> Optional[int]:
    """Return the bytes that a tool may have now, None where that is not bounded."""
    headroom = None if is_low_allowed() else memory_for_us(proc).headroom
    return None if headroom is None else max(0, headroom - MARGIN)


def exhausted(proc: Proc, what: str) -> AgentError:
    """Return the failure of work that ran into the limit of this process, which is lifted: to say so takes memory."""
    _set(resource.RLIM_INFINITY, resource.getrlimit(resource.RLIMIT_DATA)[1])
    memory: Memory = memory_for_us(proc)
    return refusal(memory, MARGIN, f"{what} needs more memory than there is")


def _set(soft: int, hard: int) -> None:
    unlimited = resource.RLIM_INFINITY
    if hard != unlimited and (soft == unlimited or soft > hard):
        soft = hard
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
