"""The walk along a thread's Python frames, why it is off a processor, and what the kernel keeps of both."""

from __future__ import annotations

from ..reader.layouts import GIL_BYTES
from .asm import R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10, Reg
from .records import (
    FLAG_BROKEN,
    FLAG_FIRST_ZERO,
    FLAG_SECOND_ZERO,
    FLAG_TRUNCATED,
    FRAME_AREA,
    FRAME_BYTES,
    IDENTITY_AREA,
    IDENTITY_BYTES,
    KEY_CALL,
    KEY_HASH,
    KEY_REASON,
    LARGEST_FRAME,
    MIX,
    REASON_CALL,
    REASON_FAULT,
    REASON_GIL,
    REASON_PREEMPTED,
    REASON_RUNNABLE,
    REASON_STOPPED,
    RECORD_DEPTH,
    RECORD_KEY,
    STACK_FRAMES,
)
from .task_program import (
    AREA,
    FLAGS,
    GIL,
    HASH,
    RING_OUTPUT,
    RUN_STATE,
    STATE,
    TASK_REGISTERS,
    TaskProgram,
    UPDATE,
    WORD,
)

_KERNEL_WORKERS = 0x10 | 0x4000 | 0x200000  # PF_IO_WORKER, PF_USER_WORKER, PF_KTHREAD, the same file
_NO_WAKEUP = 1  # BPF_RB_NO_WAKEUP: who reads the ring looks by a clock of its own
_STOPPED = 0x4 | 0x8  # __TASK_STOPPED, __TASK_TRACED of include/linux/sched.h
_CALL_MASK = 0xFFF


