"""The program that takes every single wait: it runs in a thread of the target each time that leaves its processor."""

from __future__ import annotations

from .asm import R0, R1, R2, R3, R4, R6, R7, R8, R9, R10, Reg
from .records import (
    KEY_HASH,
    KEY_REASON,
    OPEN,
    RECORD_KEY,
    THREAD_KEY,
    WAIT_BLOCKED,
    WAIT_COUNT,
    WAIT_ENTRY,
    WAIT_LONGEST,
)
from .task_program import AREA, BEGAN, CURRENT_TASK, KEY_AREA, NOW, PROCESSOR, RUN_STATE, TURNS, UPDATE
from .walk import Program


class SwitchProgram(Program):
    """Ends the wait that began when the thread left its processor before, and begins the next.

    What lies between two switches is the wait, the time in the queue and the time on the processor. The kernel counts
    the last two, so what is left is the wait.
    """

    def build(self) -> bytes:
        """Return the program."""
        self.call(CURRENT_TASK)
        self.set(R6, Reg(R0))
        self.load(R1, R6, self.machine.task["mm"])
        self.jump_if(R1, "==", 0, "out")
        self.find_target("out")
        self.leave_if_ended("out")
        self.call(NOW)
        self.store(R10, BEGAN, Reg(R0))
        self.call(PROCESSOR)
        self.scratch(self.maps.scratch, "out")
        self.lookup(self.maps.open, R7, RECORD_KEY)
        self.jump_if(R0, "==", 0, "open")
        self.set(R9, Reg(R0))
        # Two events may be on one thread: on the one that it inherited comes ours.
        self.switches(R1, R2)
        self.load(R2, R9, OPEN["switches"])
        self.jump_if(R1, "==", Reg(R2), "out")
        self._close()
        self.label("open")
        self.count_one("switches")
        self.load(R1, R6, self.machine.task["__state"], 4)
        self.store(R10, RUN_STATE, Reg(R1))
        self.walk()
        self.find_reason()
        self.send_stack()
        self.open_wait(R7, RECORD_KEY)
        self.label("out")
        self.end()
        return self.code()

    def _close(self) -> None:
        """R9 is the open wait."""
        for offset in range(0, THREAD_KEY.size, 8):
            self.copy(R10, KEY_AREA + offset, R7, RECORD_KEY + offset)
        self.copy(R10, KEY_AREA + KEY_HASH, R9, OPEN["hash"])
        self.copy(R10, KEY_AREA + KEY_REASON, R9, OPEN["reason"])
        self.load(R8, R10, BEGAN)
        self.load(R1, R9, OPEN["time"])
        self.do("-", R8, Reg(R1))
        for name, place in (("cpu", self.machine.cpu), ("delay", self.machine.delay)):
            self.load(R1, R6, place)
            self.load(R2, R9, OPEN[name])
            self.do("-", R1, Reg(R2))
            self.do("-", R8, Reg(R1))
        self.jump_if(R8, "s>=", 0, "blocked")
        self.set(R8, 0)
        self.label("blocked")
        self.store(R10, TURNS, Reg(R8))
        self.lookup(self.maps.waits, R10, KEY_AREA)
        self.jump_if(R0, "!=", 0, "known")
        for offset in range(0, WAIT_ENTRY.size, 8):
            self.store(R10, AREA + offset, 0)
        self.map(R1, self.maps.waits)
        self.set(R2, Reg(R10))
        self.do("+", R2, KEY_AREA)
        self.set(R3, Reg(R10))
        self.do("+", R3, AREA)
        self.set(R4, 0)
        self.call(UPDATE)
        self.lookup(self.maps.waits, R10, KEY_AREA)
        self.jump_if(R0, "!=", 0, "known")
        self.count_one("lost")
        self.jump("open")
        self.label("known")
        self.load(R8, R10, TURNS)
        for place, by in ((WAIT_COUNT, None), (WAIT_BLOCKED, R8)):
            self.load(R1, R0, place)
            self.do("+", R1, 1 if by is None else Reg(by))
            self.store(R0, place, Reg(R1))
        self.load(R1, R0, WAIT_LONGEST)
        self.jump_if(R1, ">=", Reg(R8), "open")
        self.store(R0, WAIT_LONGEST, Reg(R8))
