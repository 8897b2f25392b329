"""What a read that failed means to the client."""

from __future__ import annotations

from typing import Iterator

from .. import wire
from ..system import errors
from ..system.light import contextmanager
from ..system.proc import Proc
from ..system.ptrace_access import ptrace_denied
from .memory import Denied, Fault, Gone
from .target import gone


@contextmanager
def explained(pid: int, proc: Proc, what: str) -> Iterator[None]:
    """Turn what goes wrong while a process is read into AgentErrors; ``what`` names what was read, in the plural."""
    try:
        yield
    except (Gone, FileNotFoundError, ProcessLookupError) as error:
        raise gone(pid) from error
    except (Denied, PermissionError) as error:
        raise ptrace_denied(pid, proc, str(error)) from error
    except Fault as fault:
        if not proc.exists(pid):
            raise gone(pid) from fault
        raise errors.AgentError(
            wire.UNSUPPORTED_PYTHON, "The %s of process %d changed too fast to be read: %s." % (what, pid, fault), pid
        ) from fault
