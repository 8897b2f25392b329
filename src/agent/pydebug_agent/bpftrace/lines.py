"""Cuts what bpftrace prints into lines."""

from __future__ import annotations

import re
from typing import Sequence

# Programs look for keys that are not there all the time: no failure, though -k tells of each.
MISSED_KEY = rb'\{"type": "helper_error"[^\n]{0,300}"map_lookup_elem"'

_LONGEST_HEAD = 1 << 20


class Lines:
    """Lets whole lines through, but for those that one of ``hidden`` matches from their start; these are not kept."""

    def __init__(self, hidden: Sequence[bytes]) -> None:
        self._hidden = re.compile(b"|".join(hidden) or rb"(?!)")
        self._rest = b""
        self._hiding = False
        self._within = False

    def take(self, data: bytes) -> bytes:
        """Return the lines that the data completes. Of one that is very long, what is there of it."""
        data = self._rest + data
        self._rest = b""
        out = []
        while data:
            line, end, data = data.partition(b"\n")
            if self._hiding:
                self._hiding = not end
            elif self._within:
                out.append(line + end)
                self._within = not end
            elif self._hidden.match(line):
                self._hiding = not end
            elif end:
                out.append(line + end)
            elif len(line) > _LONGEST_HEAD:
                out.append(line)
                self._within = True
            else:
                self._rest = line
        return b"".join(out)

    def rest(self) -> bytes:
        """Return what stands behind the last line's end."""
        rest, self._rest = self._rest, b""
        return rest
