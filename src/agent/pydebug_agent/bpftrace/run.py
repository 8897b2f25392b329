"""The operation that runs bpftrace."""

from __future__ import annotations

import os
import re
import time
from typing import Any, Dict, List, Optional, Sequence, Tuple

from .. import wire
from ..reader.waits import system_calls
from ..system.errors import AgentError
from ..system.ready import readable
from ..system.scratch import nameless_file, write_all
from ..target.request import Request
from ..tools.payload import Executable
from ..tools.runner import Tool, Tools
from . import needs, points, pystack, scope
from .cost import Statistics
from .lines import MISSED_KEY, Lines
from .messages import Messages
from .pystack import PyStacks

_LARGEST_PROGRAM = 1 << 20
_MOST_ARGUMENTS = 256
_LONGEST_ARGUMENT = 4096
_START_SECONDS = 60.0
_END_SECONDS = 20.0
_MOST_SECONDS = 43200.0
_CHUNK = 1 << 18
_MAP_LINE = re.compile(rb'"type": "(?:map|hist|stats|tseries)"')
_ATTACHED = b'"attached_probes"'
_WAITS = ("epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll")
_VERSION = re.compile(r"v?(\d+)\.(\d+)(\S*)")


def run(request: Request) -> None:
    """Answer a "bpftrace" request.

    ``parts`` is the program: texts, and between two of them the name of an expression (target, pid, tid), of a file
    (libc, python), or of statements (pystack).
    """
    parts = _texts(request, "parts", _LARGEST_PROGRAM)
    arguments = _texts(request, "arguments", _MOST_ARGUMENTS)
    node = request.flag("node")
    probes = _texts(request, "probes", _MOST_ARGUMENTS)
    executable = needs.find()
    tools = Tools(request.proc, request.channel.warn)
    request.channel.at_loss(tools.lose)
    try:
        version, numbers = _version(tools, executable, request)
        tracefs = needs.require(request.proc, probes, numbers)
        pids = request.pids() or []
        words = scope.expressions(request, node, pids)
        named = set(parts[1::2])
        words.update(scope.places(request, named, pids))
        stacks: Optional[PyStacks] = None
        if pystack.WORD in named:
            walk = pystack.find_walk(request, pids)
            words[pystack.WORD] = walk.text(words["target"], words["pid"], numbers)
            stacks = PyStacks(request, walk)
        request.result(
            {
                "kind": "bpftrace",
                "version": version,
                "machine": os.uname().machine,
                "tracefs": tracefs,
                "words": words,
                "dry": request.flag("dry"),
                "attaches": points.count(tools, executable, request, words) if request.flag("dry") else None,
            }
        )
        if not request.flag("dry"):
            _Run(request, tools, executable, numbers, stacks).run(_joined(parts, words), arguments)
    finally:
        tools.close()
        os.close(executable.descriptor)


