"""A new thread in the target, made by one of its own, that sleeps until it is given work and ends when that is done."""

from __future__ import annotations

import random
import struct
import time
from typing import Callable, List, NamedTuple, Optional

from ..proc import Mapping, Proc
from ..reader.memory import Denied, Fault, Gone, Memory
from ..reader.hold import Refused
from ..reader.waits import called
from . import points
from .chain import Call, Sizes, build, sizes_here, start
from .registers import Registers, Stopper, Unusable, Writer, signed
from .symbols import Symbols, unsafe

_DETACHED = 1
_RTLD_NOW = 2
_GIL_WAS_FREE = 1
_NANOSLEEP = (35, 230)
_ATTRIBUTES = 64
_ROOM = 128
# What pthread_create needs of the stack it runs on, with much to spare.
_STACK_LEAST = 32 << 10
_APPEAR_SECONDS = 5.0
_SEARCH_SECONDS = 3.0
_EVAL_TRIES = 400
_LEAST_SLEEP, _MOST_SLEEP = 40, 89
# SIGKILL, SIGSTOP and those of libc's own cannot be blocked; nobody else blocks all the others.
_MOST_BLOCKED = 57


class Made(NamedTuple):
    """A thread that was made: by which one, where that was, and for how many microseconds it stood."""

    tid: int
    through: int
    place: str
    held: float


