"""The framed conversation with the client over stdin and stdout."""

from __future__ import annotations

import _thread
import os
import select
import struct
import sys
import time
from typing import Any, BinaryIO, Callable, Dict, Iterator, List, Optional, Tuple

from .. import wire
from ..system import sibling
from ..system.digest import sha256
from ..system.errors import AgentError
from ..system.light import Event, Queue, start_thread
from .light_json import dumps

LARGEST_FRAME = 16 << 20
# Both sides speak this often, also for what is on the way and cuts connections that are quiet for some seconds.
HEARTBEAT_SECONDS = 3.0
# Whoever hears nothing for this long is alone: nothing of ours is at work 30 s after the client or its network went.
SILENCE_SECONDS = 25.0
_SILENT_LOOKS = 3
_TURN_SECONDS = 0.05
_DATA_SECONDS = 45.0
GRACE_SECONDS = 10.0
ACKNOWLEDGE_SECONDS = 30.0
_LAST_WRITE_SECONDS = 2.0
_WATCH_SECONDS = 0.5
# What has been asked to end and does not is ended then.
_LAST_SECONDS = 1.0

# Exit codes of an agent whose client is gone; nobody reads them but a log.
# Of one that was ended while it was at work, which the client is told.
EXIT_ENDED = 1

_SET_PIPE_SIZE = 1031
_HEADER = struct.Struct(">IB")


