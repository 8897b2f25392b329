"""Where a thread may be made to run source, and how its registers and stack are laid out for it."""

from __future__ import annotations

import ctypes
import struct
import sys
import unittest
from typing import Any, Callable, List

from .driver import AGENT

sys.path.insert(0, str(AGENT))

from pydebug_agent.inject import chain, points
from pydebug_agent.inject.registers import Unusable
from pydebug_agent.reader.memory import Fault, Source


class Bytes(Source):
    """Memory that holds the same bytes wherever it is read."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def read(self, address: int, size: int) -> bytes:
        if not self.content:
            raise Fault("nothing there")
        return self.content[:size].ljust(size, b"\0")


class Ending(Source):
    """Code before an instruction."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, address: int, size: int) -> bytes:
        return self._data[-size:]


def in_call(number: int, result: int = -512, **more: int) -> "dict[str, int]":
    """Return the registers of a thread that was interrupted in a system call."""
    found = {name: 0 for name in "rax rdi rsi rdx r10 r8 r9 rip rsp eflags ss".split()}
    found.update(orig_rax=number, rax=result & (1 << 64) - 1, cs=0x33, rip=0x1002, **more)
    return found


class Points(unittest.TestCase):
    CODE = Bytes(b"\x0f\x05")

    def test_a_wait_is_begun_again(self) -> None:
        point = points.find(in_call(0), self.CODE, None)
        registers = point.registers
        self.assertEqual(("read", 0x1000, 0, False), (point.place, registers["rip"], registers["rax"], point.timed))

    def test_a_wait_that_cannot_be_begun_again_ends_as_any_stop_ends_it(self) -> None:
        point = points.find(in_call(232, -4), self.CODE, None)
        self.assertEqual((0x1002, -4 & (1 << 64) - 1), (point.registers["rip"], point.registers["rax"]))

    def test_a_timeout_that_would_start_anew_is_known(self) -> None:
        self.assertTrue(points.find(in_call(7, -516, rdx=1000), self.CODE, None).timed)
        self.assertFalse(points.find(in_call(7, -516, rdx=0xFFFFFFFF), self.CODE, None).timed)
        self.assertFalse(points.find(in_call(230, -514, rsi=1), self.CODE, None).timed)
        self.assertFalse(points.find(in_call(230, -516, rsi=1), self.CODE, None).timed)
        self.assertTrue(points.find(in_call(230, -516, rsi=2), self.CODE, None).timed)

    def test_a_call_that_was_restarted_is_known_by_its_code(self) -> None:
        point = points.find(in_call(219, -516, rdx=1000), Ending(b"\xb8\x07\0\0\0\x0f\x05"), None)
        self.assertEqual(("poll", 7, True), (point.place, point.registers["rax"], point.timed))

    def test_where_its_code_does_not_tell_it_is_known_by_the_kernels_function(self) -> None:
        code = Ending(b"\x90\x90\x90\x90\x90\x0f\x05")
        there = in_call(219, -516, rdi=1, rdx=1000)
        line = b"219 0x1 0x0 0x3e8 0x0 0x0 0x0 %#x %#x" % (there["rsp"], there["rip"])
        known = (("do_sys_poll", 7), ("hrtimer_nanosleep", 230), ("futex_do_wait", 202), ("ep_poll", None))
        for function, number in known:
            before = points.restarted(line, function)
            if number is None:
                with self.assertRaises(Unusable):
                    points.find(there, code, None, before)
            else:
                self.assertEqual(number, points.find(there, code, None, before).registers["rax"])
        with self.assertRaises(Unusable):
            points.find({**there, "rip": there["rip"] + 8}, code, None, points.restarted(line, "do_sys_poll"))
        self.assertIsNone(points.restarted(b"7 0x1 0x0 0x0 0x0 0x0 0x0 0x1 0x2", "do_sys_poll"))
        self.assertIsNone(points.restarted(b"running", "0"))

    def test_a_call_that_a_stop_would_change_is_not_stopped_first(self) -> None:
        poll, forever = [7, 0x1000, 1, 5000], [7, 0x1000, 1, 0xFFFFFFFF]
        for call, timed, expected in (
            (poll, False, False),
            (poll, True, True),
            (forever, False, True),
            ([219], False, False),
            ([219], True, True),
            ([9, 0, 0, 0], True, False),
        ):
            self.assertEqual(expected, points.may_be_point(call, timed), (call, timed))

    def test_where_a_lock_may_be_held_is_no_point(self) -> None:
        refused: List[Callable[[], Any]] = [
            lambda: points.find(in_call(9), self.CODE, None),  # mmap: the allocator's
            lambda: points.find(in_call(202, rsi=0x80, rdx=2), self.CODE, None),  # a lock inside libc
            lambda: points.find(in_call(271, r10=0x5000), self.CODE, None),  # ppoll with signals of its own
            # Restarted, and not known which or not one of those.
            lambda: points.find(in_call(219), Bytes(b"\x90\x90\x90\x90\x90\x0f\x05"), None),
            lambda: points.find(in_call(219), Bytes(b"\xb8\x09\0\0\0\x0f\x05"), None),
            lambda: points.find(in_call(0), Bytes(b"\x90\x90"), None),
            lambda: points.find(in_call(0), Bytes(b""), None),
            lambda: points.find({**in_call(-1 & (1 << 64) - 1), "rip": 0x5000}, self.CODE, (0x1000, 0x2000)),
            lambda: points.find({**in_call(0), "cs": 0x23}, self.CODE, None),
        ]
        for find in refused:
            with self.assertRaises(Unusable):
                find()

    def test_the_eval_loop_is_one(self) -> None:
        registers = {**in_call(-1 & (1 << 64) - 1), "rip": 0x1500}
        self.assertEqual(points.EVAL_LOOP, points.find(registers, self.CODE, (0x1000, 0x2000)).place)


