"""The operations that read another Python's memory: stack and tasks."""

from __future__ import annotations

from typing import Any, Callable, Dict

from .masking import mask_command
from .processes import shorten
from .request import Request, no_ctypes


def stack(request: Request) -> None:
    """Send one "stack" result per process."""
    stop = not request.flag("noStop")

    def read(pid: int) -> Dict[str, Any]:
        from .reader import read_stacks

        content: Dict[str, Any] = read_stacks(pid, stop=stop, proc=request.proc)
        content["command"] = " ".join(mask_command(shorten(request.proc.command(pid))))
        content["started"] = request.proc.started(pid)
        return content

    _each(request, read)


def tasks(request: Request) -> None:
    """Send one "tasks" result per process."""

    def read(pid: int) -> Dict[str, Any]:
        from .reader import read_tasks

        content: Dict[str, Any] = read_tasks(pid, proc=request.proc)
        return content

    _each(request, read)


def _each(request: Request, read: Callable[[int], Dict[str, Any]]) -> None:
    named = request.pids()
    started = request.started()
    found = request.processes()
    chosen = found.choose(named)
    try:
        import ctypes  # noqa: F401 - to fail here, once, with the reason
    except ImportError as error:
        raise no_ctypes(error) from error
    for pid in chosen:
        request.channel.check()
        with request.guarded(pid):
            found.require(pid, started)
            request.result(read(pid))


OPERATIONS: Dict[str, Callable[[Request], None]] = {"stack": stack, "tasks": tasks}
