"""The operations that read another Python's memory: stack and tasks."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator

from ..target.masking import mask_command
from ..target.processes import shorten
from ..target.request import Request, no_ctypes


def stack(request: Request) -> None:
    """Send a "stack" result for each Python of each process."""
    stop = not request.flag("noStop")

    def read(pid: int) -> Iterator[Dict[str, Any]]:
        from .stacks import all_stacks

        about = {
            "command": " ".join(mask_command(shorten(request.proc.command(pid)))),
            "started": request.proc.started(pid),
        }
        for content in all_stacks(pid, stop=stop, proc=request.proc, tell=lambda text: request.tell(pid, text)):
            yield {**content, **about}

    _each(request, read)


def tasks(request: Request) -> None:
    """Send the "tasks" results of each process."""

    def read(pid: int) -> Iterator[Dict[str, Any]]:
        from .tasks import read_tasks

        return read_tasks(
            pid,
            proc=request.proc,
            seconds_left=request.channel.seconds_left,
            tell=lambda done, total: request.tell(pid, "%d of %d tasks" % (done, total), done, total),
        )

    _each(request, read)


def _each(request: Request, read: Callable[[int], Iterator[Dict[str, Any]]]) -> None:
    named = request.pids()
    started = request.started()
    request.tell(None, "looking for Pythons")
    found = request.processes()
    chosen = found.choose(named)
    try:
        import _ctypes  # to fail here, once, with the reason
    except ImportError as error:
        raise no_ctypes(error) from error
    with request.gone_together(named is None, len(chosen)):
        for number, pid in enumerate(chosen):
            request.channel.check()
            with request.guarded(pid):
                request.tell(pid, "process %d of %d" % (number + 1, len(chosen)))
                found.require(pid, started)
                for content in read(pid):
                    request.result(content)