class _Run:
    """One bpftrace, from its start to its last line."""

    def __init__(
        self,
        request: Request,
        tools: Tools,
        executable: Executable,
        version: Tuple[int, int],
        stacks: Optional[PyStacks] = None,
    ) -> None:
        # The walk over Python's frames checks its own reads, and has no room for more in the verifier's eyes.
        checks = request.flag("checks") and stacks is None and version > (0, 0)
        self._request = request
        self._stacks = stacks
        hidden = [MISSED_KEY] if checks else []
        self._lines = Lines(hidden + ([re.escape(pystack.PRINTED)] if stacks is not None else []))
        self._options = _checks(version, checks)
        self._cost: Optional[List[Dict[str, Any]]] = None
        self._tools = tools
        self._executable = executable
        self._continuous = request.flag("continuous")
        self._seconds = request.number("seconds", 10.0, 0.1, _MOST_SECONDS)
        self._most = int(request.number("maximumBytes", float(64 << 20), 1.0, float(1 << 40)))
        self._sent = 0
        self._dropped = 0
        self._messages = Messages()
        self._attached: Optional[float] = None
        self._head = b""

    def run(self, program: str, arguments: Sequence[str]) -> None:
        """Run the program, hand over what it prints, and say how it ended."""
        file = nameless_file(self._request.proc, "Program for bpftrace")
        out, out_end = os.pipe()
        err, err_end = os.pipe()
        tool: Optional[Tool] = None
        statistics = Statistics()
        try:
            write_all(file, program.encode("utf-8", "surrogatepass"))
            try:
                tool = self._tools.start(
                    self._executable,
                    ["-f", "json", "-B", "line", *self._options, "--", f"/proc/self/fd/{file}", *arguments],
                    out_end,
                    err_end,
                    keep=[file],
                    environment=self._environment(),
                )
            finally:
                # The pipes end with the tool.
                os.close(out_end)
                os.close(err_end)
            self._follow(tool, out, err, statistics)
        finally:
            statistics.close()
            if self._stacks is not None:
                self._stacks.close()
            for descriptor in (file, out, err):
                os.close(descriptor)
            if tool is not None:
                self._tools.end([tool], 2.0)
                self._tools.settle(tool)

    def _environment(self) -> Dict[str, str]:
        keys = str(int(self._request.number("maximumKeys", 65536.0, 1.0, float(1 << 24))))
        # The second is the name until 0.20.
        return {"BPFTRACE_MAX_MAP_KEYS": keys, "BPFTRACE_MAP_KEYS_MAX": keys, "BPFTRACE_COLOR": "never"}

    def _follow(self, tool: Tool, out: int, err: int, statistics: Statistics) -> None:
        channel = self._request.channel
        begun = told = named = time.monotonic()
        ended, asked = "tool", 0.0
        killed = False
        streams = [out, err]
        while streams:
            for stream in readable(streams, 0.05):
                data = os.read(stream, _CHUNK)
                if not data:
                    streams.remove(stream)
                elif stream == out:
                    self._read(tool, data, ended == "bytes", statistics)
                else:
                    self._messages.take(data)
            now = time.monotonic()
            channel.check()
            if self._stacks is not None and now - named >= self._stacks.wait:
                named = now
                self._stacks.poll(tool.process.pid)
            if asked:
                if now - asked > _END_SECONDS and not killed:
                    killed = True
                    self._tools.end([tool], 0.0)
                continue
            if self._attached is None and _ATTACHED in self._head and self._is_waiting(tool.process.pid):
                self._begin()
            reason = self._over(now, begun)
            if reason is not None:
                statistics.read(tool.process.pid)
                ended, asked = reason, now
                self._tools.end_softly(tool)
            elif now - told >= 1.0:
                told = now
                statistics.read(tool.process.pid)
                self._tell(now)
        self._take(self._lines.rest(), ended == "bytes")
        self._tools.wait([tool], 2.0, channel.check)
        finished = time.monotonic()
        self._tools.end([tool], 2.0)
        self._settle(tool, ended, killed, finished - (self._attached or begun), statistics)

    def _read(self, tool: Tool, data: bytes, over: bool, statistics: Statistics) -> None:
        """Take what was printed. The client knows the frames of stacks, and the costs, before it sees a map."""
        data = self._lines.take(data)
        if _MAP_LINE.search(data):
            if self._stacks is not None:
                self._stacks.poll(tool.process.pid)
            statistics.read(tool.process.pid)
            if statistics.cost != self._cost:
                self._cost = statistics.cost
                self._request.result({"kind": "bpftraceCost", "cost": self._cost})
        self._take(data, over)

    def _take(self, data: bytes, over: bool) -> None:
        if self._attached is None:
            self._head += data
            # Versions until 0.26 say so before the kernel has checked the programs; what is printed comes later.
            _, found, rest = self._head.partition(_ATTACHED)
            if found and rest.partition(b"\n")[2].strip():
                self._begin()
        if over:
            self._dropped += len(data)
            return
        left = self._most - self._sent
        whole = data if len(data) <= left else data[: data.rfind(b"\n", 0, left) + 1]
        self._sent += len(whole)
        self._dropped += len(data) - len(whole)
        if whole:
            self._request.channel.send(wire.FILE, whole)

    def _begin(self) -> None:
        self._attached = time.monotonic()
        self._head = b""

    def _is_waiting(self, pid: int) -> bool:
        """Say whether bpftrace waits for events, as it does once all is attached."""
        try:
            number = self._request.proc.text(pid, "syscall").split(" ", 1)[0]
        except OSError:
            # Where that cannot be seen, its own word has to do.
            return self._request.proc.exists(pid)
        return number.isdigit() and system_calls().get(int(number)) in _WAITS

    def _over(self, now: float, begun: float) -> Optional[str]:
        if self._dropped:
            return "bytes"
        if self._attached is None:
            return "start" if now - begun > _START_SECONDS else None
        return "clock" if not self._continuous and now - self._attached >= self._seconds else None

    def _tell(self, now: float) -> None:
        channel = self._request.channel
        if self._attached is None:
            channel.progress(0.0, None if self._continuous else self._seconds, "attaching")
            return
        done = now - self._attached
        if self._continuous:
            channel.progress(round(done, 1), None, f"{self._sent} bytes")
        else:
            channel.progress(min(round(done, 1), self._seconds), self._seconds, f"{self._sent} bytes")

    def _settle(self, tool: Tool, ended: str, killed: bool, seconds: float, statistics: Statistics) -> None:
        messages = self._messages.text
        code = tool.process.returncode
        if self._request.channel.ending is not None:
            # What it printed by then is sent; why it ended is not its own doing.
            raise self._request.channel.ending
        if ended == "start":
            raise AgentError(
                wire.TOOL_FAILED,
                f"bpftrace attached nothing in {_START_SECONDS:g} s.",
                detail={"tool": "bpftrace", "messages": messages},
            )
        refused = "Operation not permitted" in messages or "Permission denied" in messages
        if code != 0 and self._attached is None and refused and needs.is_filtered(self._request.proc):
            raise AgentError(
                wire.SECCOMP,
                "The debug container's seccomp profile keeps bpftrace from the kernel.",
                detail={"tool": "bpftrace", "messages": messages},
            )
        self._request.result(
            {
                "kind": "bpftraceEnd",
                "exit": code,
                "ended": ended,
                "killed": killed,
                "attached": self._attached is not None,
                "seconds": round(seconds, 3),
                "bytes": self._sent,
                "messages": messages,
                "messagesRepeated": self._messages.repeats(),
                "messagesDropped": self._messages.dropped,
                "cost": statistics.cost,
                "stacks": self._stacks.summary() if self._stacks is not None else None,
            }
        )


