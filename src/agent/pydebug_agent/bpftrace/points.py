"""How many probes an attach point with wildcards stands for."""

from __future__ import annotations

import os
import re
from typing import Dict, List, Optional, Sequence

from .. import wire
from ..system.errors import AgentError
from ..system.scratch import nameless_file
from ..target.request import Request
from ..tools.payload import Executable
from ..tools.runner import Tools

_MOST_POINTS = 256
_MOST_LISTED = 64 << 20
_LIST_SECONDS = 20.0
_WILDCARD = re.compile(r"[*?\[]")
# The second part of these is a path, in which square brackets and the like are what they are.
_LISTED = re.compile(
    r"^(?:t|tracepoint|rt|rawtracepoint|k|kprobe|kr|kretprobe|f|fentry|kfunc|fr|fexit|kretfunc|u|uprobe|"
                     r"ur|uretprobe|U|usdt|s|software|h|hardware):")


def count(
    tools: Tools, executable: Executable, request: Request, words: Dict[str, str]
) -> List[Dict[str, Optional[object]]]:
    """Return each attach point with the number of its probes, by bpftrace's own list; None where it lists none."""
    points = request.body.get("points") or []
    if not isinstance(points, list) or len(points) > _MOST_POINTS or not all(isinstance(p, str) for p in points):
        raise AgentError(wire.BAD_REQUEST, "Parameter 'points' must be a list of texts.")
    result: List[Dict[str, Optional[object]]] = []
    for point in points:
        listed: Optional[int] = 1
        if _WILDCARD.search(point):
            place = point
            for name, path in words.items():
                place = place.replace(f"__{name}__", path)
            listed = _listed(tools, executable, request, place) if _LISTED.match(place) else None
        result.append({"point": point, "count": listed})
    return result


def _listed(tools: Tools, executable: Executable, request: Request, point: str) -> Optional[int]:
    said = nameless_file(request.proc, "Probes of bpftrace")
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        tool = tools.start(executable, ["-l", point], said, nothing)
        ended = tools.wait([tool], _LIST_SECONDS, request.channel.check)
        tools.end([tool], 1.0)
        tools.settle(tool)
        if not ended or tool.process.returncode != 0:
            return None
        return _lines(os.pread(said, _MOST_LISTED, 0).splitlines())
    finally:
        os.close(said)
        os.close(nothing)


def _lines(lines: Sequence[bytes]) -> int:
    # Lines that are set in say what a probe's arguments are.
    return sum(1 for line in lines if line.strip() and not line.startswith(b" "))
