"""The operations that only look: processes, probe; and stop, which ends the debug container."""

from __future__ import annotations

import os
import signal
import time
from typing import List

from .. import wire
from ..system.errors import AgentError
from .processes import Processes
from .request import Request

_AGENTS_END_SECONDS = 4.0


def processes(request: Request) -> None:
    """Send one "process" result per Python."""
    for described in request.processes().describe():
        request.result(described)


def probe(request: Request) -> None:
    """Say whether the target can be seen, and how many Pythons it holds."""
    found = Processes(request.proc, request.containers, check=request.channel.check)
    visible = request.containers.target_visible()
    request.result({"kind": "probe", "processes": len(found.pythons), "targetVisible": visible})


def stop(request: Request) -> None:
    """End the other agents now and the keeper once the client knows: with it ends the container, this agent too."""
    agents = request.containers.beside("agent")
    _signal(agents, signal.SIGTERM)
    # An agent that is killed with the container leaves its tool to the application's PID 1.
    until = time.monotonic() + _AGENTS_END_SECONDS
    while any(request.proc.exists(pid) for pid in agents) and time.monotonic() < until:
        request.channel.check()
        time.sleep(0.02)
    keepers = request.containers.beside("keeper")
    for pid in keepers:
        try:
            os.kill(pid, 0)
        except PermissionError as error:
            text = f"The keeper, process {pid}, may not be signalled: {error.strerror}."
            raise AgentError(wire.INTERNAL, text) from error
        except ProcessLookupError:
            continue
    request.result({"kind": "stop"})
    request.after.append(lambda: _signal(keepers, signal.SIGTERM))


def _signal(pids: List[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except OSError:
            pass
