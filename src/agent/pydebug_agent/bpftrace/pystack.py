"""The Python stack at a probe: a walk along the thread's frames in bpftrace's language, and names for what it met.

The walk does not carry a stack, it hashes one. From the innermost frame outwards each frame goes into a map under the
hash of all frames so far, with the hash before it: who has the last hash finds the whole stack. The first hash is the
process's number, so that each process's frames are named from its own memory.
"""

from __future__ import annotations

import re
import struct
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from .. import wire
from ..bpf.attach import Attachment
from ..bpf.names import StackNames, telling_words
from ..bpf.records import MIX
from ..bpf.refusals import no_types, refused, too_old
from ..bpf.syscalls import Kernel, KernelRefusal
from ..bpf.task_layout import Machine
from ..bpf.thread_local import find_offset
from ..reader.failures import explained
from ..reader.layouts import NEWEST, Layout
from ..reader.memory import Denied, Fault, Gone
from ..reader.target import Target, check_ctypes, gone
from ..system import errors
from ..system.proc import Proc
from ..target.request import Request
from .held import held

WORD = "pystack"
MAP = "@pydebug_frames"
# What bpftrace prints of the map; it is nobody's but ours.
PRINTED = b'{"type": "map", "data": {"%s"' % MAP.encode()

_OLDEST_MINOR = 11
_CALIBRATIONS = 8
# More turns of a loop, and the verifier gives up on it; where the language has ranges it does not count them.
_DEPTH, _RANGE_DEPTH = 128, 900
_FIRST_WITH_RANGE = (0, 27)
_KERNEL_WORKERS = 0x10 | 0x4000 | 0x200000  # PF_IO_WORKER, PF_USER_WORKER, PF_KTHREAD
_CUT = 1  # In place of a frame: there are more.
_LARGEST_PID = 1 << 32
_ENTRY = struct.Struct("<4Q")
_MOST_FRAMES = 500_000
_MOST_AT_ONCE = 2000
_POLL_SECONDS = 0.2
_MAP_SHAPE = re.compile(r"^key_size:\s*8$.*^value_size:\s*32$", re.MULTILINE | re.DOTALL)
_NAME = b"pydebug_fra"


class Walk(NamedTuple):
    """How the threads of a Python are walked. ``difference`` lies between a thread's identity and its pointer."""

    layout: Layout
    pointer: int
    offset: int
    difference: int

    def text(self, target: str, pid: str, version: Tuple[int, int]) -> str:
        """Return the walk as statements for the beginning of a body; they leave the hash in ``$pydebug_stack``."""
        layout = self.layout
        inner = layout.thread_cframe if layout.thread_cframe >= 0 else layout.thread_frame
        first = _user("$pydebug_s", inner)
        if layout.thread_cframe >= 0:
            first = _user(first, layout.cframe_frame)
        head = (
            "$pydebug_stack = (uint64)0; $pydebug_f = (uint64)0; "
            f"if ({target} && (curtask->flags & {_KERNEL_WORKERS}) == 0) {{ "
            f"$pydebug_stack = (uint64){pid}; "
            f"$pydebug_t = *(uint64 *)kptr((uint64)curtask + {self.pointer}); "
            f"$pydebug_s = {_user('$pydebug_t', self.offset)}; "
            # A state that does not have the thread's identity is none, or one of another Python.
            f"if ($pydebug_s != 0 && {_user('$pydebug_s', layout.thread_ident)} == "
            f"{_sum('$pydebug_t', self.difference)}) {{ $pydebug_f = {first}; }} }} "
        )
        turn = (
            f"if ($pydebug_f == 0) {{ break; }} "
            f"$pydebug_c = ({_user('$pydebug_f', layout.frame_code)} >> 3) << 3; "
            f"$pydebug_w = $pydebug_c + ((uint64)*(uint8 *)uptr({_sum('$pydebug_f', layout.frame_owner)}) & 7); "
            f"$pydebug_i = {_user('$pydebug_f', layout.frame_instruction)}; "
            f"$pydebug_d = (uint64){MIX}; "
            + "".join(_mixed("$pydebug_d", _user("$pydebug_c", word)) for word in telling_words(layout))
            + "$pydebug_h = $pydebug_stack; "
            + _mixed("$pydebug_h", "$pydebug_w")
            + _mixed("$pydebug_h", "$pydebug_i")
            + _mixed("$pydebug_h", "$pydebug_d")
            + f"{MAP}[$pydebug_h] = ($pydebug_stack, $pydebug_w, $pydebug_i, $pydebug_d); "
            f"$pydebug_stack = $pydebug_h; $pydebug_f = {_user('$pydebug_f', layout.frame_previous)}; "
        )
        if version >= _FIRST_WITH_RANGE:
            loop = f"for ($pydebug_n : 0..{_RANGE_DEPTH}) {{ {turn}}} "
        else:
            loop = f"$pydebug_n = 0; while ($pydebug_n < {_DEPTH}) {{ {turn}$pydebug_n = $pydebug_n + 1; }} "
        tail = (
            "if ($pydebug_f != 0) { $pydebug_h = $pydebug_stack; "
            + _mixed("$pydebug_h", str(_CUT))
            + f"{MAP}[$pydebug_h] = ($pydebug_stack, (uint64){_CUT}, (uint64)0, (uint64)0); "
            "$pydebug_stack = $pydebug_h; } "
        )
        return head + loop + tail


