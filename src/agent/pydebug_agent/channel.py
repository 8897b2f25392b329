"""The framed conversation with the client over stdin and stdout."""

from __future__ import annotations

import json
import os
import queue
import struct
import threading
import time
from typing import Any, BinaryIO, Callable, Dict, Iterator, List, Optional, Tuple

from . import sibling
from .digest import sha256
from .errors import BAD_REQUEST, CANCELLED, DEADLINE, AgentError

LARGEST_FRAME = 16 << 20
HEARTBEAT_SECONDS = 10.0
SILENCE_SECONDS = 45.0
GRACE_SECONDS = 10.0
ACKNOWLEDGE_SECONDS = 30.0
_LAST_WRITE_SECONDS = 2.0

# Exit codes of an agent whose client is gone; nobody reads them but a log.
EXIT_LOST = 3
EXIT_OVERDUE = 4

_HEADER = struct.Struct(">IB")

class Channel:
    """Sends typed frames, receives the client's, and ends the process when the client is gone."""

    def __init__(self, source: BinaryIO, sink: int) -> None:
        self._source = source
        self._sink = sink
        self._last_acts: List[Callable[[], None]] = []
        self._lock = threading.Lock()
        self._losing = threading.RLock()
        self._hash = sha256()
        self._length = 0
        self._closed = False
        self._received: "queue.Queue[Tuple[str, bytes]]" = queue.Queue(maxsize=64)
        self._acknowledged = threading.Event()
        self._cancelled = threading.Event()
        self._heard = time.monotonic()
        self._reader_waits = False
        self._deadline: Optional[float] = None
        self._pulse: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Begin to read, to send heartbeats and to watch."""
        for work in (self._read, self._beat, self._watch):
            threading.Thread(target=work, name="pydebug" + work.__name__, daemon=True).start()

    def every_beat(self, pulse: Callable[[], None]) -> None:
        """Call ``pulse`` with each heartbeat, in the heartbeat's thread."""
        self._pulse = pulse

    def at_loss(self, act: Callable[[], None]) -> None:
        """Call ``act`` before the process ends because the client is gone; it runs in the watching thread."""
        self._last_acts.append(act)

    # Deadline and cancellation

    def set_deadline(self, seconds: float) -> None:
        """Let the request end ``seconds`` from now; some seconds later the process ends whatever happens."""
        self._deadline = time.monotonic() + seconds

    def seconds_left(self) -> float:
        """Return the seconds until the deadline."""
        return float("inf") if self._deadline is None else self._deadline - time.monotonic()

    def cancel(self) -> None:
        """Ask the running request to end."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        """Say whether somebody asked the request to end."""
        return self._cancelled.is_set()

    def check(self) -> None:
        """Raise where the request was cancelled or its time is over."""
        if self._cancelled.is_set():
            raise AgentError(CANCELLED, "The request was cancelled.")
        if self.seconds_left() <= 0:
            raise AgentError(DEADLINE, "The request's time is over.")

    # Sending

    def send(self, kind: str, payload: bytes = b"") -> None:
        """Send one frame."""
        if len(payload) > LARGEST_FRAME:
            raise AgentError(BAD_REQUEST, f"A frame of {len(payload)} bytes is too large to send.")
        with self._lock:
            self._put(kind, payload)

    def send_json(self, kind: str, content: Dict[str, Any]) -> None:
        """Send one frame with a JSON object."""
        text = json.dumps(content, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        try:
            payload = text.encode("utf-8")
        except UnicodeEncodeError:
            # Half a surrogate pair, from a name in the target: no JSON reader takes it.
            payload = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace").encode("utf-8")
        self.send(kind, payload)

    def warn(self, identity: str, message: str, pid: Optional[int] = None) -> None:
        """Send a warning with a constant id."""
        self.send_json("W", {"id": identity, "message": message, "pid": pid})

    def progress(self, done: float, total: Optional[float], text: str) -> None:
        """Send how far the work is."""
        self.send_json("P", {"done": done, "total": total, "text": text})

    def finish(self, code: int) -> None:
        """Send the trailer and wait until the client has it."""
        with self._lock:
            trailer = {"exit": code, "length": self._length, "sha256": self._hash.hexdigest()}
            self._put("T", json.dumps(trailer, separators=(",", ":")).encode("ascii"))
            self._closed = True
        # What the deadline bounds is over; the wait has its own.
        self._deadline = None
        self._acknowledged.wait(ACKNOWLEDGE_SECONDS)

    def _put(self, kind: str, payload: bytes) -> None:
        if self._closed:
            return
        frame = _HEADER.pack(len(payload), ord(kind)) + payload
        self._hash.update(frame)
        self._length += len(frame)
        view = memoryview(frame)
        while view:
            try:
                view = view[os.write(self._sink, view) :]
            except OSError:
                self._lose(EXIT_LOST)

    # Receiving

    def receive(self, seconds: float = SILENCE_SECONDS) -> Tuple[str, bytes]:
        """Return the next frame that is neither keep-alive nor control; raise when none comes."""
        until = time.monotonic() + seconds
        while True:
            try:
                return self._received.get(timeout=0.2)
            except queue.Empty:
                self.check()
                if time.monotonic() > until:
                    raise AgentError(BAD_REQUEST, "The client sent nothing more.") from None

    def ask(self, name: str, machine: Optional[str] = None) -> Iterator[bytes]:
        """Ask the client for a payload and yield its chunks."""
        self.send_json("N", {"name": name, "machine": machine, "size": None})
        yield from self.chunks()

    def chunks(self) -> Iterator[bytes]:
        """Yield the chunks that the client sends for what it was asked."""
        while True:
            kind, payload = self.receive()
            if kind == "Z":
                return
            if kind != "D":
                raise AgentError(BAD_REQUEST, f"Frame {kind!r} came where data was due.")
            yield payload

    def _read(self) -> None:
        while True:
            header = self._source.read(_HEADER.size)
            if len(header) < _HEADER.size:
                break
            length, code = _HEADER.unpack(header)
            if length > LARGEST_FRAME:
                break
            payload = self._source.read(length) if length else b""
            if len(payload) < length:
                break
            self._heard = time.monotonic()
            kind = chr(code)
            if kind == "K":
                continue
            if kind == "A":
                self._acknowledged.set()
            elif kind == "C":
                self._cancelled.set()
            else:
                self._keep(kind, payload)
        # The end of stdin right behind the trailer is an acknowledgement; the lock is held while that is written.
        if self._lock.acquire(timeout=_LAST_WRITE_SECONDS):
            closed = self._closed
            self._lock.release()
            if closed:
                self._acknowledged.set()
                return
        self._lose(EXIT_LOST)

    def _keep(self, kind: str, payload: bytes) -> None:
        """Hold a frame until it is asked for; a full queue holds the client back, not the other way round."""
        self._reader_waits = True
        # Once the answer is complete nobody asks, and the acknowledgement stands behind the rest of an upload.
        while not self._closed:
            try:
                self._received.put((kind, payload), timeout=0.1)
                break
            except queue.Full:
                continue
        self._reader_waits = False
        self._heard = time.monotonic()

    # Watching

    def _beat(self) -> None:
        while not self._acknowledged.wait(HEARTBEAT_SECONDS):
            self._pulse()
            self.send("B")

    def _watch(self) -> None:
        while not self._acknowledged.wait(0.5):
            now = time.monotonic()
            if sibling.is_left():
                self._lose(EXIT_LOST)
            if not self._reader_waits and now - self._heard > SILENCE_SECONDS:
                self._lose(EXIT_LOST)
            deadline = self._deadline
            if deadline is not None and now > deadline + GRACE_SECONDS:
                self._lose(EXIT_OVERDUE)

    def _lose(self, code: int) -> None:
        # Several threads may notice; one acts, and the process ends with it.
        self._losing.acquire()
        try:
            for act in reversed(self._last_acts):
                try:
                    act()
                except Exception:  # noqa: BLE001 - the other acts matter all the same
                    continue
        finally:
            sibling.leave(code)
