"""Sends a file to the client in parts, and then what it must have received."""

from __future__ import annotations

import os
from typing import Any, Callable, Dict

from .. import wire
from ..system.digest import is_worth_memory, sha256_for
from ..system.errors import AgentError
from ..target.request import Request

# With its header such a chunk is no large object to the client.
_CHUNK = 1 << 16
_PIPE = 1 << 20


def _nobody(_: int) -> None:
    pass


def _nothing() -> None:
    pass


def send_from(
    request: Request,
    descriptor: int,
    size: int,
    offset: int,
    before: str,
    about: Dict[str, Any],
    tell: Callable[[int], None] = _nobody,
    check: Callable[[], None] = _nothing,
    whole: bool = True,
) -> None:
    """Send a file from ``offset`` on, of which the bytes before that have the SHA-256 ``before``.

    ``check`` is called before the end is told. A file that ends early is a failure where it is to be ``whole``.
    """
    digest = sha256_for(request.proc, size)
    if is_worth_memory(request.proc, size):
        request.channel.widen(_PIPE)
    at = 0
    while True:
        request.channel.check()
        if at == offset and offset and digest.hexdigest() != before:
            raise AgentError(wire.FILE_CHANGED, "The file no longer begins with what was sent before the cut.")
        if at == size:
            break
        chunk = os.pread(descriptor, min(_CHUNK, (offset if at < offset else size) - at), at)
        if not chunk:
            if whole or at < offset:
                detail = {"size": size, "read": at}
                raise AgentError(wire.FILE_CHANGED, "The file shrank while it was read.", detail=detail)
            break
        digest.update(chunk)
        if at >= offset:
            # Their hash is told at the end, so that the stream's own leaves them out.
            request.channel.send(wire.HASHED_FILE, chunk)
        at += len(chunk)
        tell(at)
    check()
    request.result({"kind": "fileEnd", **about, "sha256": digest.hexdigest(), "size": at})


def stand_back() -> None:
    """Let whoever else wants the processor have it, as long as this thread sends or receives.

    The threads that notice that the client is gone stay as they are: beside many that are busy, one that stands back
    comes late, and it cannot step forward again.
    """
    try:
        os.setpriority(os.PRIO_PROCESS, 0, 19)
    except OSError:
        pass
