"""Where a thread may be sent elsewhere: points at which it holds neither the lock of malloc nor that of the loader."""

from __future__ import annotations

import struct
from typing import Dict, List, Mapping, NamedTuple, Optional

from ..reader.memory import Fault, Source
from .registers import Registers, Span, Unusable, is_64_bit, signed

# System calls that no allocator and no loader makes, by number on x86-64.
_CALLS: Dict[int, str] = {
    0: "read", 7: "poll", 23: "select", 34: "pause", 35: "nanosleep", 43: "accept", 45: "recvfrom", 47: "recvmsg",
    61: "wait4", 128: "rt_sigtimedwait", 202: "futex", 230: "clock_nanosleep", 232: "epoll_wait", 247: "waitid",
    270: "pselect6", 271: "ppoll", 281: "epoll_pwait", 288: "accept4", 299: "recvmmsg", 441: "epoll_pwait2",
}
# What the kernel's functions are called in which a call with a timeout waits that it can restart.
_FUNCTIONS = (("poll", 7), ("nanosleep", 230), ("futex", 202))
# The instructions of x86-64: ``syscall``, and the first byte of ``mov $imm32,%eax``, which loads a call's number.
_SYSCALL = b"\x0f\x05"
_MOVE = 0xB8
# restart_syscall
RESTART = 219
# include/linux/errno.h, in rax where a stop has cut a call short and the kernel is yet to decide what becomes of it.
# ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND: called again as it was. ERESTART_RESTARTBLOCK: with a timeout.
_AGAIN, _AGAIN_TIMED = (-512, -513, -514), -516
# include/uapi/linux/futex.h: the command is in the lower bits, flags above.
_FUTEX_WAIT, _FUTEX_WAIT_BITSET, _FUTEX_COMMAND = 0, 9, 0x7F
_TIMER_ABSTIME = 1

EVAL_LOOP = "eval loop"


class Point(NamedTuple):
    """A point that is safe: its name, the registers to go back with, and whether a timeout starts anew there."""

    place: str
    registers: Registers
    timed: bool


class Restarted(NamedTuple):
    """A thread whose call an earlier stop has restarted: where it waits, and the kernel's function that it waits in.

    ``number`` is which call it was, where that was seen.
    """

    stack: int
    instruction: int
    function: str
    number: Optional[int] = None


def restarted(line: bytes, wchan: str) -> Optional[Restarted]:
    """Read /proc's ``syscall`` and ``wchan``; None for a thread that is not in such a call."""
    words = line.split()
    if len(words) != 9 or words[0] != b"%d" % RESTART:
        return None
    return Restarted(int(words[7], 16), int(words[8], 16), wchan)


def may_be_point(call: List[int], timed: bool) -> bool:
    """Say whether a thread in a system call, as /proc has it, is worth stopping.

    ``timed``: also where its timeout would start anew. That is known before: a stop turns such a call into another.
    """
    if call[0] == RESTART:
        return timed
    name = _CALLS.get(call[0])
    if name is None:
        return False
    if timed or name not in ("poll", "nanosleep", "clock_nanosleep"):
        return True
    return len(call) > 3 and _is_absolute(name, {"rsi": call[2], "rdx": call[3]})


def find(
    registers: Registers, source: Source, eval_loop: Optional[Span], before: Optional[Restarted] = None
) -> Point:
    """Judge a thread that stands; raise Unusable where it may not be sent elsewhere.

    ``before`` is what was known of its restarted call before it stood.
    """
    if not is_64_bit(registers):
        raise Unusable("it runs 32-bit code")
    # The number of the call that it is in, -1 where it is in none.
    number = signed(registers["orig_rax"])
    if number >= 0:
        return _in_call(number, registers, source, before)
    if eval_loop is not None and eval_loop[0] <= registers["rip"] < eval_loop[1]:
        return Point(EVAL_LOOP, dict(registers), False)
    raise Unusable("it is in the middle of other code")


def _in_call(number: int, registers: Registers, source: Source, before: Optional[Restarted]) -> Point:
    again = number == RESTART
    try:
        if again:
            number = _number(registers, source, before)
        name = _CALLS.get(number)
        if name is None:
            raise Unusable(f"it is in system call {number}")
        # It stands behind its instruction; one of another kind (int 0x80, vsyscall) is not gone back to like this.
        if source.read(registers["rip"] - 2, 2) != _SYSCALL:
            raise Unusable("it is in a system call of another kind")
        if name == "futex":
            _check_futex(registers)
        if _has_mask(name, registers, source):
            raise Unusable("its system call has changed its signals")
    except Fault as fault:
        raise Unusable(f"its code cannot be read ({fault})") from None
    back = dict(registers)
    result = signed(registers["rax"])
    # With -1 there the kernel does not restart a second time what is restarted here by hand: back on the instruction,
    # with the call's number in rax.
    back["orig_rax"] = (1 << 64) - 1
    timed = False
    if result in _AGAIN or result == _AGAIN_TIMED:
        back["rip"] -= len(_SYSCALL)
        back["rax"] = number
        timed = (again or result == _AGAIN_TIMED) and not _is_absolute(name, registers)
    # Else it has its result; EINTR of epoll_wait is what any stop gives.
    return Point(name, back, timed)


def _number(registers: Registers, source: Source, before: Optional[Restarted]) -> int:
    """Which call it is that an earlier stop has restarted."""
    # Mostly it is in the code: mov $number,%eax; syscall.
    code = source.read(registers["rip"] - 7, 7)
    if code[0] == _MOVE and code[5:] == _SYSCALL:
        return int.from_bytes(code[1:5], "little")
    # From glibc 2.41 on it came in a register that the call has overwritten; the kernel's function tells.
    if before is not None and (before.stack, before.instruction) == (registers["rsp"], registers["rip"]):
        if before.number is not None:
            return before.number
        for part, number in _FUNCTIONS:
            if part in before.function and not before.function.startswith("ep_"):
                # The first argument of nanosleep is an address, that of clock_nanosleep a small number.
                return 35 if number == 230 and registers["rdi"] >= 4096 else number
    raise Unusable("its system call is not known")


def _check_futex(registers: Registers) -> None:
    command = registers["rsi"] & _FUTEX_COMMAND
    # Conditions and semaphores wait with a bit set; a lock inside libc waits for the value two.
    if command != _FUTEX_WAIT_BITSET and not (command == _FUTEX_WAIT and registers["rdx"] & 0xFFFFFFFF != 2):
        raise Unusable("it waits for a lock that may be the allocator's")


def _is_absolute(name: str, registers: Mapping[str, int]) -> bool:
    if name == "futex":
        return registers["rsi"] & _FUTEX_COMMAND == _FUTEX_WAIT_BITSET
    if name == "clock_nanosleep":
        return bool(registers["rsi"] & _TIMER_ABSTIME)
    if name == "poll":
        return signed(registers["rdx"] << 32 & (1 << 64) - 1) < 0
    return False


def _has_mask(name: str, registers: Registers, source: Source) -> bool:
    """Whether the call blocks other signals while it lasts: then those of the thread are not known."""
    if name == "ppoll":
        return registers["r10"] != 0
    if name in ("epoll_pwait", "epoll_pwait2"):
        return registers["r8"] != 0
    if name == "pselect6" and registers["r9"]:
        return bool(struct.unpack("<Q", source.read(registers["r9"], 8))[0])
    return False
