"""Runs tools that end when the agent ends, whatever ends it."""

from __future__ import annotations

import _thread
import os
import resource
import signal
import time
from typing import Callable, List, Mapping, Optional, Sequence

from .. import wire
from ..system.errors import AgentError
from ..system.guard import child_limit
from ..system.libc import function
from ..system.proc import Proc
from ..system.spawn import Child, Limit, spawn
from .aftercare import restore, stopped
from .payload import Executable

_PR_SET_CHILD_SUBREAPER = 36
_LARGEST_OUTPUT = 512 << 20
_POLL_SECONDS = 0.02
_LAST_SECONDS = 30.0
_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TERM": "dumb"}


class Tool:
    """One running tool and the process that it looks at."""

    def __init__(self, process: Child, target: Optional[int], was_stopped: bool) -> None:
        self.process = process
        self.target = target
        self.was_stopped = was_stopped
        # A second SIGINT would cut short what the first one asked for.
        self.asked = False

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def signal(self, number: int) -> None:
        """Send a signal to the tool and all it started."""
        try:
            os.killpg(self.process.pid, number)
        except OSError:
            pass


class Tools:
    """The tools of one request. They are started from the main thread: their life hangs on the thread's."""

    def __init__(self, proc: Proc, warn: Callable[[str, str, Optional[int]], None]) -> None:
        self._proc = proc
        self._warn = warn
        self._running: List[Tool] = []
        self._lock = _thread.allocate_lock()
        self._prctl = function("prctl")
        self._lost = False
        if self._prctl is None:
            warn(
                wire.NO_CTYPES, "The image's Python has no ctypes: a tool would outlive an agent that is killed.", None)
        else:
            # What a tool leaves behind comes to this process, not to the application's PID 1.
            self._prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def start(
        self,
        executable: Executable,
        arguments: Sequence[str],
        output: int,
        errors: int,
        target: Optional[int] = None,
        keep: Sequence[int] = (),
        environment: Optional[Mapping[str, str]] = None,
    ) -> Tool:
        """Start a tool in a process group of its own, its output in files. ``keep`` stays open in it.

        ``environment`` is added to the little that every tool gets.
        """
        was_stopped = target is not None and stopped(target, self._proc)
        with self._lock:
            if self._lost:
                raise AgentError(wire.TOOL_UNAVAILABLE, "The agent is ending.")
            try:
                process = spawn(
                    executable.path,
                    [executable.name, *arguments],
                    {**_ENVIRONMENT, **(environment or {})},
                    output,
                    errors,
                    [executable.descriptor, *keep],
                    _limits(child_limit(self._proc)),
                )
            except OSError as error:
                raise AgentError(
                    wire.TOOL_UNAVAILABLE, f"{executable.name} cannot be run in this container: {error}."
                ) from error
            tool = Tool(process, target, was_stopped)
            self._running.append(tool)
        return tool

    def wait(self, tools: Sequence[Tool], seconds: float, tick: Callable[[], None]) -> bool:
        """Wait until all have ended; false when the time is over. ``tick`` is called meanwhile and may raise."""
        until = time.monotonic() + seconds
        while any(tool.running for tool in tools):
            if time.monotonic() >= until:
                return False
            tick()
            time.sleep(_POLL_SECONDS)
        return True

    def end_softly(self, tool: Tool) -> None:
        """Ask one tool to write its file and end; ``end`` waits for it."""
        tool.signal(signal.SIGINT)
        tool.asked = True

    def end(self, tools: Sequence[Tool], seconds: float) -> None:
        """Ask tools to end with SIGINT, on which they write their files; after ``seconds`` end them with SIGKILL."""
        for tool in tools:
            if tool.running and not tool.asked:
                self.end_softly(tool)
        self.wait(tools, seconds, lambda: None)
        for tool in tools:
            # The whole group: its leader may be gone and a child not.
            tool.signal(signal.SIGKILL)
            tool.process.wait()

    def settle(self, tool: Tool) -> bool:
        """Look after the target of a tool that ended; say whether it had been left stopped."""
        with self._lock:
            if tool not in self._running:
                return False
            self._running.remove(tool)
        if tool.target is None:
            return False
        message = restore(tool.target, self._proc, tool.was_stopped)
        if message is not None:
            self._warn("TargetWasStopped", message, tool.target)
        return message is not None

    def close(self) -> None:
        """End whatever still runs and bury all children."""
        with self._lock:
            left = list(self._running)
        self.end(left, 2.0)
        for tool in left:
            self.settle(tool)
        self._bury(2.0)

    def lose(self) -> None:
        """End everything at once: the client is gone. Runs in any thread, sends nothing."""
        self._lost = True
        left = list(self._running)
        for tool in left:
            tool.signal(signal.SIGINT)
        self._bury(1.0)
        for tool in left:
            tool.signal(signal.SIGKILL)
        self._kill_children()
        self._bury(2.0)
        for tool in left:
            if tool.target is not None:
                restore(tool.target, self._proc, tool.was_stopped)
        # One with many probes takes its time to end; left alone it would be the application's to bury.
        self._bury(_LAST_SECONDS)

    def _bury(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                if time.monotonic() > until:
                    return
                self._kill_orphans()
                time.sleep(_POLL_SECONDS)

    def _kill_orphans(self) -> None:
        """Kill what came to this process because its parent, a tool, went."""
        own = {tool.process.pid for tool in self._running}
        for pid in self._children():
            if pid not in own:
                _kill(pid)

    def _kill_children(self) -> None:
        for pid in self._children():
            _kill(pid)

    def _children(self) -> List[int]:
        found: List[int] = []
        for pid in self._proc.pids():
            try:
                if self._proc.stat(pid).parent == os.getpid():
                    found.append(pid)
            except (OSError, ValueError):
                continue
        return found


def _limits(most: Optional[int]) -> List[Limit]:
    """Return what a tool may write and, where that is bounded, have of memory.

    It fails where others would be killed.
    """
    unlimited = resource.RLIM_INFINITY
    return [
        (resource.RLIMIT_FSIZE, _LARGEST_OUTPUT, unlimited),
        (resource.RLIMIT_DATA, unlimited if most is None else most, unlimited),
    ]


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        pass
