"""Sends a file to the client in parts, and then what it must have received."""

from __future__ import annotations

import os
from typing import Any, Callable, Dict

from .digest import sha256
from .request import Request

_CHUNK = 1 << 18


def _nobody(_: int) -> None:
    pass


def send_file(
    request: Request, descriptor: int, size: int, about: Dict[str, Any], tell: Callable[[int], None] = _nobody
) -> None:
    """Send the first ``size`` bytes of a file.

    ``about`` says which one it is; ``tell`` hears of how much has been sent.
    """
    digest = sha256()
    sent = 0
    while sent < size:
        request.channel.check()
        chunk = os.pread(descriptor, min(_CHUNK, size - sent), sent)
        if not chunk:
            break
        digest.update(chunk)
        request.channel.send("F", chunk)
        sent += len(chunk)
        tell(sent)
    request.result({"kind": "fileEnd", **about, "sha256": digest.hexdigest(), "size": sent})
