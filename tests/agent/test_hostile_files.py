"""Programs and maps that say of themselves whatever they like.

A question about them ends, stays small, and is right.
"""

from __future__ import annotations

import os
import random
import resource
import struct
import sys
import tempfile
import time
import unittest
from typing import List, Optional, Sequence, Tuple

from .driver import AGENT, failures, results
from .pod import PodTest

sys.path.insert(0, str(AGENT)) if str(AGENT) not in sys.path else None

from pydebug_agent.system import elf_file
from pydebug_agent.system.errors import AgentError
from pydebug_agent.system.proc import Proc
from pydebug_agent.reader.locate import Locator

DEBIAN = "/usr/bin/python3"
SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB, SHT_DYNSYM = 1, 2, 3, 11
GIB = 1 << 30
# Of wall time, on a machine that does other things as well; it is some tenths.
SOON = 30.0

Section = Tuple[bytes, int, int, int, int, int]  # name, kind, offset, size, link, entry


class Program:
    """An ELF file of given sections, with holes where nothing is written."""

    def __init__(self, sections: Sequence[Section], pieces: Sequence[Tuple[int, bytes]], size: int) -> None:
        self.file = tempfile.TemporaryFile()
        names = b"\0" + b"\0".join(section[0] for section in sections) + b"\0.shstrtab\0"
        table = size + len(names)
        heads: List[bytes] = []
        for name, kind, offset, length, link, entry in (*sections, (b".shstrtab", SHT_STRTAB, size, len(names), 0, 0)):
            heads.append(struct.pack(
                "<IIQQQQIIQQ", names.index(b"\0" + name + b"\0") + 1, kind, 0, 0, offset, length, link, 0, 1, entry
            ))
        header = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack(
            "<HHIQQQIHHHHHH", 2, 62, 1, 0, 0, table, 0, 64, 56, 0, 64, len(heads), len(heads) - 1
        )
        for place, data in ((0, header), *pieces, (size, names), (table, b"".join(heads))):
            os.pwrite(self.file.fileno(), data, place)

    def inspect(self, minor: Optional[int] = None, budget: Optional[elf_file.Budget] = None) -> elf_file.Image:
        try:
            return elf_file.inspect(self.file.fileno(), minor, budget)
        finally:
            self.file.close()


