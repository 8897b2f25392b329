"""The operation that runs py-spy: dump, record, top."""

from __future__ import annotations

import math
import os
import time
from typing import Any, Dict, List, Optional, Sequence, Tuple

from .. import wire
from ..system.errors import AgentError
from ..system.scratch import nameless_file
from ..target import greenlets
from ..target.parents import Parents
from ..target.processes import Processes
from ..target.request import Request
from ..target.running_program import Image, image, is_replaced
from ..tools.aftercare import stopped
from ..tools.payload import Executable, obtain
from ..tools.runner import Tool, Tools
from ..transfer.kept import Kept, send_held
from . import messages, options
from .counters import Counters

_NAME = "py-spy"
_DUMP_SECONDS = 60.0
_START_SECONDS = 30.0
_LOOK_SECONDS = 0.1
_END_SECONDS = 15.0
# Dumps that are made within these seconds are sent together.
_TOGETHER_SECONDS = 2.0


class _Run:
    """One py-spy at one process, with the files it writes."""

    def __init__(self, pid: int, rate: Optional[int]) -> None:
        self.pid = pid
        self.rate = rate
        self.output = -1
        self.said = -1
        self.errors = -1
        self.tool: Optional[Tool] = None
        self.sampling_since: Optional[float] = None
        self.seconds = 0.0
        self.ended = "tool"
        self.about: Dict[str, Any] = {}
        self.counters: Optional[Counters] = None
        self.image: Optional[Image] = None
        self.looked = 0.0
        # How many of a thread's last samples may be of another program than the one that was asked for.
        self.doubtful = 0

    def open(self, request: Request) -> None:
        self.output = nameless_file(request.proc, "Output of py-spy")
        self.said = nameless_file(request.proc, "Messages of py-spy")
        self.errors = nameless_file(request.proc, "Errors of py-spy")

    def close(self) -> None:
        for descriptor in {self.output, self.said, self.errors}:
            if descriptor >= 0:
                os.close(descriptor)
        self.output = self.said = self.errors = -1

    def messages(self) -> List[str]:
        return messages.clean(messages.head(self.said)) + messages.clean(messages.head(self.errors))


def run(request: Request) -> None:
    """Answer a "pyspy" request."""
    mode = request.text("mode")
    arguments = options.arguments(request, mode)
    found = request.processes()
    pids = options.targets(request, found)
    # Of a recording nobody said whose, the parents that work are part.
    parents = Parents(request, found) if request.pids() is None and mode != "dump" else None
    left_out: List[int] = []
    if parents is not None:
        pids = list(dict.fromkeys([*pids, *parents.working()]))
        left_out = [pid for pid in parents.pids if pid not in pids]
    executable = obtain(request, _NAME, request.body.get("sha256"))
    tools = Tools(request.proc, request.channel.warn)
    request.channel.at_loss(tools.lose)
    session = _Session(request, found, tools, executable, arguments)
    try:
        session.version = _version(tools, executable, request)
        with request.gone_together(request.pids() is None, len(pids)):
            if mode == "dump":
                session.dump(pids)
            else:
                session.sample(mode, pids)
        if parents is not None:
            parents.name_left_out(left_out, parents.used(), parents.lasted, "samples")
        session.send_last()
    finally:
        session.close()
        tools.close()