def find_walk(request: Request, pids: Sequence[int]) -> Walk:
    """Return how the target's Python is walked; raise what stands in the way of the only one, or of the first."""
    candidates = list(pids) or request.processes().pythons
    first: Optional[errors.AgentError] = None
    for pid in candidates:
        try:
            return _walk_of(pid, request.proc)
        except errors.AgentError as error:
            first = first or error
    assert first is not None
    first.detail.setdefault("tool", "bpftrace")
    first.detail.setdefault("word", WORD)
    raise first


def _walk_of(pid: int, proc: Proc) -> Walk:
    check_ctypes(pid)
    with explained(pid, proc, "threads"):
        target = Target(pid, proc)
        layout = target.layout
        if layout.free_threaded:
            raise _unsupported(wire.UNSUPPORTED_PYTHON, target, "does not read a Python without the GIL")
        if layout.minor < _OLDEST_MINOR:
            raise _unsupported(wire.OLD_PYTHON, target, "reads Python 3.11 and later")
        if target.found.version[1] > NEWEST:
            raise _unsupported(wire.UNSUPPORTED_PYTHON, target, "does not know this Python")
        try:
            machine = Machine()
        except OSError as error:
            raise no_types(f"{error.filename}: {error.strerror}") from error
        if machine.missing or not machine.supported:
            raise too_old(machine.missing or ["programs for this processor"])
        try:
            return _calibrated(target, machine)
        except KernelRefusal as refusal:
            raise refused(refusal, proc) from refusal


def _calibrated(target: Target, machine: Machine) -> Walk:
    """Find where the threads keep their state, by the pointers that the kernel has of them."""
    attachment = Attachment(machine, 64, 8)
    try:
        for _ in range(_CALIBRATIONS):
            # Threads come and go: those that both sides know are taken.
            probed = {thread.tid: thread for thread in attachment.probe(target.pid)}
            if not probed:
                raise gone(target.pid)
            threads = [thread for thread in target.threads() if thread.tid in probed]
            offset = find_offset(target.memory, [(thread, probed[thread.tid].pointer) for thread in threads])
            differences = {thread.ident - probed[thread.tid].pointer for thread in threads}
            if offset is not None and len(differences) == 1:
                return Walk(target.layout, machine.pointer, offset, differences.pop())
    finally:
        attachment.close()
    raise errors.AgentError(
        wire.UNSUPPORTED_PYTHON,
        f"Where the threads of process {target.pid} keep their Python state was not found.",
        target.pid,
    )


def _unsupported(cause: str, target: Target, why: str) -> errors.AgentError:
    return errors.AgentError(
        cause, f"{WORD} {why}; process {target.pid} runs Python {target.version}.", target.pid, {"reason": why}
    )


