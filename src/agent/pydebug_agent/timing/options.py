"""What a "time" request asks for, checked."""

from __future__ import annotations

from typing import NamedTuple, Optional

from .. import wire
from ..system.errors import AgentError
from ..target.request import Request
from .recording import KERNEL, MEMORY

AUTO = "auto"
MOST_DEPTH = 2000
_LONGEST_WAIT_US = 3.6e9


class Options(NamedTuple):
    """The parameters of a recording; ``rate`` is None where each method takes its own, ``minimum`` is in seconds."""

    seconds: float
    rate: Optional[float]
    method: str
    exact: bool
    force: bool
    depth: int
    thread: str
    minimum: float

    def wants(self, name: str) -> bool:
        """Say whether a thread's name is like the one asked for; case does not matter."""
        if not self.thread:
            return True
        from fnmatch import fnmatchcase

        return fnmatchcase(name.lower(), self.thread.lower())


def options(request: Request) -> Options:
    """Read the parameters; raise at one that makes no sense."""
    seconds = request.number("seconds", 10.0, 0.1, 43200.0)
    method = request.text("method", required=False) or AUTO
    if method not in (AUTO, KERNEL, MEMORY):
        raise AgentError(wire.BAD_REQUEST, f"There is no method {method!r}; there are 'auto', 'kernel' and 'memory'.")
    exact = request.flag("exact")
    if exact and method == MEMORY:
        raise AgentError(wire.BAD_REQUEST, "Every single wait can only be taken by method 'kernel'.")
    if request.channel.seconds_left() < seconds:
        raise AgentError(wire.BAD_REQUEST, f"The request's time is over before a recording of {seconds:g} s is.")
    return Options(
        seconds=seconds,
        rate=request.number("rate", 0.0, 1.0, 1000.0) or None,
        method=method,
        exact=exact,
        force=request.flag("force"),
        depth=int(request.number("depth", 128, 1, MOST_DEPTH)),
        thread=request.text("thread", required=False),
        minimum=request.number("minimumWait", 0.0, 0.0, _LONGEST_WAIT_US) / 1e6,
    )
