"""A chain of calls that a thread makes by itself and that ends where the thread was.

Each link is a signal frame, put into effect by rt_sigreturn: the called function returns into glibc's own two
instructions for that system call, with the stack pointer at the next frame. x86-64.
"""

from __future__ import annotations

import struct
from typing import Any, List, NamedTuple, Optional, Sequence, Tuple

from .registers import Registers

_RED_ZONE = 128
_CONTEXT_BYTES = 304
_ALL_SIGNALS = (1 << 64) - 1
# FP_XSTATE | SIGCONTEXT_SS | STRICT_RESTORE_SS
_FLAGS = 7
# No mode of a signal stack: the kernel then leaves the thread's own as it is.
_NO_STACK_MODE = 0x7F
_DIRECTION_TRAP_AND_CHECK = 0x400 | 0x100 | 0x40000
_MAGIC1, _MAGIC2 = 0x46505853, 0x46505845
_SOFTWARE = 464
_SIGNAL = 34
_SA_SIGINFO, _SA_RESTORER = 4, 0x04000000


class Sizes(NamedTuple):
    """How this kernel lays out the vector registers in a signal frame."""

    features: int
    size: int


class Call(NamedTuple):
    """A function to call, with at most four arguments."""

    function: int
    arguments: Tuple[int, ...]


class Chain(NamedTuple):
    """What to write where, and where the thread has to start."""

    address: int
    content: bytes
    stack: int


def build(
    calls: Sequence[Call],
    restorer: int,
    registers: Registers,
    mask: int,
    extended: bytes,
    sizes: Sizes,
    reserved: int = 0,
) -> Chain:
    """Return a chain below the thread's stack pointer that makes the calls, all signals blocked, and goes back.

    ``reserved`` bytes directly below the thread's red zone are left alone. The last frame holds ``registers``, ``mask``
    and ``extended``.
    """
    top = registers["rsp"] - _RED_ZONE - reserved
    state = floating(extended, sizes)
    state_at = (top - len(state)) & ~63
    links = len(calls) + 1
    # A function finds its return address eight bytes above a multiple of sixteen.
    step = (8 + _CONTEXT_BYTES + 15) & ~15
    first = ((state_at - step * links) & ~15) - 8
    content = bytearray(state_at + len(state) - first)
    content[state_at - first :] = state
    for index in range(links):
        place = step * index
        struct.pack_into("<Q", content, place, restorer)
        if index < len(calls):
            frame = _call_frame(calls[index], registers, first + place + step)
        else:
            frame = _frame(registers, mask, state_at)
        content[place + 8 : place + 8 + _CONTEXT_BYTES] = frame
    return Chain(first, bytes(content), first + 8)


def start(registers: Registers, chain: Chain, restorer: int) -> Registers:
    """Return the registers that put the chain's first frame into effect."""
    changed = dict(registers)
    # No system call is to be restarted on the way there.
    changed.update(rip=restorer, rsp=chain.stack, rax=0, orig_rax=_ALL_SIGNALS)
    changed["eflags"] &= ~_DIRECTION_TRAP_AND_CHECK
    return changed


def floating(extended: bytes, sizes: Sizes) -> bytes:
    """Return what ptrace gave of the vector registers as a signal frame holds it."""
    if len(extended) < sizes.size:
        raise ValueError("the vector registers are cut short")
    data = bytearray(extended[: sizes.size]) + struct.pack("<I", _MAGIC2)
    struct.pack_into("<IIQI", data, _SOFTWARE, _MAGIC1, sizes.size + 4, sizes.features, sizes.size)
    return bytes(data)


def sizes_here() -> Sizes:
    """Measure how this kernel lays out a signal frame, by a signal to ourselves."""
    import ctypes

    libc = ctypes.PyDLL(None, use_errno=True)
    found: List[Sizes] = []

    def look(_number: int, _info: int, context: int) -> None:
        state = ctypes.c_uint64.from_address(context + 224).value
        magic, _, features, size = struct.unpack("<IIQI", ctypes.string_at(state + _SOFTWARE, 20))
        if magic == _MAGIC1:
            found.append(Sizes(features, size))

    handler_type: Any = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    handler = handler_type(look)
    address = ctypes.cast(handler, ctypes.c_void_p).value or 0
    action = ctypes.create_string_buffer(struct.pack("<Q128siQ", address, b"", _SA_SIGINFO, 0), 160)
    old = ctypes.create_string_buffer(160)
    libc.sigaction.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
    if libc.sigaction(_SIGNAL, action, old) != 0:
        raise OSError(ctypes.get_errno(), "sigaction")
    try:
        getattr(libc, "raise")(_SIGNAL)
    finally:
        libc.sigaction(_SIGNAL, old, None)
    if not found:
        raise OSError("the kernel's signal frames hold no vector registers")
    return found[0]


def restorer_in(code: bytes) -> Optional[int]:
    """Return where in a library's code the instructions of rt_sigreturn lie: mov $15,%rax; syscall."""
    place = code.find(b"\x48\xc7\xc0\x0f\x00\x00\x00\x0f\x05")
    return place if place >= 0 else None


def _call_frame(call: Call, registers: Registers, stack: int) -> bytes:
    frame = dict(registers)
    frame.update(rip=call.function, rsp=stack, rax=0, rbp=0)
    frame["eflags"] = registers["eflags"] & ~_DIRECTION_TRAP_AND_CHECK
    frame.update(zip(("rdi", "rsi", "rdx", "rcx"), call.arguments))
    return _frame(frame, _ALL_SIGNALS, 0)


def _frame(registers: Registers, mask: int, state: int) -> bytes:
    names = "r8 r9 r10 r11 r12 r13 r14 r15 rdi rsi rbp rbx rdx rax rcx rsp rip eflags".split()
    segments = registers["cs"] & 0xFFFF | (registers["ss"] & 0xFFFF) << 48
    return struct.pack(
        "<QQQiiQ18QQQQQQQ8QQ",
        *(_FLAGS, 0, 0, _NO_STACK_MODE, 0, 0),
        *(registers[name] for name in names),
        *(segments, 0, 0, 0, 0, state),
        *([0] * 8),
        mask,
    )