class _Session:
    def __init__(
        self, request: Request, found: Processes, tools: Tools, executable: Executable, arguments: List[str]
    ) -> None:
        self._request = request
        self._found = found
        self._tools = tools
        self._executable = executable
        self.version: Optional[str] = None
        self._arguments = arguments
        # What is to be sent together, and the files that it stands in.
        self._last: List[Kept] = []
        self._open: List[_Run] = []

    def send_last(self) -> None:
        """Send what nothing comes behind: the client can go on with all of it where it is cut off."""
        self._send(True)

    def close(self) -> None:
        """Close the files of what was to be sent."""
        for run in self._open:
            run.close()
        self._last, self._open = [], []

    def dump(self, pids: Sequence[int]) -> None:
        """Dump one process after the other: py-spy's own way over a tree forgets the workers in JSON."""
        started = self._request.started()
        since = time.monotonic()
        for number, pid in enumerate(pids):
            if self._last and time.monotonic() - since >= _TOGETHER_SECONDS:
                self._send(False, pids[number:])
                since = time.monotonic()
            self._request.tell(pid, f"process {number + 1} of {len(pids)}")
            with self._request.guarded(pid):
                self._found.require(pid, started)
                self._refuse_stopped(pid)
                self._dump(pid)

    def _refuse_stopped(self, pid: int) -> None:
        """py-spy waits for a process to stop that stands already, and fails with words that do not say so."""
        if "--nonblocking" not in self._arguments and stopped(pid, self._request.proc):
            raise messages.is_stopped(pid)

    def sample(self, mode: str, pids: Sequence[int]) -> None:
        """Record all processes over the same seconds; top does so again and again."""
        request = self._request
        seconds = request.number("seconds", 10.0, 0.1, 43200.0)
        interval = request.number("interval", 1.0, 0.2, 60.0) if mode == "top" else seconds
        started = request.started()
        good: List[int] = []
        for pid in pids:
            with request.guarded(pid):
                self._found.require(pid, started)
                self._refuse_stopped(pid)
                good.append(pid)
        rates = {pid: options.rate(request, pid, self._arguments) for pid in good}
        good = options.that_fit(request, good)
        until = time.monotonic() + seconds
        sequence = 0
        while good:
            left = until - time.monotonic() if mode == "top" else seconds
            if sequence and left < min(interval, 0.2):
                break
            done = 0.0 if mode == "record" else seconds - left
            good = self._round(mode, good, rates, min(interval, max(left, 0.1)), sequence, (done, seconds))
            sequence += 1
            if mode == "record":
                break

    def _dump(self, pid: int) -> None:
        request = self._request
        run = _Run(pid, None)
        try:
            run.open(request)
            run.image = image(request.proc, pid)
            run.about = self._found.about(pid)
            arguments = ["dump", "--json", "--pid", str(pid), *self._arguments]
            run.tool = self._tools.start(self._executable, arguments, run.output, run.errors, pid)
            begun = time.monotonic()
            in_time = self._wait([run], min(_DUMP_SECONDS, max(0.1, request.channel.seconds_left())))
            self._tools.end([run.tool], 2.0)
            run.seconds = time.monotonic() - begun
            left_stopped = self._tools.settle(run.tool)
            request.channel.check()
            if not in_time:
                text = f"py-spy gave no answer on process {pid} in {_DUMP_SECONDS:g} s."
                raise AgentError(wire.TOOL_FAILED, text, pid)
            if is_replaced(request.proc, pid, run.image):
                raise AgentError(wire.PROCESS_GONE, f"Process {pid} became another program while py-spy read it.", pid)
            code = run.tool.process.returncode
            if code != 0 or os.fstat(run.output).st_size == 0:
                raise self._failure(run)
            self._add("dump", run, 0, left_stopped, "json")
        finally:
            self._drop([run])

    def _round(
        self,
        mode: str,
        pids: Sequence[int],
        rates: Dict[int, int],
        seconds: float,
        sequence: int,
        progress: Tuple[float, float],
    ) -> List[int]:
        request = self._request
        runs: List[_Run] = []
        alive: List[int] = []
        try:
            for pid in pids:
                run = _Run(pid, rates[pid])
                runs.append(run)
                with request.guarded(pid):
                    self._start(run, seconds)
            self._record([run for run in runs if run.tool is not None], seconds, progress)
            for run in runs:
                if run.tool is None:
                    continue
                with request.guarded(run.pid):
                    left_stopped = self._tools.settle(run.tool)
                    code = run.tool.process.returncode
                    if code != 0 or os.fstat(run.output).st_size == 0:
                        raise self._failure(run)
                    self._add(mode, run, sequence, left_stopped, "speedscope")
                    if run.ended == "clock":
                        alive.append(run.pid)
            if mode != "record":
                self._send(False)
        finally:
            self._drop(runs)
        return alive

    def _start(self, run: _Run, seconds: float) -> None:
        run.open(self._request)
        run.image = image(self._request.proc, run.pid)
        run.about = self._found.about(run.pid)
        # py-spy counts samples, not seconds: this bound is for the case that nobody is left to end it.
        bound = str(math.ceil(seconds) + 60)
        arguments = ["record", "--pid", str(run.pid), "--format", "speedscope", "--rate", str(run.rate)]
        arguments += ["--duration", bound, "--output", f"/proc/self/fd/{run.output}", *self._arguments]
        run.tool = self._tools.start(
            self._executable, arguments, run.said, run.errors, run.pid, keep=[run.output]
        )

    def _record(self, runs: Sequence[_Run], seconds: float, progress: Tuple[float, float]) -> None:
        """Let each sample for ``seconds`` from its first one, by our clock."""
        channel = self._request.channel
        begun = time.monotonic()
        told = begun
        try:
            while True:
                now = time.monotonic()
                active = [run for run in runs if run.tool is not None and self._follow(run, now, begun, seconds)]
                if not active:
                    break
                channel.check()
                if now - told >= 1.0:
                    told = now
                    done = min(progress[0] + now - begun, progress[1])
                    sampled = sum(run.sampling_since is not None for run in active)
                    channel.progress(round(done, 1), progress[1], f"{sampled} of {len(runs)} sampled")
                time.sleep(0.02)
        finally:
            self._tools.end([run.tool for run in runs if run.tool is not None], _END_SECONDS)

    def _follow(self, run: _Run, now: float, begun: float, seconds: float) -> bool:
        """Watch one run; say whether it is to go on."""
        assert run.tool is not None
        if run.sampling_since is None and b"Sampling process" in messages.head(run.said, 4096):
            run.sampling_since = now
            run.counters = Counters(self._request.proc, run.pid)
        since = run.sampling_since
        if run.counters is not None and (not run.tool.running or now - (since or now) >= seconds):
            run.counters.stop()
        if run.ended != "replaced" and (now - run.looked >= _LOOK_SECONDS or not run.tool.running):
            last, run.looked = run.looked or begun, now
            if is_replaced(self._request.proc, run.pid, run.image):
                # py-spy reads whatever is there now, under the old program's name.
                run.seconds = now - (since if since is not None else begun)
                run.ended = "replaced"
                if run.tool.running:
                    self._tools.end_softly(run.tool)
                    self._tools.wait([run.tool], _END_SECONDS, self._request.channel.check)
                run.doubtful = math.ceil((time.monotonic() - last) * (run.rate or 1)) + 1
        if run.ended == "replaced":
            return False
        if not run.tool.running:
            run.seconds = now - (since if since is not None else begun)
            run.ended = "exited" if messages.EXITED in "\n".join(run.messages()) else "tool"
            return False
        if since is None:
            # It reads symbols first; a SIGINT now would lose everything.
            return now - begun < _START_SECONDS
        if now - since < seconds:
            return True
        run.seconds = now - since
        run.ended = "clock"
        self._tools.end_softly(run.tool)
        return False

    def _wait(self, runs: Sequence[_Run], seconds: float) -> bool:
        tools = [run.tool for run in runs if run.tool is not None]

        def tick() -> None:
            try:
                self._request.tell(runs[0].pid, "py-spy reads it")
            except AgentError:
                self._tools.end(tools, 1.0)
                raise

        return self._tools.wait(tools, seconds, tick)

    def _send(self, last: bool, rest: Sequence[int] = ()) -> None:
        try:
            send_held(self._request, self._last, last, rest=rest)
        finally:
            self.close()

    def _add(self, mode: str, run: _Run, sequence: int, left_stopped: bool, form: str) -> None:
        """Have what was written sent with the next, behind what is said of it."""
        request = self._request
        said = run.messages()
        samples, errors = messages.counts(said)
        kind = greenlets.kind(request.proc, run.pid)
        if kind is not None and not sequence:
            request.channel.warn(wire.GREENLETS, greenlets.note(kind), run.pid)
        size = os.fstat(run.output).st_size
        if run.ended == "replaced":
            now = " ".join(self._found.about(run.pid)["command"])
            text = f"Process {run.pid} became another program while it was recorded: {now}."
            request.channel.warn(wire.PROCESS_REPLACED, text, run.pid)
        if run.ended == "exited":
            request.channel.warn(wire.PROCESS_EXITED, f"Process {run.pid} ended while it was recorded.", run.pid)
        self._open.append(run)
        kept = Kept(
            run.output,
            size,
            {
                "kind": "tool",
                "tool": _NAME,
                "mode": mode,
                "pid": run.pid,
                **run.about,
                "exit": run.tool.process.returncode if run.tool is not None else None,
                "version": self.version,
                "sequence": sequence,
                "seconds": round(run.seconds, 3),
                "rate": run.rate,
                "samples": samples,
                "errors": errors,
                "behind": messages.behind(said),
                "cpu": run.counters.process if run.counters is not None else None,
                "cpuByThread": run.counters.threads if run.counters is not None else {},
                "ended": run.ended,
                "doubtful": run.doubtful,
                "messages": messages.unusual(said),
                "stopped": left_stopped,
                "size": size,
                "format": form,
            },
            {"pid": run.pid},
        )
        self._last.append(kept)

    def _drop(self, runs: Sequence[_Run]) -> None:
        for run in runs:
            if run.tool is not None:
                if run.tool.running:
                    self._tools.end([run.tool], 2.0)
                self._tools.settle(run.tool)
            if run not in self._open:
                run.close()

    def _failure(self, run: _Run) -> AgentError:
        assert run.tool is not None
        pid, code = run.pid, run.tool.process.returncode
        if run.ended == "replaced":
            return AgentError(wire.PROCESS_GONE, f"Process {pid} became another program while it was recorded.", pid)
        known = run.about.get("python") if pid in self._found.pythons else None
        return messages.failure(pid, code, run.messages(), self._request.proc, self._python_since(pid), known)

    def _python_since(self, pid: int) -> Optional[float]:
        try:
            return time.time() - self._request.proc.started(pid)
        except (OSError, ValueError):
            return None


def _version(tools: Tools, executable: Executable, request: Request) -> Optional[str]:
    said = nameless_file(request.proc, "Version of py-spy")
    try:
        tool = tools.start(executable, ["--version"], said, said)
        tools.wait([tool], 20.0, request.channel.check)
        tools.end([tool], 1.0)
        tools.settle(tool)
        words = messages.head(said, 256).decode("utf-8", "replace").split()
        return words[1] if len(words) == 2 and words[0] == _NAME else None
    finally:
        os.close(said)
