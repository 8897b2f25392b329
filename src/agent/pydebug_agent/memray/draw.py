"""memray's own flame graph, drawn by a whole memray where the debug container has one."""

from __future__ import annotations

import os
import shutil
import sys
from typing import List, Sequence, Tuple

from ..errors import TOOL_FAILED, TOOL_UNAVAILABLE, AgentError
from ..memory import require_room
from ..payload import Executable
from ..request import Request
from ..scratch import nameless_file
from ..tools import Tools

# What its command line needs besides is a part of it.
_QUESTION = "import memray.commands; print(memray.__version__)"
_FIND_SECONDS = 30.0
_DRAW_SECONDS = 1800.0
_NEEDS = 96 << 20
_LONGEST_WORDS = 1 << 16
_WHAT = "memray's own flame graph"


class Drawer:
    """Draws with an interpreter of the debug container's that has a whole memray."""

    def __init__(self, request: Request, version: str) -> None:
        self._request = request
        self._tools = Tools(request.proc, request.channel.warn)
        request.channel.at_loss(self._tools.lose)
        try:
            self._python = self._find(version)
        except BaseException:
            self._tools.close()
            raise

    def draw(self, capture: int) -> int:
        """Return the descriptor of a page that shows what of a capture was not freed."""
        require_room(self._request.proc, _NEEDS, _WHAT)
        page = nameless_file(self._request.proc, "A page of memray's")
        try:
            places = [f"/proc/self/fd/{descriptor}" for descriptor in (page, capture)]
            arguments = ["-m", "memray", "flamegraph", "--leaks", "-f", "-o", *places]
            good, said = self._run(self._python, arguments, [page, capture], _DRAW_SECONDS)
            if not good or not os.fstat(page).st_size:
                lines = [line.strip() for line in said.splitlines() if line.strip()]
                words = lines[-1] if lines else "it did not end well"
                raise AgentError(TOOL_FAILED, f"{_WHAT} was not drawn: {words}", detail={"tool": "memray"})
            return page
        except BaseException:
            os.close(page)
            raise

    def close(self) -> None:
        """End what still draws."""
        self._tools.close()

    def _find(self, version: str) -> str:
        candidates = [sys.executable, shutil.which("python3") or sys.executable]
        for python in dict.fromkeys(candidates):
            good, said = self._run(python, ["-c", _QUESTION], [], _FIND_SECONDS)
            if good and said.strip() == version:
                return python
        raise AgentError(
            TOOL_UNAVAILABLE,
            f"{_WHAT} needs a whole memray {version}; neither the machine that asks has one nor the debug container.",
            detail={"tool": "memray", "version": version},
        )

    def _run(self, python: str, arguments: Sequence[str], keep: List[int], seconds: float) -> Tuple[bool, str]:
        """Run Python; say whether it ended well, and what it said."""
        said = nameless_file(self._request.proc, "Words of memray's")
        descriptor = os.open(python, os.O_RDONLY | os.O_CLOEXEC)
        try:
            # -I: nothing from the current folder or the environment.
            tool = self._tools.start(
                Executable(python, descriptor), ["-I", "-B", *arguments], said, said, keep=keep
            )
            self._tools.wait([tool], seconds, self._request.channel.check)
            self._tools.end([tool], 0.0)
            self._tools.settle(tool)
            return tool.process.returncode == 0, os.pread(said, _LONGEST_WORDS, 0).decode("utf-8", "replace")
        finally:
            os.close(descriptor)
            os.close(said)
