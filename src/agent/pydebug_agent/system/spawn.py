"""Starts programs without a line of ours between fork and exec.

A child begins as an interpreter of its own, which becomes what it is to be and only then runs what it is for: in a
process with threads nothing may be called in a forked child that another thread might hold a lock of.
"""

from __future__ import annotations

import marshal
import os
import signal
import sys
import time
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

from .ready import writable
from .sources import program

Limit = Tuple[int, int, int]  # the kind, the soft one, the hard one

_LARGEST_SETTINGS = 1 << 20
_TELL_SECONDS = 30.0


class Child:
    """A program that was started. ``returncode`` is None while it runs, and negative where a signal ended it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: Optional[int] = None

    def poll(self) -> Optional[int]:
        """Return the exit code, None while it runs."""
        return self._look(os.WNOHANG)

    def wait(self) -> Optional[int]:
        """Wait for the end."""
        return self._look(0)

    def _look(self, options: int) -> Optional[int]:
        if self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, options)
            except ChildProcessError:
                # Buried by somebody else here, who did not keep what it said.
                self.returncode = self.returncode or 0
                return self.returncode
            if pid:
                self.returncode = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        return self.returncode


def spawn(
    path: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    output: int,
    errors: int,
    keep: Sequence[int] = (),
    limits: Sequence[Limit] = (),
) -> Child:
    """Start a program in a session of its own, at the root, without input, with all rights that this process has.

    It ends with this thread; ``keep`` stays open in it. Raises OSError where it cannot be started.
    """
    said, says = os.pipe()
    try:
        told = {
            "path": path,
            "arguments": list(arguments),
            "environment": dict(environment),
            "limits": list(limits),
            "says": says,
        }
        child = Child(begin(told, output, errors, [*keep, says]))
        os.close(says)
        says = -1
        failed = os.read(said, 16)
    finally:
        for descriptor in (said, says):
            if descriptor >= 0:
                os.close(descriptor)
    if failed:
        child.wait()
        number = int(failed)
        raise OSError(number, os.strerror(number))
    return child


def begin(told: Dict[str, Any], output: int, errors: int, keep: Sequence[int], padding: str = "") -> int:
    """Start an interpreter that becomes what it is told, and return its number.

    ``padding`` makes its command longer.
    """
    arguments = [sys.executable, "-I", "-S", "-B", "-c", program("child", __package__, "main", None)]
    kept = [descriptor for descriptor in keep if not os.get_inheritable(descriptor)]
    data = marshal.dumps({"parent": os.getpid(), "keep": list(keep), **told})
    if len(data) > _LARGEST_SETTINGS:
        raise OSError("what is to be told a child is too long")
    settings, writing = os.pipe()
    try:
        for descriptor in kept:
            os.set_inheritable(descriptor, True)
        actions = [(os.POSIX_SPAWN_DUP2, end, place) for place, end in enumerate((settings, output, errors))]
        arguments += [padding] if padding else []
        pid = os.posix_spawn(sys.executable, arguments, _environment(), file_actions=actions)
        os.close(settings)
        settings = -1
        _tell(pid, writing, data)
        return pid
    finally:
        for descriptor in kept:
            os.set_inheritable(descriptor, False)
        for descriptor in (settings, writing):
            if descriptor >= 0:
                os.close(descriptor)


def _environment() -> Dict[str, str]:
    """Return what our own interpreter needs to be started once more."""
    return {"LC_ALL": "C.UTF-8", **{name: value for name, value in os.environ.items() if name.startswith("LD_")}}


def _tell(pid: int, writing: int, data: bytes) -> None:
    """Write all that a child is to be told, as it takes it: where its user has many pipes, one holds a page or two."""
    os.set_blocking(writing, False)
    until = time.monotonic() + _TELL_SECONDS
    while data:
        try:
            data = data[os.write(writing, data) :]
        except BlockingIOError:
            if time.monotonic() > until:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                raise OSError("a child did not take what it was told") from None
            writable(writing, 0.1)
        except BrokenPipeError:
            # It has ended, which is told by its end.
            return
