"""Lets an interpreter make a report of a capture: as nobody more than the target, and of nothing but the payload."""

from __future__ import annotations

import os
import time
from typing import Any, Callable, Dict, Optional, Tuple

from .. import wire
from ..protocol.light_json import loads
from ..system.errors import AgentError
from ..system.sources import program
from ..target.request import Request
from .credentials import Interpreter
from .scratch_files import ScratchFiles, stranger_to

_LARGEST_REPORT = 15 << 20
_READ_SECONDS = 43200.0
# The reader's exit code where it read the capture and it was none.
_REFUSED = 3


def read_report(
    request: Request,
    interpreter: Interpreter,
    files: ScratchFiles,
    capture: int,
    stacks: int,
    depth: int,
    pid: Optional[int],
) -> Dict[str, Any]:
    """Return what an interpreter of the payload's version makes of a capture, a descriptor."""
    libraries = files.libraries()
    descriptor = _for_reading(capture, interpreter)
    try:
        settings = {
            "capture": f"/proc/self/fd/{descriptor}",
            "sources": files.sources,
            "libraries": [f"/proc/self/fd/{library}" for _, library in libraries],
            "stacks": stacks,
            "depth": depth,
            "points": 1000,
        }
        source = program("reduce", __package__, "main", settings)
        keep = [descriptor, *(library for _, library in libraries)]
        begun = time.monotonic()

        def check() -> None:
            request.tell(pid, f"reading the capture for {time.monotonic() - begun:.0f} s")

        status, output, said = _read(interpreter, source, keep, check, pid)
        if status not in (0, _REFUSED):
            # It did not come to say what is wrong with the capture; to try again harms nobody.
            status, output, said = _read(interpreter, source, keep, check, pid)
    finally:
        os.close(descriptor)
    if status != 0:
        raise invalid(pid, "reader", telling(said) or f"the reader ended with {status}", said)
    try:
        found: Dict[str, Any] = loads(output)
    except ValueError as error:
        raise invalid(pid, "report", f"what was made of it cannot be read ({error})") from error
    return found


def _for_reading(capture: int, interpreter: Interpreter) -> int:
    """Return a descriptor of a capture by which the reader can open it, and change nothing."""
    if os.geteuid() == 0:
        # In this order: what belongs to another, only CAP_FOWNER may change.
        os.fchown(capture, 0, 0)
        os.fchmod(capture, 0o444)
        os.fchown(capture, *stranger_to(interpreter.credentials))
    return os.open(f"/proc/self/fd/{capture}", os.O_RDONLY | os.O_CLOEXEC)


def _read(
    interpreter: Interpreter, source: str, keep: "list[int]", check: Callable[[], None], pid: Optional[int]
) -> Tuple[Optional[int], bytes, str]:
    """Run the reader; return its exit code, its output and what it said."""
    try:
        child = interpreter.run(source, keep, isolated=True)
    except OSError as error:
        raise invalid(pid, "interpreter", f"no interpreter can read it ({error})") from error
    try:
        output = child.drain(_READ_SECONDS, check, _LARGEST_REPORT)
        return child.poll(), output, child.words()
    finally:
        child.end()


def invalid(pid: Optional[int], reason: str, sentence: str, output: str = "") -> AgentError:
    """Return the failure of a capture that cannot be read."""
    detail = {"reason": reason, "output": output[-2000:]} if output else {"reason": reason}
    return AgentError(wire.CAPTURE_INVALID, f"The capture cannot be read: {sentence.rstrip('.')}.", pid, detail)


def telling(said: str) -> str:
    """Return what of an interpreter's last words tells: a fatal error and its cause, else the last line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    fatal = next((number for number, line in enumerate(lines) if line.startswith("Fatal Python error:")), None)
    if fatal is None:
        return lines[-1] if lines else ""
    # Below it come the runtime's state, where there is one the exception, and where each thread was.
    threads = ("Python runtime state:", "Current thread ", "Thread 0x", "Extension modules:", "File ", "<", "Traceback")
    more = [line for line in lines[fatal + 1 :] if not line.startswith(threads)]
    return "; ".join([lines[fatal], *more[-1:]])
