"""Files that only this process has, kept for a client that was cut off, and the operation that goes on with them.

A later agent asks for the open files over a socket without a name in the file system. It is in the pod's network
namespace, where the application is, too: what opens it is a word that the client alone was told.
"""

from __future__ import annotations

import os
import stat
import time
from typing import Any, Callable, Dict, List, NamedTuple, Sequence, Tuple

from .. import wire
from ..protocol.light_json import dumps, loads
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
# The kernel passes 253 descriptors at once.
_MOST_FILES = 250
_LARGEST_LIST = 64 << 20


def _nobody(_: int) -> None:
    pass


class Kept(NamedTuple):
    """A file to be sent behind the result ``before`` it; ``about`` is told again at its end."""

    descriptor: int
    size: int
    before: Dict[str, Any]
    about: Dict[str, Any]
    tell: Callable[[int], None] = _nobody


class Held:
    """Open files that outlive a connection by some seconds."""

    def __init__(self, request: Request, files: Sequence[Kept], last: bool, rest: Sequence[int]) -> None:
        import _socket

        self._sockets = _socket
        told = {"last": last, "rest": list(rest), "files": [[file.size, file.before, file.about] for file in files]}
        # What is said of a process may have half of a surrogate pair.
        self._list = dumps(told).encode("utf-8", "replace")
        self._descriptors: List[int] = []
        self.word = os.urandom(_WORD_BYTES).hex()
        self.name = "pydebug-" + os.urandom(_WORD_BYTES).hex()
        self._socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        self._live = True
        try:
            self._socket.bind(b"\0" + self.name.encode("ascii"))
            self._socket.listen(4)
            for file in files:
                self._descriptors.append(os.dup(file.descriptor))
        except OSError:
            self.close()
            raise
        request.channel.at_last(self._wait)

    def close(self) -> None:
        """Let go of them: all of it was sent."""
        if self._live:
            self._live = False
            self._socket.close()
            for descriptor in self._descriptors:
                os.close(descriptor)

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
            if _receive(peer, len(self.word)) != self.word.encode("ascii"):
                return False
            rights = b"".join(each.to_bytes(_INTEGER_BYTES, "little") for each in self._descriptors)
            peer.sendmsg([_ANSWER], [(self._sockets.SOL_SOCKET, self._sockets.SCM_RIGHTS, rights)])
            peer.sendall(len(self._list).to_bytes(_INTEGER_BYTES, "little") + self._list)
            return True
        except OSError:
            return False
        finally:
            peer.close()


def held(request: Request) -> None:
    """Send what is left of files that another agent keeps."""
    stand_back()
    at, offset = int(request.number("at", -1, 0, 1 << 30)), int(request.number("offset", -1, 0, 1 << 60))
    if at < 0 or offset < 0:
        raise AgentError(wire.BAD_REQUEST, "Parameters 'at' and 'offset' must say what is there.")
    files, last, rest = _take_over(request.text("name"), request.text("word"))
    try:
        if at > len(files) or offset > (files[at].size if at < len(files) else 0):
            raise AgentError(wire.BAD_REQUEST, "Fewer files were kept than are said to have come.")
        for file in files:
            if not stat.S_ISREG(os.fstat(file.descriptor).st_mode):
                raise AgentError(wire.BAD_REQUEST, "What was kept is no file.")
        before = request.text("sha256") if offset else ""
        send_held(request, files, last, at, request.flag("told"), offset, before, rest)
    finally:
        for file in files:
            os.close(file.descriptor)


def send_held(
    request: Request,
    files: Sequence[Kept],
    last: bool,
    at: int = 0,
    told: bool = False,
    offset: int = 0,
    before: str = "",
    rest: Sequence[int] = (),
) -> None:
    """Send files that the client can go on with where it is cut off.

    It has those before ``at``, of that one ``offset`` bytes, and where it was ``told`` the result before these. Nothing
    comes behind the ``last``; behind others the processes ``rest``, where the client may ask for these anew.
    """
    while len(files) > _MOST_FILES:
        send_held(request, files[:_MOST_FILES], False)
        files = files[_MOST_FILES:]
    kept = _keep(request, files, last, rest)
    told_of = {"files": len(files), "last": last, "rest": list(rest)}
    _tell(request, kept, told_of, at, offset)
    for number, file in enumerate(files[at:], at):
        with request.guarded(file.about.get("pid")):
            if not told:
                request.result(file.before)
            whole = offset > 0
            send_from(request, file.descriptor, file.size, offset, before, file.about, file.tell, whole=whole)
            told, offset, before = False, 0, ""
            continue
        # It failed, which the client was told, and the next one comes.
        told, offset, before = False, 0, ""
        _tell(request, kept, told_of, number + 1, 0)
    if kept is not None and not last:
        kept.close()


def _tell(request: Request, kept: Any, files: Dict[str, Any], at: int, offset: int) -> None:
    """Say where the client finds what is kept, and with which file of it the next bytes are."""
    if kept is not None:
        place = {"name": kept.name, "word": kept.word, "at": at, "offset": offset}
        request.result({"kind": "held", **place, **files})


def _keep(request: Request, files: Sequence[Kept], last: bool, rest: Sequence[int]) -> Any:
    try:
        return Held(request, files, last, rest) if 0 < len(files) <= _MOST_FILES else None
    except (ImportError, OSError):
        # Where no socket can be had, they are sent all the same.
        return None


def _take_over(name: str, word: str) -> Tuple[List[Kept], bool, List[int]]:
    import _socket

    peer = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    descriptors: List[int] = []
    try:
        peer.settimeout(_SEEN_SECONDS)
        peer.connect(b"\0" + name.encode("ascii"))
        peer.send(word.encode("ascii"))
        space = _socket.CMSG_LEN(_MOST_FILES * _INTEGER_BYTES)
        _, rights, _, _ = peer.recvmsg(len(_ANSWER), space, _socket.MSG_CMSG_CLOEXEC)
        for level, kind, data in rights:
            if (level, kind) == (_socket.SOL_SOCKET, _socket.SCM_RIGHTS):
                for place in range(0, len(data) - _INTEGER_BYTES + 1, _INTEGER_BYTES):
                    descriptors.append(int.from_bytes(data[place : place + _INTEGER_BYTES], "little"))
        if descriptors:
            length = int.from_bytes(_receive(peer, _INTEGER_BYTES), "little")
            told = loads(_receive(peer, min(length, _LARGEST_LIST)))
            files = [Kept(each, int(size), *more) for each, (size, *more) in zip(descriptors, told["files"])]
            if len(files) == len(descriptors) == len(told["files"]):
                return files, bool(told["last"]), list(told["rest"])
    except (OSError, ValueError, TypeError, LookupError):
        pass
    finally:
        peer.close()
    for descriptor in descriptors:
        os.close(descriptor)
    gone = "What was left of the file when the connection was cut is not kept any more."
    raise AgentError(wire.FILE_NOT_FOUND, gone)


def _receive(peer: Any, length: int) -> bytes:
    """Return so many bytes; fewer where no more come."""
    parts: List[bytes] = []
    while length > 0:
        part = peer.recv(min(length, 1 << 16))
        if not part:
            break
        parts.append(part)
        length -= len(part)
    return b"".join(parts)