class Channel:
    """Sends typed frames, receives the client's, and ends the process when the client is gone."""

    def __init__(self, source: BinaryIO, sink: int) -> None:
        self._source = source
        self._sink = sink
        self._last_acts: List[Callable[[], None]] = []
        self._waits: List[Callable[[], None]] = []
        self._lock = _thread.allocate_lock()
        self._losing = _thread.RLock()
        self._hash = sha256()
        self._length = 0
        self._closed = False
        self._received: Queue[Tuple[str, bytes]] = Queue(64)
        self._acknowledged = Event()
        self._cancelled = Event()
        self._ending: Optional[AgentError] = None
        self._leaver: Optional[int] = None
        self._heard = time.monotonic()
        self._reader_waits = False
        self._deadline: Optional[float] = None
        self._pulse: Callable[[], None] = lambda: None
        self._look: Callable[[], float] = lambda: _WATCH_SECONDS

    def start(self) -> None:
        """Begin to read, to send heartbeats and to watch."""
        start_thread(lambda: self._run(self._read))
        start_thread(lambda: self._run(self._watch))

    def every_beat(self, pulse: Callable[[], None]) -> None:
        """Call ``pulse`` with each heartbeat, in the heartbeat's thread."""
        self._pulse = pulse

    def every_look(self, look: Callable[[], float]) -> None:
        """Call ``look`` again and again, in the watching thread, after as many seconds as it returns."""
        self._look = look

    def at_loss(self, act: Callable[[], None]) -> None:
        """Call ``act`` before the process ends because the client is gone; it runs in the watching thread."""
        self._last_acts.append(act)

    def at_last(self, act: Callable[[], None]) -> None:
        """Call ``act``, and none that was given before, behind all that is done at a loss: it may wait then."""
        self._waits = [act]

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

    def end(self, error: AgentError) -> None:
        """Have the running request end with a failure: where it looks at ``check`` next, or else in a second."""
        if self._ending is None:
            self._ending = error
            self._ended_at = time.monotonic() + _LAST_SECONDS

    @property
    def ending(self) -> Optional[AgentError]:
        """The failure that the running request was asked to end with, None where it was not."""
        return self._ending

    @property
    def cancelled(self) -> bool:
        """Say whether somebody asked the request to end."""
        return self._cancelled.is_set()

    def check(self) -> None:
        """Raise where the request was cancelled, its time is over, or the agent has to end."""
        if self._ending is not None:
            raise self._ending
        if self._cancelled.is_set():
            raise AgentError(wire.CANCELLED, "The request was cancelled.")
        if self.seconds_left() <= 0:
            raise AgentError(wire.DEADLINE, "The request's time is over.")

    # Sending

    def widen(self, size: int) -> None:
        """Let the pipe to the runtime hold ``size`` bytes, where it can.

        A sender of low priority then wakes less often.
        """
        try:
            import fcntl

            fcntl.fcntl(self._sink, _SET_PIPE_SIZE, size)
        except (ImportError, OSError):
            pass

    def send(self, kind: str, payload: bytes = b"") -> None:
        """Send one frame."""
        if len(payload) > LARGEST_FRAME:
            raise AgentError(wire.BAD_REQUEST, f"A frame of {len(payload)} bytes is too large to send.")
        self._give_way()
        with self._lock:
            self._put(kind, payload)

    def send_json(self, kind: str, content: Dict[str, Any]) -> None:
        """Send one frame with a JSON object."""
        text = dumps(content)
        try:
            payload = text.encode("utf-8")
        except UnicodeEncodeError:
            # Half a surrogate pair, from a name in the target: no JSON reader takes it.
            payload = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace").encode("utf-8")
        self.send(kind, payload)

    def warn(self, identity: str, message: str, pid: Optional[int] = None) -> None:
        """Send a warning with a constant id."""
        self.send_json(wire.WARNING, {"id": identity, "message": message, "pid": pid})

    def progress(self, done: float, total: Optional[float], text: str) -> None:
        """Send how far the work is."""
        self.send_json(wire.PROGRESS, {"done": done, "total": total, "text": text})

    def finish(self, code: int) -> None:
        """Send the trailer and wait until the client has it."""
        self._give_way()
        with self._lock:
            trailer = {"exit": code, "length": self._length, "sha256": self._hash.hexdigest()}
            self._put(wire.TRAILER, dumps(trailer).encode("ascii"))
            self._closed = True
        # What the deadline bounds is over; the wait has its own.
        self._deadline = None
        self._acknowledged.wait(ACKNOWLEDGE_SECONDS)

    def _give_way(self) -> None:
        """Wait for the end where another thread ends this process: what it ends would pass for an answer."""
        while self._leaver is not None and self._leaver != _thread.get_ident():
            time.sleep(1.0)

    def _put(self, kind: str, payload: bytes) -> None:
        if self._closed:
            return
        frame = _HEADER.pack(len(payload), ord(kind)) + payload
        # The bytes of a file are hashed once, and that is told behind them.
        self._hash.update(frame[: _HEADER.size] if kind == wire.HASHED_FILE else frame)
        self._length += len(frame)
        view = memoryview(frame)
        while view:
            try:
                view = view[os.write(self._sink, view) :]
            except OSError:
                self._lose(wire.EXIT_LOST)

    # Receiving

    def receive(self, seconds: float = _DATA_SECONDS) -> Tuple[str, bytes]:
        """Return the next frame that is neither keep-alive nor control; raise when none comes."""
        until = time.monotonic() + seconds
        while True:
            got = self._received.get(0.2)
            if got is not None:
                return got
            self.check()
            if time.monotonic() > until:
                raise AgentError(wire.BAD_REQUEST, "The client sent nothing more.")

    def ask(self, name: str, machine: Optional[str] = None) -> Iterator[bytes]:
        """Ask the client for a payload and yield its chunks."""
        self.send_json(wire.NEED, {"name": name, "machine": machine, "size": None})
        yield from self.chunks()

    def chunks(self) -> Iterator[bytes]:
        """Yield the chunks that the client sends for what it was asked."""
        while True:
            kind, payload = self.receive()
            if kind == wire.END_OF_DATA:
                return
            if kind != wire.DATA:
                raise AgentError(wire.BAD_REQUEST, f"Frame {kind!r} came where data was due.")
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
            if kind == wire.KEEP_ALIVE:
                continue
            if kind == wire.ACKNOWLEDGE:
                self._acknowledged.set()
            elif kind == wire.CANCEL:
                self._cancelled.set()
            else:
                self._keep(kind, payload)
        # The end of stdin right behind the trailer is an acknowledgement; the lock is held while that is written.
        if self._lock.acquire(timeout=_LAST_WRITE_SECONDS):
            closed = self._closed
            self._lock.release()
            # Of a file that is kept for the client the end may be on the way when it is cut off.
            if closed and (self._acknowledged.is_set() or not self._waits):
                self._acknowledged.set()
                return
        self._lose(wire.EXIT_LOST)

    def _keep(self, kind: str, payload: bytes) -> None:
        """Hold a frame until it is asked for; a full queue holds the client back, not the other way round."""
        self._reader_waits = True
        # Once the answer is complete nobody asks, and the acknowledgement stands behind the rest of an upload.
        while not self._closed:
            if self._received.put((kind, payload), 0.1):
                break
        self._reader_waits = False
        self._heard = time.monotonic()

    # Watching

    def _run(self, work: Callable[[], None]) -> None:
        """Do what a thread is for. Where that fails, nobody watches any more, and the process ends."""
        try:
            work()
        except BaseException:  # told, and the end
            sys.excepthook(*sys.exc_info())
            self._lose(wire.EXIT_LOST)

    def _watch(self) -> None:
        beat = time.monotonic() + HEARTBEAT_SECONDS
        while not self._acknowledged.wait(_WATCH_SECONDS if self._closed else min(self._look(), _WATCH_SECONDS)):
            now = time.monotonic()
            if now > beat:
                beat = now + HEARTBEAT_SECONDS
                self._pulse()
                self._beat()
            if self._ending is not None and now > self._ended_at and not self._closed:
                self._break_off(self._ending)
            if sibling.is_left():
                self._lose(wire.EXIT_LOST)
            if self._is_silent(now):
                self._lose(wire.EXIT_LOST)
            deadline = self._deadline
            if deadline is not None and now > deadline + GRACE_SECONDS:
                self._lose(wire.EXIT_OVERDUE)

    def _is_silent(self, now: float) -> bool:
        """Say whether nothing was heard for long, and nothing came that is not read yet, as after a time asleep."""
        heard = self._heard
        if now - heard <= SILENCE_SECONDS:
            return False
        for _ in range(_SILENT_LOOKS):
            if self._reader_waits or self._heard != heard or select.select([self._source], [], [], 0)[0]:
                return False
            # What came may be in the reading thread's hands, which has not had its turn yet.
            time.sleep(_TURN_SECONDS)
        return self._heard == heard

    def _beat(self) -> None:
        """Say that the agent lives, where that can be said at once: who watches must not wait for the client."""
        if not self._lock.acquire(False):
            return
        try:
            if select.select([], [self._sink], [], 0)[1]:
                self._put(wire.HEARTBEAT, b"")
        finally:
            self._lock.release()

    def _break_off(self, error: AgentError) -> None:
        """End in the middle of what does not look at ``check``, and tell the client."""
        with self._losing:
            self._leaver = _thread.get_ident()
            self._act_last()
            if self._lock.acquire(timeout=_LAST_WRITE_SECONDS):
                self._lock.release()
                self.send_json(wire.FAILURE, error.as_frame())
                self.finish(EXIT_ENDED)
            sibling.leave(EXIT_ENDED)

    def _lose(self, code: int) -> None:
        # Several threads may notice; one acts, and the process ends with it.
        self._losing.acquire()
        self._leaver = _thread.get_ident()
        try:
            self._act_last()
        finally:
            sibling.leave(code)

    def _act_last(self) -> None:
        for act in (*reversed(self._last_acts), *self._waits):
            try:
                act()
            except Exception:  # the other acts matter all the same
                continue
