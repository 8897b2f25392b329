"""A new thread in the target, made by one of its own, that sleeps until it is given work and ends when that is done.

Where it is given none it ends by itself, within seconds.
"""

from __future__ import annotations

import struct
import time
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence

from ..reader.hold import Refused
from ..reader.memory import Denied, Fault, Gone, Memory
from ..reader.waits import called
from ..system.light import uniform
from ..system.proc import Mapping, Proc
from . import points
from .chain import Call, Sizes, build, sizes_here, start
from .registers import Registers, Stopper, Unusable, signed
from .stack import Stacks
from .symbols import Symbols, unsafe
from .writer import Writer

_DETACHED = 1
_RTLD_NOW = 2
_GIL_WAS_FREE = 1
_NANOSLEEP = (35, 230)
# poll, and what it is after a stop.
_POLL = (7, 219)
_ATTRIBUTES = 64
_RESERVED = 128
_APPEAR_SECONDS = 5.0
_SEARCH_SECONDS = 3.0
_SETTLE_SECONDS = 0.1
_EVAL_TRIES = 400
# How long it sleeps, in microseconds: no two that are made one after the other sleep equally long.
_LEAST_SLEEP, _MOST_SLEEP = 8_000_000, 8_999_999
_LOAD_SECONDS = 20.0
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

    def __init__(
        self, pid: int, proc: Proc, memory: Memory, writer: Writer, symbols: Symbols, check: Callable[[], None]
    ) -> None:
        self._pid = pid
        self._proc = proc
        self._memory = memory
        self._symbols = symbols
        self._check = check
        self._stopper = Stopper()
        self._writer = writer
        self._sizes: Sizes = sizes_here()
        self._maps: List[Mapping] = []
        self._stacks = Stacks(pid, memory, proc.maps(pid))
        self._known: Dict[int, points.Restarted] = {}

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

    def run(self, tid: int, source: str) -> None:
        """Let a made thread run Python source and end."""
        text = source.encode("utf-8") + b"\0"

        def give() -> None:
            registers = self._stopped_in(tid, _NANOSLEEP)
            reserved = len(text) + 15 & ~15
            base = registers["rsp"] - 128 - reserved
            functions = self._symbols.functions
            calls = [
                Call(functions["PyGILState_Ensure"], ()),
                Call(functions["PyRun_SimpleString"], (base,)),
                Call(functions["PyGILState_Release"], (_GIL_WAS_FREE,)),
            ]
            back = dict(registers)
            # The sleep is over.
            back.update(rax=0, orig_rax=(1 << 64) - 1)
            self._writer.write(base, text)
            self._send(tid, calls, registers, back, reserved)

        self._stopper.run(tid, give)

    def load(self, tid: int, libraries: Sequence[str]) -> None:
        """Let a thread of ours that waits for a word from us load libraries, without the GIL, and wait on."""
        text = b"".join(library.encode("utf-8") + b"\0" for library in libraries)
        if not libraries:
            return

        def give() -> int:
            registers = self._stopped_in(tid, _POLL)
            point = points.find(registers, self._memory, None, restarted)
            reserved = len(text) + 15 & ~15
            place = registers["rsp"] - 128 - reserved
            calls: List[Call] = []
            for library in libraries:
                calls.append(Call(self._symbols.functions["dlopen"], (place, _RTLD_NOW)))
                place += len(library.encode("utf-8")) + 1
            self._writer.write(registers["rsp"] - 128 - reserved, text)
            self._send(tid, calls, registers, point.registers, reserved)
            return registers["rsp"]

        self._wait_until_polls(tid)
        restarted = self._restarted(tid)
        stack = self._stopper.run(tid, give)[0]
        # What it calls meanwhile waits, if at all, deeper in its stack.
        self._wait_until_polls(tid, stack)

    def _stopped_in(self, tid: int, calls: Sequence[int]) -> Registers:
        """Return the registers of a thread of ours that stands in one of some calls."""
        if not self._stopper.interrupted:
            raise Unusable("it did not stop as asked")
        registers = self._stopper.registers(tid)
        if signed(registers["orig_rax"]) not in calls:
            raise Unusable("it does not wait any more")
        return registers

    def _wait_until_polls(self, tid: int, stack: Optional[int] = None) -> None:
        """Wait until a thread of ours waits for a word, where its stack was then."""
        until = time.monotonic() + _LOAD_SECONDS
        while time.monotonic() < until:
            try:
                words = self._proc.read(self._pid, "task", tid, "syscall", limit=512).split()
            except FileNotFoundError:
                raise Gone(f"thread {tid} ended") from None
            if len(words) == 9 and int(words[0]) in _POLL and stack in (None, int(words[7], 16)):
                return
            self._check()
            time.sleep(0.001)
        raise Unusable("it did not come back from loading")

    def hold(self, tid: int, act: Callable[[], None]) -> float:
        """Do something while a thread stands; return for how long it stood (us).

        A call of it that never starts again ends so.
        """
        return self._stopper.run(tid, act)[1]

    def close(self) -> None:
        """Let go of whatever is still held."""
        self._stopper.settle()
        self._writer.close()

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
        sleep = int(uniform(_LEAST_SLEEP, _MOST_SLEEP))
        before = set(self._proc.threads(self._pid))
        # Read before the thread stands: it takes longer than all the rest.
        self._maps = self._proc.maps(self._pid)
        if not self._learned(tid, reasons):
            return None
        restarted = self._restarted(tid)
        try:
            place, held = self._stopper.run(tid, lambda: self._divert(tid, sleep, timed, restarted))
        except Unusable as reason:
            reasons.append(f"thread {tid}: {reason}")
            return None
        except Refused as reason:
            reasons.append(f"thread {tid}: {reason}")
            return None
        except Gone:
            return None
        made = self._appeared(before, sleep)
        if made is None:
            raise unsafe(self._pid, "kernel", f"thread {tid} was asked to make a thread, and none came")
        return Made(made, tid, place, held)

    def _learned(self, tid: int, reasons: List[str]) -> bool:
        """Look once at what a thread has on its stack, and let it go on: to follow it takes time at first."""
        if tid in self._known:
            return True
        try:
            registers = self._stopper.run(tid, lambda: self._stopper.registers(tid))[0]
        except Refused as reason:
            reasons.append(f"thread {tid}: {reason}")
            return False
        except Gone:
            return False
        number = self._note(tid, registers)
        self._stacks.learn(registers, self._maps)
        until = time.monotonic() + _SETTLE_SECONDS
        while number >= 0 and self._call_of(tid) is None and time.monotonic() < until:
            time.sleep(0.0005)
        return True

    def _note(self, tid: int, registers: Registers) -> int:
        """Keep what a thread waits in: it is another call after a stop, and which it was is not told then."""
        number = signed(registers["orig_rax"])
        if number != points.RESTART or tid not in self._known:
            self._known[tid] = points.Restarted(registers["rsp"], registers["rip"], "", number)
        return number

    def _restarted(self, tid: int) -> Optional[points.Restarted]:
        try:
            line = self._proc.read(self._pid, "task", tid, "syscall", limit=512)
            found = points.restarted(line, self._proc.text(self._pid, "task", tid, "wchan"))
        except (OSError, ValueError):
            return None
        known = self._known.get(tid)
        if known is None or known.number in (-1, points.RESTART):
            return found
        return known if found is None or known[:2] == found[:2] else found

    def _divert(self, tid: int, sleep: int, timed: bool, restarted: Optional[points.Restarted]) -> str:
        if not self._stopper.interrupted:
            raise Unusable("a signal came first")
        registers = self._stopper.registers(tid)
        self._note(tid, registers)
        point = points.find(registers, self._memory, self._symbols.eval_loop, restarted)
        if point.timed and not timed:
            raise Unusable("its timeout would start anew")
        self._stacks.check(tid, registers, self._maps)
        functions = self._symbols.functions
        base = registers["rsp"] - 128 - _RESERVED
        calls = [
            Call(functions["pthread_attr_init"], (base,)),
            Call(functions["pthread_attr_setdetachstate"], (base, _DETACHED)),
            Call(functions["pthread_create"], (base + _ATTRIBUTES, base, functions["usleep"], sleep)),
        ]
        self._send(tid, calls, registers, point.registers, _RESERVED)
        return point.place

    def _send(self, tid: int, calls: List[Call], registers: Registers, back: Registers, reserved: int) -> None:
        """Write a chain and let the thread's next instruction be its first: nothing is changed before that."""
        chain = build(
            calls,
            self._symbols.restorer,
            back,
            self._stopper.signal_mask(tid),
            self._stopper.extended(tid),
            self._sizes,
            reserved,
        )
        self._writer.write(chain.address, chain.content)
        self._stopper.set_registers(tid, start(registers, chain, self._symbols.restorer))

    def _appeared(self, before: "set[int]", sleep: int) -> Optional[int]:
        until = time.monotonic() + _APPEAR_SECONDS
        while time.monotonic() < until:
            for tid in self._proc.threads(self._pid):
                if tid not in before and self._is_made(tid, sleep):
                    return tid
            time.sleep(0.0005)
        return None

    def _is_made(self, tid: int, sleep: int) -> bool:
        words = self._call_of(tid)
        if not words or words[0] not in _NANOSLEEP or len(words) < 5:
            return False
        try:
            asked = struct.unpack("<QQ", self._memory.read(words[1 if words[0] == 35 else 3], 16))
        except (Fault, Gone, Denied):
            return False
        return asked == divmod(sleep * 1000, 1_000_000_000) and self._blocks_all(tid)

    def _blocks_all(self, tid: int) -> bool:
        """Whether a thread blocks every signal: what a chain sets, and threads that it makes inherit."""
        try:
            blocked = int(self._proc.status(self._pid, "task", tid).get("SigBlk", "0"), 16)
        except (OSError, ValueError):
            return False
        return blocked.bit_length() == 64 and bin(blocked).count("1") > _MOST_BLOCKED
