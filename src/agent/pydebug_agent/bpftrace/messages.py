"""What bpftrace writes to its standard error, kept within bounds."""

from __future__ import annotations

from typing import Dict, List

_MOST = 1 << 16
_LONGEST_LINE = 1 << 12
_REPEATED = (b"WARNING: ", b"ERROR: ")


class Messages:
    """Keeps each warning once and counts how often it came, as for each event of a busy probe. What does not fit is
    counted too."""

    def __init__(self) -> None:
        self._lines: List[bytes] = []
        self._times: Dict[bytes, int] = {}
        self._size = 0
        self._rest = b""
        self.dropped = 0

    def take(self, data: bytes) -> None:
        """Take what was written."""
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            self._keep(line + b"\n")
        if len(self._rest) > _LONGEST_LINE:
            self._keep(self._rest)
            self._rest = b""

    @property
    def text(self) -> str:
        """What was kept, in its order."""
        return (b"".join(self._lines) + self._rest).decode("utf-8", "backslashreplace")

    def repeats(self) -> Dict[str, int]:
        """Return how often each line came that came more than once."""
        return {
            line.decode("utf-8", "backslashreplace").rstrip("\n"): times
            for line, times in self._times.items()
            if times > 1
        }

    def _keep(self, line: bytes) -> None:
        if line in self._times:
            self._times[line] += 1
            return
        if self._size + len(line) > _MOST:
            self.dropped += len(line)
            return
        if any(word in line for word in _REPEATED):
            self._times[line] = 1
        self._size += len(line)
        self._lines.append(line)
