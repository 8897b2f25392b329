"""What a "memray" request asks for, checked."""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional

from .. import wire
from ..system.errors import AgentError
from ..target.processes import Processes
from ..target.request import Request

_LARGEST_CAPTURE = 1 << 30


class Options(NamedTuple):
    """One request's wishes."""

    seconds: float
    native: bool
    python_allocators: bool
    aggregate: bool
    maximum: int
    keep: bool
    stacks: int
    depth: int

    @property
    def mode(self) -> Dict[str, bool]:
        """The way of tracking, as the result names it."""
        return {
            "native": self.native,
            "pythonAllocators": self.python_allocators,
            "aggregate": self.aggregate,
        }


def options_of(request: Request) -> Options:
    """Read a request."""
    return Options(
        seconds=request.number("seconds", 30.0, 0.5, 43200.0),
        native=request.flag("native"),
        python_allocators=request.flag("pythonAllocators"),
        aggregate=request.flag("aggregate"),
        maximum=int(request.number("maximumBytes", _LARGEST_CAPTURE, 1 << 20, 1 << 40)),
        keep=request.flag("keepCapture"),
        stacks=int(request.number("stacks", 5000, 1, 20000)),
        depth=int(request.number("depth", 128, 1, 512)),
    )


def hashes_of(request: Request) -> Dict[str, Dict[str, str]]:
    """Return the payloads that the client has: by machine and by kind, their hashes."""
    value: Any = request.body.get("sha256")
    good = isinstance(value, dict) and all(
        isinstance(kinds, dict) and all(isinstance(entry, str) for entry in kinds.values()) for kinds in value.values()
    )
    if not good:
        raise AgentError(wire.BAD_REQUEST, "Parameter 'sha256' must map machines to payloads and those to hashes.")
    return dict(value)


def target_pids(request: Request, found: Processes) -> List[int]:
    """Return the processes meant; without names there must be one."""
    named: Optional[List[int]] = request.pids()
    if named is not None:
        return named
    workers = found.workers()
    pids = workers + [pid for pid in found.pythons if pid not in workers]
    if len(pids) == 1:
        return pids
    raise AgentError(
        wire.AMBIGUOUS_PROCESS,
        f"The target has {len(pids)} Python processes: {', '.join(map(str, pids))}. "
        "Which is to be tracked must be said.",
        detail={"pids": pids},
    )
