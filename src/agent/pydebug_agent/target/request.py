"""One request: its parameters, checked, and what an operation needs to answer it."""

from __future__ import annotations

import errno
import sys
import time
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Optional

from .. import wire
from ..protocol.channel import Channel
from ..system.errors import AgentError
from ..system.guard import exhausted
from ..system.light import contextmanager
from ..system.proc import Proc
from ..system.ptrace_access import ptrace_denied
from .containers import Containers

if TYPE_CHECKING:
    from .processes import Processes

_MOST_PIDS = 4096
_TELL_SECONDS = 1.0
_MOST_NAMED = 8


class Request:
    """The request in hand, its channel, and how it has gone so far."""

    def __init__(self, body: Dict[str, Any], channel: Channel, proc: Proc) -> None:
        self.body = body
        self.channel = channel
        self.proc = proc
        self.failures: List[str] = []
        self._told = time.monotonic()
        # Processes that nobody named and that ended, where these are told of together.
        self._ended: Optional[Dict[int, AgentError]] = None
        self.after: List[Callable[[], None]] = []
        target = self.text("container", required=False)
        self.containers = Containers(proc, target or None, self.flag("shared"))

    # Parameters

    def text(self, name: str, required: bool = True) -> str:
        """Return a parameter that is a string."""
        value = self.body.get(name)
        if value is None and not required:
            return ""
        if not isinstance(value, str) or (required and not value):
            raise AgentError(wire.BAD_REQUEST, f"Parameter {name!r} must be a string.")
        return value

    def number(self, name: str, default: float, least: float, most: float) -> float:
        """Return a parameter that is a number within bounds."""
        value = self.body.get(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
            raise AgentError(wire.BAD_REQUEST, f"Parameter {name!r} must be a number from {least:g} to {most:g}.")
        return float(value)

    def flag(self, name: str) -> bool:
        """Return a parameter that is true or false, false where it is missing."""
        value = self.body.get(name)
        if value is not None and not isinstance(value, bool):
            raise AgentError(wire.BAD_REQUEST, f"Parameter {name!r} must be true or false.")
        return bool(value)

    def pids(self) -> Optional[List[int]]:
        """Return the processes the request names, None for all."""
        return self.process_ids("pids")

    def process_ids(self, name: str) -> Optional[List[int]]:
        """Return a parameter that is a list of processes, None where there is none."""
        value = self.body.get(name)
        if value is None:
            return None
        good = isinstance(value, list) and 0 < len(value) <= _MOST_PIDS
        if not good or not all(type(pid) is int and 0 < pid < 1 << 31 for pid in value):
            raise AgentError(wire.BAD_REQUEST, f"Parameter {name!r} must be a list of process ids.")
        return list(dict.fromkeys(value))

    def started(self) -> Dict[str, float]:
        """Return the start times the client expects, by process id as text."""
        value = self.body.get("started")
        if value is None:
            return {}
        if not isinstance(value, dict) or not all(isinstance(time, (int, float)) for time in value.values()):
            raise AgentError(wire.BAD_REQUEST, "Parameter 'started' must map process ids to seconds since 1970.")
        return value

    # Answers

    def result(self, content: Dict[str, Any]) -> None:
        """Send one result."""
        self.channel.send_json(wire.RESULT, content)

    def tell(self, pid: Optional[int], text: str, done: float = 0.0, total: Optional[float] = None) -> None:
        """Say how far the work is, once a second; raise where nobody waits for it any more."""
        self.channel.check()
        now = time.monotonic()
        if now - self._told >= _TELL_SECONDS:
            self._told = now
            self.channel.progress(done, total, text if pid is None else f"Process {pid}: {text}")

    @contextmanager
    def gone_together(self, unnamed: bool, chosen: int) -> Iterator[None]:
        """Tell of processes that ended meanwhile in one warning, where nobody asked for them by name.

        A child that comes and goes is no failure; only where none of the ``chosen`` ones is left it is one.
        """
        self._ended = {} if unnamed else None
        try:
            yield
        finally:
            ended, self._ended = self._ended or {}, None
        if not ended:
            return
        if len(ended) == chosen == 1:
            for pid, error in ended.items():
                self.fail(error, pid)
            return
        names = ", ".join(map(str, list(ended)[:_MOST_NAMED])) + (", ..." if len(ended) > _MOST_NAMED else "")
        if len(ended) == chosen:
            self.fail(AgentError(wire.PROCESS_GONE, f"All {chosen} Python processes ended meanwhile: {names}."))
            return
        if len(ended) == 1:
            text = f"Process {names} ended meanwhile and is left out."
        else:
            text = f"{len(ended)} processes ended meanwhile and are left out: {names}."
        self.channel.warn(wire.PROCESS_ENDED, text)

    def fail(self, error: AgentError, pid: Optional[int] = None) -> None:
        """Send one failure; the request goes on."""
        gone = error.pid if error.pid is not None else pid
        if self._ended is not None and error.cause == wire.PROCESS_GONE and gone is not None:
            self._ended[gone] = error
            return
        self.failures.append(error.cause)
        self.channel.send_json(wire.FAILURE, error.as_frame(pid))

    @contextmanager
    def guarded(self, pid: Optional[int] = None) -> Iterator[None]:
        """Turn whatever goes wrong with one process into a failure with a cause, so that the others go on."""
        try:
            yield
        except Exception as error:  # no exception of one process may end the request
            failure = self.explain(error, pid)
            if failure.cause in (wire.CANCELLED, wire.DEADLINE):
                raise
            if failure.cause == wire.INTERNAL:
                sys.excepthook(*sys.exc_info())
            self.fail(failure, pid)

    def explain(self, error: BaseException, pid: Optional[int]) -> AgentError:
        """Return the failure with a cause that an exception stands for."""
        if self.channel.ending is not None:
            # What fails while everything is being ended fails for that reason.
            return self.channel.ending
        if isinstance(error, AgentError):
            if error.cause == "PtraceDenied" and "found" not in error.detail and pid is not None:
                return ptrace_denied(pid, self.proc, error.message)
            return error
        if isinstance(error, MemoryError) or isinstance(error, OSError) and error.errno == errno.ENOMEM:
            return exhausted(self.proc, wire.OPERATIONS[str(self.body.get("op"))].words)
        if pid is not None and isinstance(error, (ProcessLookupError, FileNotFoundError)):
            if not self.proc.exists(pid):
                return AgentError(wire.PROCESS_GONE, f"Process {pid} is gone.", pid)
        if pid is not None and isinstance(error, PermissionError):
            return ptrace_denied(pid, self.proc, error.strerror or "")
        if isinstance(error, ImportError) and "ctypes" in str(error):
            return no_ctypes(error)
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        where = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else "?"
        text = f"{type(error).__name__}: {error}"
        return AgentError(wire.INTERNAL, f"The agent failed: {text}.", pid, {"where": where})

    # Processes

    def processes(self) -> Processes:
        """Look at the processes; raise where the target cannot be seen or holds no Python."""
        from .processes import Processes

        found = Processes(
            self.proc,
            self.containers,
            lambda done, total: self.tell(None, f"{done} of {total} processes looked at", done, total),
            self.channel.check,
        )
        if found.unread:
            self.channel.warn(
                wire.PROGRAMS_UNREAD,
                f"{found.unread} programs were not looked into, and taken by their names: those before them were so "
                "large that all that may be read of programs was read. A Python under another name may be missing.",
            )
        if self.body.get("pids") is None:
            self.tell_apart()
        if not found.pythons:
            if not self.containers.target_visible():
                raise AgentError(
                    wire.TARGET_NOT_VISIBLE,
                    "No process of the target container can be seen: it does not share its process namespace.",
                )
            if self.body.get("pids") is None:
                raise AgentError(wire.NO_PYTHON, "No Python process runs in the target container.")
        return found

    def tell_apart(self) -> None:
        """Raise where a question about the whole container would be one about others as well."""
        if not self.containers.told_apart:
            raise AgentError(
                wire.TARGET_NOT_TOLD,
                "The containers of this pod share their processes, and nothing here tells which are the target's.",
            )


def no_ctypes(error: ImportError) -> AgentError:
    """Return the failure of an interpreter that was built or stripped without ctypes."""
    return AgentError(
        wire.NO_CTYPES,
        f"The image's Python has no working ctypes, which reading another process needs ({error}).",
        detail={"reason": str(error)},
    )
