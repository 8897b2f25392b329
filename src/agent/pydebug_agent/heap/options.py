"""What a "heap" request asks for, checked."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import List, NamedTuple, Optional

from .. import wire
from ..system.errors import AgentError
from ..target.request import Request

MOST_LOOKS = 60
_MOST_PATTERNS = 100
_LONGEST_PATTERN = 500


class Options(NamedTuple):
    """The parameters of a look; ``percent`` is None where the quota decides."""

    seconds: float
    looks: Optional[int]
    types: List[str]
    holder: bool
    samples: Optional[int]
    percent: Optional[float]
    complete: bool
    keys: bool

    def wants(self, module: str, name: str) -> bool:
        """Say whether a type is one of those asked for, by its name or by its module and name."""
        full = "%s.%s" % (module, name)
        last = name.rpartition(".")[2]
        return any(fnmatchcase(text, pattern) for pattern in self.types for text in (name, last, full))


def options(request: Request) -> Options:
    """Read the parameters; raise at one that makes no sense."""
    seconds = request.number("seconds", 0.0, 0.0, 43200.0)
    types = request.body.get("types")
    good = types is None or isinstance(types, list) and len(types) <= _MOST_PATTERNS
    if not good or not all(isinstance(text, str) and 0 < len(text) <= _LONGEST_PATTERN for text in types or ()):
        raise AgentError(wire.BAD_REQUEST, "Parameter 'types' must be a list of names.")
    if request.channel.seconds_left() < seconds:
        raise AgentError(wire.BAD_REQUEST, "The request's time is over before %g s of looks are." % seconds)
    return Options(
        seconds=seconds,
        looks=int(request.number("looks", 0, 2, MOST_LOOKS)) or None if seconds else 1,
        types=list(types or ()),
        holder=request.flag("holder"),
        samples=int(request.number("samples", 0, 1, 64)) or None,
        percent=request.number("percent", 0, 1, 100) or None,
        complete=request.flag("complete"),
        keys=request.flag("keys"),
    )