class Frames(unittest.TestCase):
    def test_the_vector_registers_are_laid_out_as_the_kernel_does(self) -> None:
        sizes = chain.sizes_here()
        self.assertGreaterEqual(sizes.size, 576)
        self.assertEqual(3, sizes.features & 3)
        state = chain.floating(bytes(sizes.size + 4096), sizes)
        self.assertEqual(sizes.size + 4, len(state))
        self.assertEqual(sizes.size, struct.unpack_from("<I", state, 464 + 16)[0])

    def test_a_call_finds_its_stack_aligned_and_the_next_frame_behind_its_return_address(self) -> None:
        sizes = chain.Sizes(7, 832)
        names = "r8 r9 r10 r11 r12 r13 r14 r15 rdi rsi rbp rbx rdx rax rcx rip eflags cs ss".split()
        registers = {name: 7 for name in names}
        registers["rsp"] = 0x7FFF00001234
        calls = [chain.Call(0x1111, (1, 2)), chain.Call(0x2222, ())]
        made = chain.build(calls, 0xABCD, registers, 0, bytes(832), sizes, reserved=64)
        self.assertLessEqual(made.address + len(made.content), registers["rsp"] - 128 - 64)
        place = made.stack - made.address
        for call in calls:
            stack = struct.unpack_from("<Q", made.content, place + 40 + 15 * 8)[0]
            self.assertEqual(call.function, struct.unpack_from("<Q", made.content, place + 40 + 16 * 8)[0])
            self.assertEqual(8, stack % 16)
            self.assertEqual(0xABCD, struct.unpack_from("<Q", made.content, stack - made.address)[0])
            place = stack + 8 - made.address
        self.assertEqual(registers["rsp"], struct.unpack_from("<Q", made.content, place + 40 + 15 * 8)[0])
        state = struct.unpack_from("<Q", made.content, place + 224)[0]
        self.assertEqual(0, state % 64)

    def test_ctypes_is_as_it_was(self) -> None:
        chain.sizes_here()
        self.assertEqual(0, ctypes.CDLL(None).abs(0))


if __name__ == "__main__":
    unittest.main()
