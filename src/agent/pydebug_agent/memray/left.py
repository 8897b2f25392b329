"""What a report leaves in a process, looked at there and then."""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple

from ..system.proc import Proc
from .scratch_files import IN_MEMORY

_DELETED = " (deleted)"
# SIGKILL, SIGSTOP and those of libc's own cannot be blocked; nobody but a thread of ours blocks all the others.
_MOST_BLOCKED = 57


class Left(NamedTuple):
    """The mappings of libraries of ours in a process, the names of these, and the threads of ours."""

    mappings: int
    libraries: List[str]
    threads: int

    def as_json(self) -> Dict[str, Any]:
        """Return it as a result has it."""
        return {"mappings": self.mappings, "libraries": self.libraries, "threads": self.threads}

    def __str__(self) -> str:
        words: List[str] = []
        if self.libraries:
            count = f"{len(self.libraries)} libraries" if len(self.libraries) != 1 else "1 library"
            words.append(f"{count} in {self.mappings} mappings, which stay, unused")
        if self.threads:
            words.append(f"{self.threads} thread{'s' if self.threads > 1 else ''} of ours, until the GIL is free")
        return f"Left in it: {' and '.join(words)}." if words else "Nothing is left in it."


def left_in(pid: int, proc: Proc) -> Left:
    """Look at what is left in a process; nothing is left in one that is gone."""
    mappings = threads = 0
    libraries: Dict[str, None] = {}
    try:
        for entry in proc.maps(pid):
            # The capture is mapped while it is written; what it leaves is nothing.
            if IN_MEMORY in entry.path and ".so" in entry.path:
                mappings += 1
                name = entry.path[entry.path.index(IN_MEMORY) + len(IN_MEMORY) :]
                libraries[name[: -len(_DELETED)] if name.endswith(_DELETED) else name] = None
        for tid in proc.threads(pid):
            blocked = int(proc.status(pid, "task", tid).get("SigBlk", "0"), 16)
            threads += blocked.bit_length() == 64 and bin(blocked).count("1") > _MOST_BLOCKED
    except (OSError, ValueError):
        pass
    return Left(mappings, list(libraries), threads)
