"""Serves one request and ends."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any, Callable, Dict, List

from . import wire
from .protocol.channel import Channel
from .protocol.hello import hello
from .protocol.light_json import loads
from .system import sibling
from .system.errors import AgentError
from .system.guard import Guard
from .system.proc import Proc
from .target.request import Request

_DEFAULT_DEADLINE = 60.0
_KEEPER_SECONDS = 60.0


def main() -> None:
    """Talk over this process's stdin and stdout; never returns."""
    sink = os.dup(1)
    # Whatever prints to stdout must not get between the frames.
    os.dup2(2, 1)
    channel = Channel(sys.stdin.buffer, sink)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: channel.cancel())
    code = wire.EXIT_INTERNAL
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
    channel.send_json(wire.HELLO, hello(proc))
    channel.every_look(Guard(proc, channel.end).look)
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
        _keep_code(request)
    except Exception as error:  # every end is told to the client
        failure = request.explain(error, None) if request is not None else _explain_early(error)
        if failure.cause == wire.INTERNAL:
            sys.excepthook(*sys.exc_info())
        channel.send_json(wire.FAILURE, failure.as_frame())
        return {
            wire.BAD_REQUEST: wire.EXIT_BAD_REQUEST,
            wire.DEADLINE: wire.EXIT_DEADLINE,
            wire.CANCELLED: wire.EXIT_CANCELLED,
            wire.INTERNAL: wire.EXIT_INTERNAL,
        }.get(failure.cause, wire.EXIT_FAILURES)
    return wire.EXIT_FAILURES if request.failures else 0


def _keep_code(request: Request) -> None:
    """Keep what was compiled for the next agent, where the client asks for it."""
    if request.flag("keep") and not request.failures:
        from .system.kept_code import keep

        told = keep(request.proc)
        if told is not None:
            request.channel.send_json(wire.MODULES, told)


def _parse(kind: str, payload: bytes) -> Dict[str, Any]:
    if kind != wire.REQUEST:
        raise AgentError(wire.BAD_REQUEST, f"Frame {kind!r} came where the request was due.")
    try:
        body = loads(payload)
    except (ValueError, RecursionError):
        raise AgentError(wire.BAD_REQUEST, "The request is not JSON.") from None
    if not isinstance(body, dict):
        raise AgentError(wire.BAD_REQUEST, "The request is not a JSON object.")
    if body.get("v") != wire.VERSION:
        raise AgentError(wire.BAD_REQUEST, f"The request speaks version {body.get('v')!r}, the agent {wire.VERSION}.")
    return body


def _deadline(body: Dict[str, Any]) -> float:
    value = body.get("deadline", _DEFAULT_DEADLINE)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 43200:
        raise AgentError(wire.BAD_REQUEST, "Parameter 'deadline' must be a number of seconds up to 43200.")
    return float(value)


def _operation(name: str) -> Callable[[Request], None]:
    if name not in wire.OPERATIONS:
        raise AgentError(wire.BAD_REQUEST, f"There is no operation {name!r}.")
    # Imported when needed, and sent when needed: what is not there costs no time and none of the application's memory.
    module, _, function = wire.OPERATIONS[name].where.rpartition(".")
    full = f"{__package__}.{module}"
    __import__(full)
    operation: Callable[[Request], None] = getattr(sys.modules[full], function)
    return operation


def _explain_early(error: BaseException) -> AgentError:
    if isinstance(error, AgentError):
        return error
    return AgentError(wire.INTERNAL, f"The agent failed: {type(error).__name__}: {error}.")


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
                # While its interpreter starts it would be ended by it. The last thing it does is to ignore SIGCHLD.
                if int(request.proc.status(pid).get("SigIgn", "0"), 16) >> (signal.SIGCHLD - 1) & 1:
                    os.kill(pid, signal.SIGUSR1)
            except (OSError, ValueError):
                pass

    notify()
    request.channel.every_beat(notify)