def _checks(version: Tuple[int, int], wanted: bool) -> List[str]:
    """Return the option that has a read tell that it failed, in place of a 0 that nobody can tell from a real one."""
    if not wanted:
        return []
    return ["-k"] if version >= (0, 23) else ["-kk"]


def _joined(parts: Sequence[str], words: Dict[str, str]) -> str:
    text: List[str] = []
    for index, part in enumerate(parts):
        if index % 2 == 0:
            text.append(part)
        elif part in words:
            text.append(words[part])
        else:
            raise AgentError(wire.BAD_REQUEST, f"No expression is named {part!r}.")
    return "".join(text)


def _texts(request: Request, name: str, most: int) -> List[str]:
    value = request.body.get(name)
    if value is None:
        return []
    good = isinstance(value, list) and len(value) <= most and all(isinstance(item, str) for item in value)
    if not good or sum(map(len, value)) > _LARGEST_PROGRAM:
        raise AgentError(wire.BAD_REQUEST, f"Parameter {name!r} must be a list of texts.")
    return list(value)


def _version(tools: Tools, executable: Executable, request: Request) -> Tuple[Optional[str], Tuple[int, int]]:
    said = nameless_file(request.proc, "Version of bpftrace")
    try:
        tool = tools.start(executable, ["--version"], said, said)
        tools.wait([tool], 20.0, request.channel.check)
        tools.end([tool], 1.0)
        tools.settle(tool)
        match = _VERSION.search(os.pread(said, 256, 0).decode("utf-8", "replace"))
    finally:
        os.close(said)
    if match is None:
        return None, (0, 0)
    return match.group(0).lstrip("v"), (int(match.group(1)), int(match.group(2)))
