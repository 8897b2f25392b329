"""From an instruction to a source line, by the table of each generation of CPython."""

from __future__ import annotations


def line_of(minor: int, table: bytes, first_line: int, instruction: int) -> int:
    """Return the line of an instruction: a code unit's index from 3.10 on, a byte offset before."""
    try:
        if minor >= 11:
            return _location_table(table, first_line, max(instruction, 0))
        if minor == 10:
            return _line_table(table, first_line, 2 * instruction)
        return _lnotab(table, first_line, instruction)
    except IndexError:
        # Cut short: the line is not known.
        return 0


def _location_table(table: bytes, line: int, unit: int) -> int:
    """PEP 657's table of 3.11 and later; a span without a line shows the one before."""
    place = covered = 0
    while place < len(table):
        head = table[place]
        place += 1
        kind = head >> 3 & 15
        if kind in (13, 14):
            delta, place = _varint(table, place)
            line += -(delta >> 1) if delta & 1 else delta >> 1
            if kind == 14:
                for _ in range(3):
                    _, place = _varint(table, place)
        elif kind >= 10 and kind != 15:
            line += kind - 10
            place += 2
        elif kind < 10:
            place += 1
        covered += (head & 7) + 1
        if unit < covered:
            return line
    return line


def _varint(table: bytes, place: int) -> "tuple[int, int]":
    byte = table[place]
    place += 1
    value = byte & 63
    shift = 0
    while byte & 64:
        if shift > 60:
            raise IndexError("a number without end")
        byte = table[place]
        place += 1
        shift += 6
        value |= (byte & 63) << shift
    return value, place


def _line_table(table: bytes, line: int, offset: int) -> int:
    """PEP 626's table of 3.10; -128 marks a span without a line."""
    covered = 0
    current = line
    for index in range(0, len(table) - 1, 2):
        delta = _signed(table[index + 1])
        covered += table[index]
        if delta != -128:
            line += delta
            current = line
        if offset < covered:
            return current
    return current


def _lnotab(table: bytes, line: int, offset: int) -> int:
    """The table of 3.8 and 3.9."""
    covered = 0
    for index in range(0, len(table) - 1, 2):
        covered += table[index]
        if covered > offset:
            break
        line += _signed(table[index + 1])
    return line


def _signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte
