"""Memory that lies: whatever the target holds, reading ends soon, stays small, and fails in one known way."""

from __future__ import annotations

import random
import struct
import time
import unittest
from typing import Any, Callable, List

from .reader_support import AGENT

from pydebug_agent.reader.elf import Image
from pydebug_agent.reader.frames import Frame, FrameReader, Gils, Thread
from pydebug_agent.reader.codeobj import CodeReader
from pydebug_agent.reader.layouts import Layout, old_layout, published_layout, schema
from pydebug_agent.reader.lines import line_of
from pydebug_agent.reader.memory import Batch, Copy, Fault, Miss, Pages, Source
from pydebug_agent.reader.objects import Objects, interpreters
from pydebug_agent.reader.selfcheck import Misfit, NotReady, SelfCheck

BASE = 0x7F0000000000
SIZE = 1 << 16
KNOWN = (Fault, Miss, Misfit, NotReady)


class Lies(Source):
    """Words that point at each other, are huge, or are noise."""

    def __init__(self, seed: int) -> None:
        chance = random.Random(seed)
        words: List[int] = []
        for _ in range(SIZE // 8):
            kind = chance.random()
            if kind < 0.6:
                words.append(BASE + 8 * chance.randrange(SIZE // 8))
            elif kind < 0.8:
                words.append(chance.randrange(64))
            else:
                words.append(chance.getrandbits(64))
        self._data = struct.pack("<%dQ" % len(words), *words)

    def read(self, address: int, size: int) -> bytes:
        place = address - BASE
        if not 0 <= place <= place + size <= SIZE or size < 0:
            raise Fault("%#x" % address)
        return self._data[place : place + size]


class Circle(Source):
    """Every word points to itself, so every list is endless."""

    def read(self, address: int, size: int) -> bytes:
        if size > 1 << 24:
            raise Fault("too much")
        return (struct.pack("<Q", BASE) * (size // 8 + 1))[:size]


class Endless(Source):
    """An image whose dynamic section is well formed, and whose tables never end."""

    def __init__(self, tag: int) -> None:
        header = bytearray(b"\x7fELF\x02\x01" + bytes(58))
        struct.pack_into("<Q", header, 32, 64)
        struct.pack_into("<HH", header, 54, 56, 2)
        load = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, SIZE, SIZE, 4096)
        dynamic = struct.pack("<IIQQQQQQ", 2, 6, 4096, 4096, 4096, 64, 64, 8)
        entries = struct.pack("<8Q", tag, 8192, 5, 8192, 6, 8192, 0, 0)
        self._head = bytes(header) + load + dynamic
        self._dynamic = entries

    def read(self, address: int, size: int) -> bytes:
        place = address - BASE
        if place == 4096:
            return self._dynamic[:size]
        if place < len(self._head):
            return self._head[place : place + size]
        # An even word: the chain goes on.
        return (struct.pack("<I", 2) * (size // 4 + 1))[:size]


def layouts() -> List[Layout]:
    """Return the old layouts, and a new one as a process might publish it."""
    places, length = schema(15)
    data = bytearray(length)
    for index, place in enumerate(sorted(places.values())):
        struct.pack_into("<Q", data, place, 8 * (index % 40))
    return [old_layout(minor) for minor in range(8, 13)] + [published_layout(15, False, bytes(data))]


class HostileMemory(unittest.TestCase):
    def _ends(self, call: Callable[[], Any]) -> None:
        began = time.process_time()
        try:
            call()
        except KNOWN:
            pass
        self.assertLess(time.process_time() - began, 5.0)

    def test_objects(self) -> None:
        for seed in range(60):
            source = Lies(seed)
            chance = random.Random(seed)
            for layout in layouts():
                objects = Objects(source, layout)
                for name in ("text", "integer", "list_items", "tuple_items", "set_items", "dict_items", "text_dict",
                             "attributes", "type_name"):
                    address = BASE + 8 * chance.randrange(SIZE // 8)
                    self._ends(lambda: getattr(objects, name)(address))

    def test_code_and_lines(self) -> None:
        for seed in range(60):
            source = Lies(seed)
            chance = random.Random(seed)
            for layout in layouts():
                code = BASE + 8 * chance.randrange(SIZE // 8)
                try:
                    kind = Objects(source, layout).type_of(code)
                except Fault:
                    continue
                reader = CodeReader(source, layout, kind)
                reader.place(Frame(BASE, code, code + 300, 0, seed % 3, True))
        for minor in (8, 10, 11, 15):
            for seed in range(200):
                noise = bytes(random.Random(seed).getrandbits(8) for _ in range(seed))
                self.assertIsInstance(line_of(minor, noise, 1, seed * 7), int)

    def test_a_number_without_end_in_a_line_table_ends(self) -> None:
        self._ends(lambda: line_of(15, b"\xe8" + b"\x7f" * (1 << 20), 1, 5))

    def test_endless_lists_end(self) -> None:
        for layout in layouts():
            self.assertLessEqual(len(list(interpreters(Circle(), layout, BASE))), 256)
            objects = Objects(Circle(), layout)
            for name in ("text", "integer", "list_items", "set_items", "dict_items", "attributes"):
                self._ends(lambda: getattr(objects, name)(BASE))
            reader = FrameReader(Circle(), layout, Gils())
            self._ends(lambda: reader.chain(Circle(), Thread(BASE, BASE, BASE, 1)))
            several = Thread(BASE, BASE, BASE, 1, (Thread(BASE, BASE, BASE, 1),))
            self._ends(lambda: reader.chain(Circle(), several, most=100))
            self._ends(lambda: SelfCheck(Circle(), layout, BASE, BASE, {1}).run())

    def test_images(self) -> None:
        for seed in range(200):
            data = bytearray(Lies(seed).read(BASE, 8192))
            data[:6] = b"\x7fELF\2\1"
            struct.pack_into("<Q", data, 32, 64)
            struct.pack_into("<HH", data, 54, 56, seed % 20)

            class Picture(Source):
                def read(self, address: int, size: int) -> bytes:
                    place = address - BASE
                    if not 0 <= place <= place + size <= len(data):
                        raise Fault("%#x" % address)
                    return bytes(data[place : place + size])

            self._ends(lambda: Image(Picture(), BASE).symbol("_PyRuntime"))

    def test_tables_without_end_are_left_soon(self) -> None:
        for tag in (5, 0x6FFFFEF5, 4):
            source = Endless(tag)
            began = time.monotonic()
            for _ in range(50):
                try:
                    self.assertIsNone(Image(source, BASE).symbol("_PyRuntime"))
                except KNOWN:
                    pass
            self.assertLess(time.monotonic() - began, 30)

    def test_self_check(self) -> None:
        for seed in range(200):
            for layout in layouts():
                check = SelfCheck(Lies(seed), layout, BASE + 4096, BASE, {1})
                self._ends(check.run)

    def test_no_batch_is_larger_than_the_cap(self) -> None:
        with self.assertRaises(Fault):
            Batch([(BASE, 1 << 30)])
        half = Batch([(BASE, 9 << 20)])
        with self.assertRaises(Fault):
            Batch.joined([half, half])

    def test_a_copy_names_what_it_does_not_hold(self) -> None:
        copy = Copy(bytes(range(32)), [(4096, 16, 0), (8192, 16, 16)])
        self.assertEqual(copy.read(8192, 4), bytes([16, 17, 18, 19]))
        for address, size in ((4096, 17), (4095, 1), (8208, 1), (0, 1)):
            with self.assertRaises(Miss) as caught:
                copy.read(address, size)
            self.assertEqual((caught.exception.address, caught.exception.size), (address, size))

    def test_frozen_pages_never_read_the_target(self) -> None:
        pages = Pages.frozen_with(None, b"a" * 4096, [1])
        self.assertEqual(pages.read(4096, 2), b"aa")
        with self.assertRaises(Fault):
            pages.read(8190, 4)
        self.assertEqual(pages.missing, {1, 2} - {1})


if __name__ == "__main__":
    unittest.main()