class Programs(unittest.TestCase):
    def soon(self, program: Program, minor: Optional[int] = None) -> elf_file.Image:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.monotonic()
        image = program.inspect(minor)
        self.assertLess(time.monotonic() - began, SOON)
        self.assertLess(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, 24 << 10, "KiB")
        return image

    def test_a_table_of_symbols_that_fills_the_file(self) -> None:
        strings = b"\0_PyRuntime\0"
        sections = [
            (b".dynstr", SHT_STRTAB, 4096, len(strings), 0, 0),
            (b".dynsym", SHT_DYNSYM, 8192, GIB - 8192, 0, 24),
        ]
        self.assertFalse(self.soon(Program(sections, [(4096, strings)], GIB)).python)

    def test_names_without_end(self) -> None:
        sections = [(b".dynstr", SHT_STRTAB, 4096, 1 << 40, 0, 0), (b".dynsym", SHT_DYNSYM, 4096, 24 << 20, 0, 24)]
        self.assertFalse(self.soon(Program(sections, [], GIB)).python)

    def test_thousands_of_sections_that_are_one(self) -> None:
        strings = b"\0_PyRuntime\0"
        sections: List[Section] = [(b".dynstr", SHT_STRTAB, 4096, len(strings), 0, 0)]
        sections += [(b".x", SHT_SYMTAB, 8192, 16 << 20, 0, 24)] * 4000
        self.assertFalse(self.soon(Program(sections, [(4096, strings)], 64 << 20)).python)

    def test_constants_that_all_look_like_versions(self) -> None:
        symbols = struct.pack("<IBBHQQ", 1, 0, 0, 1, 0, 0)
        strings = b"\0Py_Main\0"
        for text in (b"3.1.1\0", b"3.", b"cpython-3"):
            sections = [
                (b".dynstr", SHT_STRTAB, 4096, len(strings), 0, 0),
                (b".dynsym", SHT_DYNSYM, 8192, 24, 0, 24),
                (b".rodata", SHT_PROGBITS, 1 << 16, 64 << 20, 0, 0),
            ]
            pieces = [(4096, strings), (8192, symbols), (1 << 16, text * ((16 << 20) // len(text)))]
            with self.subTest(text=text):
                image = self.soon(Program(sections, pieces, 80 << 20), 11)
                self.assertEqual((True, None), (image.python, image.version))

    def test_what_lies_across_two_windows_is_found_once(self) -> None:
        symbols = struct.pack("<IBBHQQ", 1, 0, 0, 1, 0, 0)
        strings = b"\0Py_Main\0"
        for shift in range(-12, 3):
            sections = [
                (b".dynstr", SHT_STRTAB, 4096, len(strings), 0, 0),
                (b".dynsym", SHT_DYNSYM, 8192, 24, 0, 24),
                (b".rodata", SHT_PROGBITS, 1 << 16, 2 * elf_file._WINDOW, 0, 0),
            ]
            start = (1 << 16) + elf_file._WINDOW + shift
            pieces = [(4096, strings), (8192, symbols), (start, b"\x003.10.12\0")]
            with self.subTest(shift=shift):
                self.assertEqual("3.10.12", Program(sections, pieces, 4 << 20).inspect().version)
        # Part of a longer number, of which the window before has the beginning.
        pieces[2] = ((1 << 16) + elf_file._WINDOW - 1, b"13.10.12\0")
        self.assertIsNone(Program(sections, pieces, 4 << 20).inspect().version)

    def test_symbols_in_a_later_window(self) -> None:
        strings = bytes(elf_file._WINDOW - 5) + b"\0_PyRuntime\0"
        count = elf_file._WINDOW // 24 + 7
        symbols = bytes(24 * count) + struct.pack("<IBBHQQ", elf_file._WINDOW - 4, 0, 0, 1, 0, 0)
        place = 8192 + len(strings)
        sections = [
            (b".dynstr", SHT_STRTAB, 8192, len(strings), 0, 0), (b".dynsym", SHT_DYNSYM, place, len(symbols), 0, 24)
        ]
        self.assertTrue(Program(sections, [(8192, strings), (place, symbols)], 4 << 20).inspect().python)

    def test_noise_in_a_real_one(self) -> None:
        with open(os.path.realpath(DEBIAN), "rb") as file:
            real = file.read()
        chance = random.Random(20261130)
        table = struct.unpack_from("<Q", real, 0x28)[0]
        for _ in range(150):
            noisy = bytearray(real)
            for _ in range(8):
                place = chance.choice((chance.randrange(64), chance.randrange(table, len(real))))
                noisy[place] = chance.randrange(256)
            with tempfile.TemporaryFile() as file:
                file.write(noisy)
                file.flush()
                self.assertIsInstance(elf_file.inspect(file.fileno()), elf_file.Image)

    def test_a_question_reads_so_much_and_no_more(self) -> None:
        strings = b"\0_PyRuntime\0"
        sections = [(b".dynstr", SHT_STRTAB, 4096, len(strings), 0, 0), (b".dynsym", SHT_DYNSYM, 8192, 16 << 20, 0, 24)]
        budget = elf_file.Budget(most=40 << 20)
        for spent in (False, False, True):
            Program(sections, [(4096, strings)], 20 << 20).inspect(budget=budget)
            self.assertEqual(spent, budget.spent)

    def test_it_ends_where_nobody_waits_any_more(self) -> None:
        def check() -> None:
            raise AgentError("Cancelled", "")

        with self.assertRaises(AgentError):
            Program([], [], 4096).inspect(budget=elf_file.Budget(check))


class Maps(unittest.TestCase):
    def proc(self, lines: int, path: str) -> Proc:
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        os.mkdir(f"{place.name}/7")
        with open(f"{place.name}/7/maps", "w", encoding="ascii") as file:
            for number in range(lines):
                file.write("%x-%x rw-p 00000000 00:00 0 %s\n" % (number << 13, (number << 13) + 4096, path))
        return Proc(place.name)

    def test_as_many_as_a_process_may_have_are_read(self) -> None:
        self.assertEqual(65_530, len(self.proc(65_530, "/usr/lib/x.so").maps(7)))

    def test_more_are_refused_and_not_taken_for_all(self) -> None:
        for lines, path in ((300_000, ""), (9_000, "/" + "x" * 4000)):
            proc = self.proc(lines, path)
            with self.subTest(lines=lines), self.assertRaises(OSError):
                proc.maps(7)
            with self.subTest(lines=lines), self.assertRaises(AgentError) as raised:
                Locator(None, proc, 7)
            self.assertEqual("UnsupportedPython", raised.exception.cause)


class InAPod(PodTest):
    RUN = """
import os, shutil, struct, subprocess, time, signal
import sys
shutil.copy("/usr/bin/sleep", "/tmp/crafted"); os.chmod("/tmp/crafted", 0o755)
with open("/tmp/crafted", "r+b") as file:
    start = os.fstat(file.fileno()).st_size + 64
    names = b"\\0.dynstr\\0_PyRuntime\\0"
    os.pwrite(file.fileno(), names, start)
    heads = start + 4096
    os.ftruncate(file.fileno(), (1023 << 20))
    table = struct.pack("<IIQQQQIIQQ", 1, 3, 0, 0, start, len(names), 0, 0, 1, 0)
    table += struct.pack("<IIQQQQIIQQ", 1, 11, 0, 0, heads + 4096, 0x3fc00000, 0, 0, 8, 24)
    os.pwrite(file.fileno(), table, heads)
    os.pwrite(file.fileno(), struct.pack("<Q", heads), 0x28)
    os.pwrite(file.fileno(), struct.pack("<HHH", 64, 2, 0), 0x3a)
for _ in range(6):
    subprocess.Popen(["/tmp/crafted", "1d"])
open("/tmp/made", "w").close()
while True: signal.pause()
"""

    def test_programs_that_were_crafted_keep_nobody_from_an_answer(self) -> None:
        pod = self.pod(DEBIAN, "-c", self.RUN, setup="mount -t tmpfs tmpfs /tmp")
        keeper = pod.kept()
        until = time.monotonic() + 60
        while not os.path.exists(f"/proc/{pod.host_pid}/root/tmp/made") and time.monotonic() < until:
            time.sleep(0.05)
        began = time.monotonic()
        with pod.agent(beside=keeper) as agent:
            frames = agent.ask("stack")
        self.assertEqual([], failures(frames))
        self.assertEqual([1], [entry["pid"] for entry in results(frames)])
        self.assertLess(time.monotonic() - began, SOON)


if __name__ == "__main__":
    unittest.main()
