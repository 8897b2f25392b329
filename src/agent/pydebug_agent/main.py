"""Serves one request and ends."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import Any, Callable, Dict, List

from . import sibling
from .channel import Channel
from .errors import BAD_REQUEST, CANCELLED, DEADLINE, INTERNAL, AgentError
from .hello import PROTOCOL, hello
from .proc import Proc
from .request import Request

EXIT_FAILURES = 1
EXIT_BAD_REQUEST = 2
EXIT_INTERNAL = 70
EXIT_DEADLINE = 124
EXIT_CANCELLED = 130

_DEFAULT_DEADLINE = 60.0
_KEEPER_SECONDS = 60.0


def main() -> None:
    """Talk over this process's stdin and stdout; never returns."""
    _offer_to_the_oom_killer()
    sibling.step_aside()
    sink = os.dup(1)
    # Whatever prints to stdout must not get between the frames.
    os.dup2(2, 1)
    channel = Channel(sys.stdin.buffer, sink)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: channel.cancel())
    code = EXIT_INTERNAL
    after: List[Callable[[], None]] = []
    try:
        code = serve(channel, Proc(), after)
        channel.finish(code)
        for action in after:
            action()
    finally:
        sys.stderr.flush()
        # Threads that block in a read must not hold up the end.
        sibling.leave(code)


def serve(channel: Channel, proc: Proc, after: List[Callable[[], None]]) -> int:
    """Answer the one request; return the exit code. ``after`` collects what must wait for the acknowledgement."""
    channel.send_json("H", hello(proc))
    channel.start()
    request = None
    try:
        kind, payload = channel.receive()
        body = _parse(kind, payload)
        channel.set_deadline(_deadline(body))
        request = Request(body, channel, proc)
        request.after = after
        _keep_container(request)
        operation = _operation(request.text("op"))
        operation(request)
    except Exception as error:  # noqa: BLE001 - every end is told to the client
        failure = request.explain(error, None) if request is not None else _explain_early(error)
        if failure.cause == INTERNAL:
            sys.excepthook(*sys.exc_info())
        channel.send_json("E", failure.as_frame())
        return {
            BAD_REQUEST: EXIT_BAD_REQUEST,
            DEADLINE: EXIT_DEADLINE,
            CANCELLED: EXIT_CANCELLED,
            INTERNAL: EXIT_INTERNAL,
        }.get(failure.cause, EXIT_FAILURES)
    return EXIT_FAILURES if request.failures else 0


def _parse(kind: str, payload: bytes) -> Dict[str, Any]:
    if kind != "Q":
        raise AgentError(BAD_REQUEST, f"Frame {kind!r} came where the request was due.")
    try:
        body = json.loads(payload)
    except (ValueError, RecursionError):
        raise AgentError(BAD_REQUEST, "The request is not JSON.") from None
    if not isinstance(body, dict):
        raise AgentError(BAD_REQUEST, "The request is not a JSON object.")
    if body.get("v") != PROTOCOL:
        raise AgentError(BAD_REQUEST, f"The request speaks version {body.get('v')!r}, the agent {PROTOCOL}.")
    return body


def _deadline(body: Dict[str, Any]) -> float:
    value = body.get("deadline", _DEFAULT_DEADLINE)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 43200:
        raise AgentError(BAD_REQUEST, "Parameter 'deadline' must be a number of seconds up to 43200.")
    return float(value)


def _operation(name: str) -> Callable[[Request], None]:
    # Imported when needed: what is not imported costs no time and none of the application's memory.
    if name in ("processes", "probe", "ping", "stop"):
        from . import looking

        return looking.OPERATIONS[name]
    if name in ("stack", "tasks"):
        from . import reading

        return reading.OPERATIONS[name]
    if name == "time":
        from .timing import run

        return run.time
    if name in ("get", "put"):
        from . import files

        return files.OPERATIONS[name]
    if name == "pyspy":
        from . import pyspy

        return pyspy.run
    if name in ("memray", "memrayRead"):
        from .memray import run as memray_run

        return memray_run.memray if name == "memray" else memray_run.memray_read
    if name == "bpftrace":
        from .bpftrace import run as bpftrace

        return bpftrace.run
    raise AgentError(BAD_REQUEST, f"There is no operation {name!r}.")


def _explain_early(error: BaseException) -> AgentError:
    if isinstance(error, AgentError):
        return error
    return AgentError(INTERNAL, f"The agent failed: {type(error).__name__}: {error}.")


def _keep_container(request: Request) -> None:
    """Tell the keeper that its container is in use, now and while the request lasts."""
    keepers = request.containers.beside("keeper")
    last = [0.0]

    def notify() -> None:
        now = time.monotonic()
        if last[0] and now - last[0] < _KEEPER_SECONDS:
            return
        last[0] = now
        for pid in keepers:
            try:
                os.kill(pid, signal.SIGUSR1)
            except OSError:
                pass

    notify()
    request.channel.every_beat(notify)


def _offer_to_the_oom_killer() -> None:
    """Where the pod's memory runs out this process goes first, not the application."""
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write("1000")
    except OSError:
        pass