class Program(TaskProgram):
    """A program that samples: it walks the frames of the task in R6 into the area in R7."""

    def walk(self) -> None:
        """Put the frames of the thread into the scratch area, innermost first, and their hash into the key."""
        self.store(R10, STATE, 0)
        self.store(R10, FLAGS, 0)
        self.set(R1, MIX)
        self.store(R10, HASH, Reg(R1))
        self.set(R9, 0)
        # A worker of the kernel's has the thread pointer of the thread that asked for it, but no stack of its own.
        self.load(R1, R6, self.machine.task["flags"], 4)
        self.jump_if(R1, "&", _KERNEL_WORKERS, "walk.done")
        # The register for thread-local storage, as the task keeps it; at a distance that was found in the target stands
        # the pointer to the thread state. A thread without one runs no Python.
        self.load(R8, R6, self.machine.pointer)
        self.pointer(R8, "thread_pointer", "walk.done")
        self.jump_if(R8, "==", 0, "walk.done")
        self.store(R10, STATE, Reg(R8))
        # thread->frame, or thread->cframe->current_frame where 3.11 and 3.12 have it (inner_frame, else -1).
        self.pointer(R8, "frame_pointer", "walk.broken")
        self.field(R1, "inner_frame")
        self.jump_if(R1, "s<", 0, "walk.frame")
        self.pointer(R8, "inner_frame", "walk.broken")
        # R8 is the frame, R9 how many there are before it. All that is wanted of one is read at once.
        self.label("walk.frame")
        self.jump_if(R8, "==", 0, "walk.done")
        self.jump_if(R9, ">=", self.depth, "walk.truncated")
        self.set(R1, Reg(R7))
        self.do("+", R1, FRAME_AREA)
        # The verifier wants to see a bound of every length and place, though none is larger.
        self.field(R2, "frame_size")
        self.do("&", R2, LARGEST_FRAME - 1)
        self.field(R3, "frame_low")
        self.do("+", R3, Reg(R8))
        self.read_user()
        self.jump_if(R0, "!=", 0, "walk.broken")
        self._frame_field(R4, "code")
        self._frame_field(R5, "owner", 1)
        self._frame_field(R8, "previous")
        # Code objects lie at multiples of eight: the frame's kind takes the bits that are free.
        self.do("&", R4, -8)
        self.do("&", R5, 7)
        self.do("|", R4, Reg(R5))
        self._frame_field(R5, "instruction")
        self._frame_place(R2)
        # Kept of a frame: code object and kind, the instruction, and the code object's identity.
        self.store(R2, STACK_FRAMES, Reg(R4))
        self.store(R2, STACK_FRAMES + 8, Reg(R5))
        self._identify()
        self._frame_place(R2)
        # The stack's hash, by which it is found again, takes in all three.
        self.load(R3, R10, HASH)
        self.set(R5, MIX)
        for offset in range(0, FRAME_BYTES, 8):
            self.load(R4, R2, STACK_FRAMES + offset)
            self._mix(R3, R4, R5, R1)
        self.store(R10, HASH, Reg(R3))
        self.do("+", R9, 1)
        self.jump("walk.frame")
        self.label("walk.truncated")
        self.store(R10, FLAGS, FLAG_TRUNCATED)
        self.jump("walk.done")
        self.label("walk.broken")
        # Half a stack would be taken for a whole one.
        self.store(R10, FLAGS, FLAG_BROKEN)
        self.store(R10, HASH, 0)
        self.set(R9, 0)
        self.label("walk.done")
        self.store(R7, RECORD_DEPTH, Reg(R9), 4)
        self.copy(R7, RECORD_KEY + KEY_HASH, R10, HASH)

    def _identify(self) -> None:
        """Hash what tells the frame's code object (R4) from another that lies at its address later.

        Without a branch: the verifier follows each path of each turn of the loop to its end. What cannot be read is
        zeros, and its hash no code object's.
        """
        self.do("&", R4, -8)
        self.set(R1, Reg(R7))
        self.do("+", R1, IDENTITY_AREA)
        self.set(R2, IDENTITY_BYTES)
        self.field(R3, "identity")
        self.do("+", R3, Reg(R4))
        self.read_user()
        self.set(R3, MIX)
        self.set(R5, MIX)
        for offset in range(0, IDENTITY_BYTES, 8):
            self.load(R4, R7, IDENTITY_AREA + offset)
            self._mix(R3, R4, R5, R1)
        self._frame_place(R2)
        self.store(R2, STACK_FRAMES + 16, Reg(R3))

    def _frame_place(self, to: int) -> None:
        """``to`` = where the frame of R9 goes, less the beginning of the frames. R1 is used."""
        self.set(R1, Reg(R9))
        self.do("*", R1, FRAME_BYTES)
        self.set(to, Reg(R7))
        self.do("+", to, Reg(R1))

    def _mix(self, value: int, word: int, factor: int, by: int) -> None:
        """value = (value ^ word) * factor, and its upper half into the lower."""
        self.do("^", value, Reg(word))
        self.do("*", value, Reg(factor))
        self.set(by, Reg(value))
        self.do(">>", by, 32)
        self.do("^", value, Reg(by))

    def _frame_field(self, to: int, name: str, size: int = 8) -> None:
        """``to`` = a field of the frame that was read; the verifier wants its place bounded."""
        self.field(R1, name)
        self.do("&", R1, LARGEST_FRAME - 1 if size == 1 else LARGEST_FRAME - 8)
        self.set(R2, Reg(R7))
        self.do("+", R2, Reg(R1))
        self.load(to, R2, FRAME_AREA, size)

    def find_gil(self, none: str) -> None:
        """Keep the address of the lock of the thread's interpreter; its thread state is in a slot."""
        known = self.fresh("gil")
        self.load(R8, R10, STATE)
        self.jump_if(R8, "==", 0, none)
        # Up to 3.11 there is one, at a fixed place; from 3.12 on it is thread->interp->ceval.gil.
        self.field(R1, "fixed_gil")
        self.store(R10, GIL, Reg(R1))
        self.jump_if(R1, "!=", 0, known)
        self.pointer(R8, "interpreter", none)
        self.pointer(R8, "gil", none)
        self.jump_if(R8, "==", 0, none)
        self.store(R10, GIL, Reg(R8))
        self.label(known)

    def find_reason(self) -> None:
        """Put into the key why the task is off its processor, by its registers and the state in a slot."""
        machine = self.machine
        self.store(R7, RECORD_KEY + KEY_CALL, 0, 4)
        self.set(R1, Reg(R6))
        self.call(TASK_REGISTERS)
        # orig_ax, or syscallno of arm64, which is four bytes: -1 where the task is in no call.
        self.load(R8, R0, machine.call, machine.call_bytes)
        if machine.call_bytes == 4:
            self.do("<<", R8, 32)
            self.do("s>>", R8, 32)
        self.load(R5, R0, machine.first)
        self.load(R4, R0, machine.second)
        self.store(R10, AREA, Reg(R5))
        # State 0 is TASK_RUNNING: it would go on. Out of a call it was pushed aside, in one it had not slept yet.
        self.load(R1, R10, RUN_STATE)
        self.jump_if(R1, "!=", 0, "asleep")
        self.set(R9, REASON_PREEMPTED)
        self.jump_if(R8, "s<", 0, "reason")
        self.set(R9, REASON_RUNNABLE)
        self.jump("reason")
        self.label("asleep")
        self.set(R9, REASON_STOPPED)
        self.jump_if(R1, "&", _STOPPED, "reason")
        # Asleep outside of a call: a page is being fetched.
        self.set(R9, REASON_FAULT)
        self.jump_if(R8, "s<", 0, "reason")
        self.set(R9, REASON_CALL)
        self.do("&", R8, _CALL_MASK)
        self.store(R7, RECORD_KEY + KEY_CALL, Reg(R8), 4)
        self._argument(R5, FLAG_FIRST_ZERO)
        self._argument(R4, FLAG_SECOND_ZERO)
        # futex, whose first argument is an address: in the GIL's lock or elsewhere (unsigned, so below it is above).
        self.jump_if(R8, "!=", self.futex, "reason")
        self.find_gil("reason")
        self.load(R1, R10, AREA)
        self.load(R2, R10, GIL)
        self.do("-", R1, Reg(R2))
        self.jump_if(R1, ">=", GIL_BYTES, "reason")
        self.set(R9, REASON_GIL)
        self.label("reason")
        self.set_reason(R9)

    def _argument(self, register: int, flag: int) -> None:
        # Whether the lower half is 0, such as a poll's number of descriptors: ints, or of no interest.
        given = self.fresh("given")
        self.do("<<", register, 32)
        self.jump_if(register, "!=", 0, given)
        self.do("|", R9, flag)
        self.label(given)

    def set_reason(self, reason: int) -> None:
        """Put the reason, with what the walk has to say, into the key; ``reason`` is a register."""
        self.load(R1, R10, FLAGS)
        self.do("|", R1, Reg(reason))
        self.store(R7, RECORD_KEY + KEY_REASON, Reg(R1), 4)

    def add_sample(self, done: str) -> None:
        """Count the stack in the scratch area; at its first time it goes through the ring."""
        hit, lost = self.fresh("hit"), self.fresh("lost")
        self._send_new(1, hit, lost)
        self.jump(done)
        self.label(lost)
        self.count_one("lost")
        self.jump(done)
        self.label(hit)
        self.set(R1, 1)
        self.atomic_add(R0, 0, R1)
        self.jump(done)

    def send_stack(self) -> None:
        """Let the stack in the scratch area go through the ring, where it has not yet."""
        sent, lost = self.fresh("sent"), self.fresh("lost")
        self._send_new(0, sent, lost)
        self.jump(sent)
        self.label(lost)
        self.count_one("lost")
        self.label(sent)

    def _send_new(self, samples: int, hit: str, lost: str) -> None:
        self.lookup(self.maps.stacks, R7, RECORD_KEY)
        self.jump_if(R0, "!=", 0, hit)
        # The record goes out first: a stack is in the map only once who reads can know it.
        self.load(R3, R7, RECORD_DEPTH, 4)
        self.jump_if(R3, ">", self.depth, lost)
        self.do("*", R3, FRAME_BYTES)
        self.do("+", R3, STACK_FRAMES)
        self.map(R1, self.maps.ring)
        self.set(R2, Reg(R7))
        self.set(R4, _NO_WAKEUP)
        self.call(RING_OUTPUT)
        self.jump_if(R0, "!=", 0, lost)
        self.store(R10, WORD, samples)
        self.map(R1, self.maps.stacks)
        self.set(R2, Reg(R7))
        self.do("+", R2, RECORD_KEY)
        self.set(R3, Reg(R10))
        self.do("+", R3, WORD)
        self.set(R4, 0)
        self.call(UPDATE)
        self.jump_if(R0, "!=", 0, lost)
