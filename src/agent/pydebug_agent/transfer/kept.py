"""Files that only this process has, kept for a client that was cut off, and the operation that goes on with one.

A later agent asks for the open file over a socket without a name in the file system. It is in the pod's network
namespace, where the application is, too: what opens it is a word that the client alone was told.
"""

from __future__ import annotations

import os
import stat
import time
from typing import Any, Dict

from .. import wire
from ..system.errors import AgentError
from ..target.request import Request
from .send import send_from, stand_back

# So long it waits for a client to come back.
_KEPT_SECONDS = 25.0
_WORD_SECONDS = 2.0
# And so long a client that is back waits for it to see that the connection is gone.
_SEEN_SECONDS = 30.0
_WORD_BYTES = 16
_INTEGER_BYTES = 4
_ANSWER = b"+"


class Held:
    """An open file that outlives a connection by some seconds."""

    def __init__(self, request: Request, descriptor: int) -> None:
        import _socket

        self._sockets = _socket
        self._descriptor = os.dup(descriptor)
        self.word = os.urandom(_WORD_BYTES).hex()
        self.name = "pydebug-" + os.urandom(_WORD_BYTES).hex()
        self._socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        self._socket.bind(b"\0" + self.name.encode("ascii"))
        self._socket.listen(4)
        self._live = True
        request.channel.at_last(self._wait)

    def close(self) -> None:
        """Let go of it: all of it was sent."""
        if self._live:
            self._live = False
            self._socket.close()
            os.close(self._descriptor)

    def _wait(self) -> None:
        until = time.monotonic() + _KEPT_SECONDS
        while self._live and time.monotonic() < until:
            self._socket.settimeout(max(0.01, until - time.monotonic()))
            try:
                descriptor, _ = self._socket._accept()
            except OSError:
                return
            if self._serve(self._sockets.socket(fileno=descriptor)):
                return

    def _serve(self, peer: Any) -> bool:
        try:
            peer.settimeout(_WORD_SECONDS)
            said = b""
            while len(said) < len(self.word):
                part = peer.recv(len(self.word) - len(said))
                if not part:
                    return False
                said += part
            if said != self.word.encode("ascii"):
                return False
            rights = self._descriptor.to_bytes(_INTEGER_BYTES, "little")
            peer.sendmsg([_ANSWER], [(self._sockets.SOL_SOCKET, self._sockets.SCM_RIGHTS, rights)])
            return True
        except OSError:
            return False
        finally:
            peer.close()


def held(request: Request) -> None:
    """Send what is left of a file that another agent keeps."""
    stand_back()
    about = request.body.get("about")
    size, offset = (int(request.number(name, -1, 0, 1 << 60)) for name in ("size", "offset"))
    if not isinstance(about, dict) or not 0 <= offset <= size:
        raise AgentError(wire.BAD_REQUEST, "Parameters 'about', 'size' and 'offset' must say what is sent.")
    descriptor = _take_over(request.text("name"), request.text("word"))
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise AgentError(wire.BAD_REQUEST, "What was kept is no file.")
        send_held(request, descriptor, size, about, True, offset, request.text("sha256"))
    finally:
        os.close(descriptor)


def send_held(
    request: Request,
    descriptor: int,
    size: int,
    about: Dict[str, Any],
    last: bool,
    offset: int = 0,
    before: str = "",
    tell: Any = lambda sent: None,
) -> None:
    """Send a file that the client can go on with where it is cut off. ``last`` says that nothing comes behind it."""
    kept = _keep(request, descriptor)
    if kept is not None:
        place = {"name": kept.name, "word": kept.word, "size": size, "offset": offset, "last": last, "about": about}
        request.result({"kind": "held", **place})
    send_from(request, descriptor, size, offset, before, about, tell, whole=offset > 0)
    if kept is not None and not last:
        kept.close()


def _keep(request: Request, descriptor: int) -> Any:
    try:
        return Held(request, descriptor)
    except (ImportError, OSError):
        # Where no socket can be had, it is sent all the same.
        return None


def _take_over(name: str, word: str) -> int:
    import _socket

    peer = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        peer.settimeout(_SEEN_SECONDS)
        peer.connect(b"\0" + name.encode("ascii"))
        peer.send(word.encode("ascii"))
        _, rights, _, _ = peer.recvmsg(1, _socket.CMSG_LEN(_INTEGER_BYTES), _socket.MSG_CMSG_CLOEXEC)
        for level, kind, data in rights:
            if (level, kind) == (_socket.SOL_SOCKET, _socket.SCM_RIGHTS) and len(data) >= _INTEGER_BYTES:
                return int.from_bytes(data[:_INTEGER_BYTES], "little")
    except OSError:
        pass
    finally:
        peer.close()
    raise AgentError(wire.FILE_NOT_FOUND, "What was left of the file when the connection was cut is not kept any more.")
