"""The registers of a stopped thread, as ptrace gives and takes them. x86-64."""

from __future__ import annotations

import struct
from typing import Dict, Tuple

from ..reader.hold import Holder

_GETREGS, _SETREGS, _GETREGSET, _GETSIGMASK = 12, 13, 0x4204, 0x420A
_NT_X86_XSTATE = 0x202
_NAMES = (
    "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base ds es fs "
    "gs"
).split()
_REGISTERS = struct.Struct("<27Q")
_LARGEST_STATE = 1 << 15
_EVENT_STOP, _SIGTRAP = 128, 5
_LONG_MODE = 0x33

Registers = Dict[str, int]


class Unusable(Exception):
    """The thread is not at a point where it may be sent elsewhere; the text says why."""


class Stopper(Holder):
    """Holds a thread and reads and writes what it computes with."""

    @property
    def interrupted(self) -> bool:
        """Whether the thread stands because we asked, not for a signal or a stop of somebody else's."""
        return self._status >> 8 == (_EVENT_STOP << 8 | _SIGTRAP)

    def registers(self, tid: int) -> Registers:
        """Read the general registers."""
        import ctypes

        buffer = ctypes.create_string_buffer(_REGISTERS.size)
        self._call(_GETREGS, tid, ctypes.addressof(buffer))
        return dict(zip(_NAMES, _REGISTERS.unpack(buffer.raw)))

    def set_registers(self, tid: int, registers: Registers) -> None:
        """Write the general registers, all at once."""
        import ctypes

        buffer = ctypes.create_string_buffer(_REGISTERS.pack(*(registers[name] for name in _NAMES)), _REGISTERS.size)
        self._call(_SETREGS, tid, ctypes.addressof(buffer))

    def extended(self, tid: int) -> bytes:
        """Read the floating point and vector registers, in the layout of XSAVE."""
        import ctypes

        buffer = ctypes.create_string_buffer(_LARGEST_STATE)
        vector = ctypes.create_string_buffer(struct.pack("<QQ", ctypes.addressof(buffer), _LARGEST_STATE), 16)
        self._call(_GETREGSET, tid, ctypes.addressof(vector), _NT_X86_XSTATE)
        length = struct.unpack_from("<Q", vector.raw, 8)[0]
        return buffer.raw[:length]

    def signal_mask(self, tid: int) -> int:
        """Read which signals the thread blocks."""
        import ctypes

        buffer = ctypes.create_string_buffer(8)
        self._call(_GETSIGMASK, tid, ctypes.addressof(buffer), 8)
        return int(struct.unpack("<Q", buffer.raw)[0])


def signed(value: int) -> int:
    """Return a register's content as a signed number."""
    return value - (1 << 64) if value >> 63 else value


def is_64_bit(registers: Registers) -> bool:
    """Say whether the thread runs 64-bit code."""
    return registers["cs"] == _LONG_MODE


Span = Tuple[int, int]