class Worker:
    """Makes threads in one process. All calls must come from one thread."""

    def __init__(self, pid: int, proc: Proc, memory: Memory, symbols: Symbols, check: Callable[[], None]) -> None:
        self._pid = pid
        self._proc = proc
        self._memory = memory
        self._symbols = symbols
        self._check = check
        self._stopper = Stopper()
        self._writer = Writer(pid)
        self._sizes: Sizes = sizes_here()
        self._stacks: List[Mapping] = []

    def make(self, python: List[int]) -> Made:
        """Make one thread through a thread of ``python`` (native ids, preferred first) that stands at a safe point."""
        reasons: List[str] = []
        until = time.monotonic() + _SEARCH_SECONDS
        # One that was made before may still be about its work.
        python = [tid for tid in python if not self._blocks_all(tid)]
        # A timeout that would start anew is the last choice.
        for timed in (False, True):
            for tid in self._parked(python, timed):
                made = self._try(tid, timed, reasons)
                if made is not None:
                    return made
            if self._symbols.eval_loop is not None:
                for attempt in range(_EVAL_TRIES if python else 0):
                    tid = python[attempt % len(python)]
                    made = self._try(tid, timed, reasons) if self._runs(tid) else None
                    if made is not None:
                        return made
                    if time.monotonic() > until:
                        break
                    time.sleep(0.001)
            until = time.monotonic() + _SEARCH_SECONDS
        last = reasons[-1] if reasons else "none waits in a system call or runs Python code"
        raise unsafe(self._pid, "noSafePoint", f"no thread came to a safe point ({last})")

    def run(self, tid: int, libraries: List[str], source: str) -> None:
        """Let a made thread load libraries, without the GIL, run Python source, with it, and end."""
        text = source.encode("utf-8") + b"\0"
        places: List[int] = []
        for library in libraries:
            places.append(len(text))
            text += library.encode("utf-8") + b"\0"

        def give() -> None:
            if not self._stopper.interrupted:
                raise Unusable("it did not stop as asked")
            registers = self._stopper.registers(tid)
            if signed(registers["orig_rax"]) not in _NANOSLEEP:
                raise Unusable("it does not sleep any more")
            room = len(text) + 15 & ~15
            base = registers["rsp"] - 128 - room
            functions = self._symbols.functions
            calls = [
                Call(functions["PyGILState_Ensure"], ()),
                Call(functions["PyRun_SimpleString"], (base,)),
                Call(functions["PyGILState_Release"], (_GIL_WAS_FREE,)),
            ]
            loads = [Call(functions["dlopen"], (base + place, _RTLD_NOW)) for place in places]
            back = dict(registers)
            # The sleep is over.
            back.update(rax=0, orig_rax=(1 << 64) - 1)
            self._writer.write(base, text)
            self._send(tid, loads + calls, registers, back, room)

        self._stopper.run(tid, give)

    def touch(self, tid: int) -> float:
        """Stop a thread and let it go on: a call that never starts again ends so. Return for how long it stood (us)."""
        try:
            return self._stopper.run(tid, lambda: None)[1]
        except (Refused, Gone):
            return 0.0

    def close(self) -> None:
        """Let go of whatever is still held."""
        self._stopper.settle()

    def _parked(self, python: List[int], timed: bool) -> List[int]:
        """Return the threads that seem to wait where they may be used."""
        found: List[int] = []
        for tid in python:
            words = self._call_of(tid)
            if words and points.may_be_point(words, timed):
                found.append(tid)
        return found

    def _call_of(self, tid: int) -> Optional[List[int]]:
        try:
            return called(self._proc.read(self._pid, "task", tid, "syscall", limit=512))
        except OSError:
            return None

    def _runs(self, tid: int) -> bool:
        try:
            return self._proc.stat(self._pid, "task", tid).state == "R"
        except (OSError, ValueError):
            return False

    def _try(self, tid: int, timed: bool, reasons: List[str]) -> Optional[Made]:
        self._check()
        seconds = random.randint(_LEAST_SLEEP, _MOST_SLEEP)
        before = set(self._proc.threads(self._pid))
        # Read before the thread stands: it takes longer than all the rest.
        self._stacks = [entry for entry in self._proc.maps(self._pid) if entry.permissions.startswith("rw")]
        restarted = self._restarted(tid)
        try:
            place, held = self._stopper.run(tid, lambda: self._divert(tid, seconds, timed, restarted))
        except Unusable as reason:
            reasons.append(f"thread {tid}: {reason}")
            return None
        except Refused as reason:
            reasons.append(f"thread {tid}: {reason}")
            return None
        except Gone:
            return None
        made = self._appeared(before, seconds)
        if made is None:
            raise unsafe(self._pid, "kernel", f"thread {tid} was asked to make a thread, and none came")
        return Made(made, tid, place, held)

    def _restarted(self, tid: int) -> Optional[points.Restarted]:
        try:
            line = self._proc.read(self._pid, "task", tid, "syscall", limit=512)
            return points.restarted(line, self._proc.text(self._pid, "task", tid, "wchan"))
        except (OSError, ValueError):
            return None

    def _divert(self, tid: int, seconds: int, timed: bool, restarted: Optional[points.Restarted]) -> str:
        if not self._stopper.interrupted:
            raise Unusable("a signal came first")
        registers = self._stopper.registers(tid)
        point = points.find(registers, self._memory, self._symbols.eval_loop, restarted)
        if point.timed and not timed:
            raise Unusable("its timeout would start anew")
        self._check_stack(registers)
        functions = self._symbols.functions
        base = registers["rsp"] - 128 - _ROOM
        calls = [
            Call(functions["pthread_attr_init"], (base,)),
            Call(functions["pthread_attr_setdetachstate"], (base, _DETACHED)),
            Call(functions["pthread_create"], (base + _ATTRIBUTES, base, functions["sleep"], seconds)),
        ]
        self._send(tid, calls, registers, point.registers, _ROOM)
        return point.place

    def _send(self, tid: int, calls: List[Call], registers: Registers, back: Registers, room: int) -> None:
        """Write a chain and let the thread's next instruction be its first: nothing is changed before that."""
        chain = build(
            calls,
            self._symbols.restorer,
            back,
            self._stopper.signal_mask(tid),
            self._stopper.extended(tid),
            self._sizes,
            room,
        )
        self._writer.write(chain.address, chain.content)
        self._stopper.set_registers(tid, start(registers, chain, self._symbols.restorer))

    def _check_stack(self, registers: Registers) -> None:
        for entry in self._stacks:
            if entry.start <= registers["rsp"] < entry.end:
                if registers["rsp"] - entry.start < _STACK_LEAST:
                    raise Unusable("its stack is nearly used up")
                return
        raise Unusable("its stack is not where it should be")

    def _appeared(self, before: "set[int]", seconds: int) -> Optional[int]:
        until = time.monotonic() + _APPEAR_SECONDS
        while time.monotonic() < until:
            for tid in self._proc.threads(self._pid):
                if tid not in before and self._is_made(tid, seconds):
                    return tid
            time.sleep(0.0005)
        return None

    def _is_made(self, tid: int, seconds: int) -> bool:
        words = self._call_of(tid)
        if not words or words[0] not in _NANOSLEEP or len(words) < 5:
            return False
        try:
            asked = struct.unpack("<QQ", self._memory.read(words[1 if words[0] == 35 else 3], 16))
        except (Fault, Gone, Denied):
            return False
        return asked == (seconds, 0) and self._blocks_all(tid)

    def _blocks_all(self, tid: int) -> bool:
        """Whether a thread blocks every signal: what a chain sets, and threads that it makes inherit."""
        try:
            blocked = int(self._proc.status(self._pid, "task", tid).get("SigBlk", "0"), 16)
        except (OSError, ValueError):
            return False
        return blocked.bit_length() == 64 and bin(blocked).count("1") > _MOST_BLOCKED