class PyStacks:
    """The frames that a running bpftrace has met, read from its map, and their names."""

    def __init__(self, request: Request, walk: Walk) -> None:
        self._request = request
        self._walk = walk
        self._kernel = Kernel()
        self._map = -1
        self._parents: Dict[int, int] = {}
        self._unnamed: Dict[int, Tuple[int, int, int]] = {}
        self._names: Dict[int, Optional[StackNames]] = {}
        self._entries = 0
        self.unresolved = 0
        self.cut = 0
        self.full = False

    @property
    def wait(self) -> float:
        """Return the seconds after which to look again."""
        return _POLL_SECONDS if self._map >= 0 else 0.0

    def find(self, pid: int) -> None:
        """Look for the map among what bpftrace has open."""
        if self._map >= 0:
            return
        for number, text in held(pid):
            if not _MAP_SHAPE.search(text):
                continue
            descriptor = self._kernel.take(pid, number)
            found, entries = self._kernel.map_name(descriptor)
            if _NAME in found:
                self._map, self._entries = descriptor, entries
                return
            self._kernel.drop(descriptor)

    def poll(self, pid: int) -> None:
        """Take what was met since the last time, and send its names to the client."""
        try:
            self.find(pid)
        except (OSError, ValueError):
            return
        if self._map < 0:
            return
        taken = 0
        for key, value in self._kernel.items(self._map, 8, _ENTRY.size, self._entries, take=True):
            taken += 1
            hash_ = int.from_bytes(key, "little")
            if hash_ not in self._parents and len(self._parents) < _MOST_FRAMES:
                parent, word, instruction, identity = _ENTRY.unpack(value)
                self._parents[hash_] = parent
                self._unnamed[hash_] = (word, instruction, identity)
        self.full = self.full or taken >= self._entries or len(self._parents) >= _MOST_FRAMES
        self._send()

    def summary(self) -> Dict[str, object]:
        """Return what the stacks lack: frames without a name, frames beyond the depth, frames without room."""
        return {
            "found": self._map >= 0,
            "unresolved": self.unresolved + len(self._unnamed),
            "cut": self.cut,
            "full": self.full,
        }

    def close(self) -> None:
        """Let go of the map."""
        self._kernel.close()

    def _send(self) -> None:
        for names in self._names.values():
            if names is not None:
                names.begin()
        named: List[List[object]] = []
        for hash_ in list(self._unnamed):
            pid = self._root(hash_)
            if pid is not None:
                named.append([hash_, self._parents[hash_], *self._name(pid, *self._unnamed.pop(hash_))])
        for place in range(0, len(named), _MOST_AT_ONCE):
            self._request.result({"kind": "bpftraceFrames", "frames": named[place : place + _MOST_AT_ONCE]})

    def _root(self, hash_: int) -> Optional[int]:
        """The process that a frame belongs to; None while a frame between them has not been seen."""
        while hash_ >= _LARGEST_PID:
            parent = self._parents.get(hash_)
            if parent is None:
                return None
            hash_ = parent
        return hash_

    def _name(self, pid: int, word: int, instruction: int, identity: int) -> List[object]:
        """Function, file and line; nothing for a frame that the interpreter lays in between."""
        if word == _CUT:
            self.cut += 1
            return ["...", "", 0]
        names = self._names_of(pid)
        if names is None or word < 8:
            # Frames without code are what could not be read.
            self.unresolved += 1
            return ["<unresolved>", "", 0]
        places, unresolved = names.name([(word, instruction, identity)])
        self.unresolved += unresolved
        return list(places[0]) if places else []

    def _names_of(self, pid: int) -> Optional[StackNames]:
        if pid not in self._names:
            self._names[pid] = None
            try:
                target = Target(pid, self._request.proc)
                if vars(target.layout) == vars(self._walk.layout):
                    self._names[pid] = StackNames(target, telling_words(target.layout))
            except (errors.AgentError, Denied, Gone, Fault, OSError):
                pass
        return self._names[pid]


def _sum(base: str, offset: int) -> str:
    return f"{base} {'-' if offset < 0 else '+'} {abs(offset)}"


def _user(base: str, offset: int) -> str:
    """Eight bytes of the target's memory."""
    return f"*(uint64 *)uptr({_sum(base, offset)})"


def _mixed(value: str, word: str) -> str:
    """One step of the hash that the agent makes, too: see records.mixed."""
    return f"{value} = ({value} ^ {word}) * {MIX}; {value} = {value} ^ (({value} >> 32) & 4294967295); "
