"""What the agent does first: it looks at the memory that is left, and goes where that is too little.

Little of the agent is loaded by then, so that a refusal costs the least that an answer can cost.
"""

from __future__ import annotations

import os
import signal
import struct
import sys
from typing import Dict, Optional

from . import wire
from .protocol.hello import hello
from .protocol.light_json import dumps
from .system import memory_limit, oom_victim, sibling
from .system.digest import sha256
from .system.errors import AgentError
from .system.libc import function
from .system.proc import Proc

_KEEPER = b'\0-c\0"""pydebug-keeper'
_ACKNOWLEDGE_SECONDS = 30
_PR_SET_DUMPABLE = 4
# What is less of the same question.
_SMALLER = {"time": "memorySampler", "memray": "plainReport"}


def enter(header: bytes) -> None:
    """Return where there is enough memory for what is asked; else answer the client and end.

    ``header`` has lines of a name and a value: what must be known before the request can be read.
    """
    told = dict(line.split(" ", 1) for line in header.decode("utf-8", "replace").splitlines() if " " in line)
    _offer_to_the_oom_killer()
    _hide()
    proc = Proc()
    operation = wire.OPERATIONS.get(told.get("op", ""))
    if told.get("low") == "1" or operation is None or not operation.needs:
        memory_limit.allow_low()
    else:
        more = told.get("needs", "")
        try:
            needs = max(operation.needs, int(more) if more.isdigit() else 0)
            memory_limit.require_headroom(proc, needs, operation.words)
        except AgentError as error:
            headroom = error.detail["headroom"] - memory_limit.MARGIN
            fits = [name for name, other in wire.OPERATIONS.items() if 0 < other.needs <= headroom]
            if told["op"] in _SMALLER and operation.needs <= headroom:
                fits.append(_SMALLER[told["op"]])
            error.detail["fits"] = ",".join(fits)
            _refuse(error, proc, told)
    oom_victim.grow()
    if operation is None or operation.leaves:
        sibling.step_aside()


def _offer_to_the_oom_killer() -> None:
    """Where the pod's memory runs out this process goes first, not the application."""
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write("1000")
    except OSError:
        pass


def _hide() -> None:
    """Let no other process of this user read or trace this one: under the profile Restricted the target is one.

    The kernel gives what /proc has of this process to root then, so what is written there is written before.
    """
    prctl = function("prctl")
    if prctl is not None:
        prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def _refuse(error: AgentError, proc: Proc, told: Dict[str, str]) -> None:
    """Give the whole answer, wait until the client has it, and end."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(_ACKNOWLEDGE_SECONDS)
    digest, length = sha256(), 0
    for kind, content in ((wire.HELLO, hello(proc)), (wire.FAILURE, error.as_frame()), (wire.TRAILER, None)):
        if content is None:
            content = {"exit": wire.EXIT_FAILURES, "length": length, "sha256": digest.hexdigest()}
        payload = dumps(content).encode("utf-8")
        frame = struct.pack(">IB", len(payload), ord(kind)) + payload
        digest.update(frame)
        length += len(frame)
        while frame:
            frame = frame[os.write(1, frame) :]
    _await_acknowledgement()
    if told.get("new") == "1":
        _end_keeper(proc)
    os._exit(wire.EXIT_FAILURES)


def _await_acknowledgement() -> None:
    """Read past the rest of the agent and the request, to the frame that says that all has arrived."""
    read = sys.stdin.buffer.read

    def skip(size: int) -> None:
        while size > 0 and read(min(size, 1 << 14)):
            size -= 1 << 14

    skip(int.from_bytes(read(4), "big"))
    while True:
        header = read(5)
        if len(header) < 5 or header[4:] == wire.ACKNOWLEDGE.encode():
            return
        skip(int.from_bytes(header[:4], "big"))


def _end_keeper(proc: Proc) -> None:
    """End a debug container that was just made: it is of no use, and what it has is the application's."""
    own = _mounts(proc, "self")
    for pid in proc.pids():
        try:
            if own is not None and _mounts(proc, pid) == own and _KEEPER in proc.read(pid, "cmdline", limit=1 << 12):
                os.kill(pid, signal.SIGTERM)
        except OSError:
            continue


def _mounts(proc: Proc, pid: object) -> Optional[str]:
    try:
        return proc.link(pid, "ns", "mnt")
    except OSError:
        return None
