"""An assembler for the kernel's BPF, with labels."""

from __future__ import annotations

import struct
from typing import Dict, List, Tuple, Union

R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10 = range(11)

_JUMPS = {"==": 0x15, ">": 0x25, ">=": 0x35, "&": 0x45, "!=": 0x55, "<": 0xA5, "<=": 0xB5,
          "s>": 0x65, "s>=": 0x75, "s<": 0xC5, "s<=": 0xD5}
_ALU = {"+": 0x07, "-": 0x17, "*": 0x27, "|": 0x47, "&": 0x57, "<<": 0x67, ">>": 0x77, "^": 0xA7, "=": 0xB7,
        "s>>": 0xC7}
_LOADS = {1: 0x71, 2: 0x69, 4: 0x61, 8: 0x79}
_STORES = {1: 0x73, 2: 0x6B, 4: 0x63, 8: 0x7B}
_CONSTANTS = {1: 0x72, 2: 0x6A, 4: 0x62, 8: 0x7A}
_FROM_REGISTER = 0x08
_WIDE, _MAP = 0x18, 1
_JUMP, _CALL, _EXIT, _ATOMIC = 0x05, 0x85, 0x95, 0xDB


class Reg(int):
    """A register, where a number would be taken for a constant."""


class Assembler:
    """Collects instructions; ``code`` resolves the labels."""

    def __init__(self) -> None:
        self._code: List[Tuple[int, int, int, int]] = []
        self._labels: Dict[str, int] = {}
        self._open: List[Tuple[int, str]] = []
        self._fresh = 0

    def code(self) -> bytes:
        """Return the program."""
        code = list(self._code)
        for place, label in self._open:
            operation, registers, _, constant = code[place]
            code[place] = (operation, registers, self._labels[label] - place - 1, constant)
        return b"".join([struct.pack("<BBhi", *instruction) for instruction in code])

    def fresh(self, name: str) -> str:
        """Return a label that no other has."""
        self._fresh += 1
        return "%s.%d" % (name, self._fresh)

    def label(self, name: str) -> None:
        """Name this place."""
        if name in self._labels:
            raise ValueError("label %s stands twice" % name)
        self._labels[name] = len(self._code)

    def set(self, to: int, value: Union[int, Reg]) -> None:
        """``to`` = a register, or a constant of 64 bits."""
        if isinstance(value, Reg):
            self._emit(_ALU["="] | _FROM_REGISTER, to, value)
        elif -(1 << 31) <= value < 1 << 31:
            self._emit(_ALU["="], to, 0, 0, value)
        else:
            low, high = struct.unpack("<ii", struct.pack("<Q", value & (1 << 64) - 1))
            self._emit(_WIDE, to, 0, 0, low)
            self._emit(0, 0, 0, 0, high)

    def map(self, to: int, descriptor: int) -> None:
        """``to`` = a map."""
        self._emit(_WIDE, to, _MAP, 0, descriptor)
        self._emit(0)

    def do(self, operation: str, to: int, value: Union[int, Reg]) -> None:
        """``to`` = ``to`` operation a register or a constant."""
        if isinstance(value, Reg):
            self._emit(_ALU[operation] | _FROM_REGISTER, to, value)
        else:
            self._emit(_ALU[operation], to, 0, 0, value)

    def load(self, to: int, base: int, offset: int, size: int = 8) -> None:
        """``to`` = what lies at ``base`` + ``offset``."""
        self._emit(_LOADS[size], to, base, offset)

    def store(self, base: int, offset: int, value: Union[int, Reg], size: int = 8) -> None:
        """Put a register or a constant to ``base`` + ``offset``."""
        if isinstance(value, Reg):
            self._emit(_STORES[size], base, value, offset)
        else:
            self._emit(_CONSTANTS[size], base, 0, offset, value)

    def copy(self, to: int, to_offset: int, base: int, offset: int, by: int = R1) -> None:
        """Copy eight bytes by way of a register."""
        self.load(by, base, offset)
        self.store(to, to_offset, Reg(by))

    def atomic_add(self, base: int, offset: int, register: int) -> None:
        """Add a register to eight bytes that other processors change too."""
        self._emit(_ATOMIC, base, register, offset)

    def jump(self, label: str) -> None:
        """Go on at a label."""
        self._open.append((len(self._code), label))
        self._emit(_JUMP)

    def jump_if(self, left: int, relation: str, right: Union[int, Reg], label: str) -> None:
        """Go on at a label where the relation holds."""
        self._open.append((len(self._code), label))
        if isinstance(right, Reg):
            self._emit(_JUMPS[relation] | _FROM_REGISTER, left, right)
        else:
            self._emit(_JUMPS[relation], left, 0, 0, right)

    def call(self, helper: int) -> None:
        """Call a helper: R1 to R5 are its arguments and lost, R0 its answer."""
        self._emit(_CALL, 0, 0, 0, helper)

    def end(self) -> None:
        """Return 0."""
        self.set(R0, 0)
        self._emit(_EXIT)

    def _emit(self, operation: int, to: int = 0, source: int = 0, offset: int = 0, constant: int = 0) -> None:
        if not -(1 << 15) <= offset < 1 << 15:
            raise ValueError("offset %d does not fit" % offset)
        if not -(1 << 31) <= constant < 1 << 31:
            raise ValueError("constant %d does not fit" % constant)
        self._code.append((operation, to | source << 4, offset, constant))
