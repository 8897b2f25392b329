"""Source that an interpreter reads where it is asked to run a file: as the command line of a process of ours.

A command line can be read by whoever sees the process, and nothing else of it can: it is another user's, or hides, and
nothing is left to it but to read until we end, and to end.
"""

from __future__ import annotations

import os
from typing import Callable, Optional

from .. import wire
from ..system.errors import AgentError
from ..system.launch import Heard, Credentials, launch
from ..system.proc import Proc
from ..system.sources import program
from .scratch_files import stranger_to

_START_SECONDS = 10.0
_SPARE = 64


class Notice:
    """Holds a text where the target can read it."""

    def __init__(self, text: str, credentials: Credentials, proc: Proc, root: Optional[str]) -> None:
        until, self._until = os.pipe()
        try:
            source = program("shown", __package__, "main", {"text": text, "until": until})
            # It is written over what it was started with, which must be longer.
            padding = " " * (len(text) + _SPARE)
            who = Credentials(*stranger_to(credentials), [])
            self._child: Heard = launch(who, {"source": source}, [until], root, hidden=True, padding=padding)
        finally:
            os.close(until)
        self.path = proc.path(self._child.pid, "cmdline")

    def wait(self, check: Callable[[], None]) -> None:
        """Wait until it can be read."""
        if self._child.line(_START_SECONDS, check) != b"shown\n":
            words = self._child.words().strip().splitlines()
            raise AgentError(
                wire.MEMRAY_NO_PLACE,
                f"What an interpreter is to run cannot be shown to it: {words[-1] if words else 'no answer'}.",
                detail={"reason": "notice"},
            )

    def close(self) -> None:
        """End it."""
        os.close(self._until)
        self._child.end()
