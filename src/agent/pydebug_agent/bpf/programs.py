"""The program that samples threads on the processors, and those that see threads end and programs change."""

from __future__ import annotations

from .asm import R0, R1, R2, R3, R4, R6, R7, R8, R9, R10, Reg
from .records import (
    ENDED_BYTES,
    ENDED_THREAD,
    KEY_CALL,
    PROBE,
    REASON_CPU,
    REASON_CPU_GIL,
    RECORD_ENDED,
    RECORD_KEY,
    RECORD_KIND,
    RECORD_PROBE,
    TARGET,
    THREAD,
    THREAD_BYTES,
    THREAD_KEY,
)
from .task_program import (
    AREA,
    BEGAN,
    CURRENT_TASK,
    DELETE,
    GIL,
    KEY_AREA,
    NOW,
    PROCESSOR,
    RING_OUTPUT,
    RING_RESERVE,
    RING_SUBMIT,
    STATE,
    TARGET_SLOT,
    WORD,
)
from .walk import Program

# Where in the lock the holder's thread state stands, and behind it whether it is locked: ``last_holder`` and ``locked``
# of struct _gil_runtime_state in CPython's pycore_gil.h.
_GIL_HOLDER = 8
_HOLDER_BYTES = 16


class CpuProgram(Program):
    """Runs at each tick of a processor's clock, in whatever runs there."""

    def build(self) -> bytes:
        """Return the program."""
        # R6 is what runs; a thread of the kernel's has no memory of its own.
        self.call(CURRENT_TASK)
        self.set(R6, Reg(R0))
        self.load(R1, R6, self.machine.task["mm"])
        self.jump_if(R1, "==", 0, "out")
        self.find_target("out")
        self.leave_if_ended("out")
        self.call(NOW)
        self.store(R10, BEGAN, Reg(R0))
        # Each processor has its own area: nothing else runs there meanwhile.
        self.call(PROCESSOR)
        self.scratch(self.maps.scratch, "out")
        self.walk()
        self._reason()
        self.store(R7, RECORD_KEY + KEY_CALL, 0, 4)
        self.add_sample("done")
        self.label("done")
        self.call(NOW)
        # What this program takes of the target's time is counted, and bounded by who reads it.
        self.load(R2, R10, BEGAN)
        self.do("-", R0, Reg(R2))
        self.count("nanoseconds", R0)
        self.count_one("runs")
        self.label("out")
        self.end()
        return self.code()

    def _reason(self) -> None:
        """With the GIL where the lock is locked and this thread's state its holder; else without, as far as is seen."""
        self.set(R9, REASON_CPU)
        self.find_gil("reason")
        self.load(R3, R10, GIL)
        self.do("+", R3, _GIL_HOLDER)
        self.read(_HOLDER_BYTES, AREA)
        self.jump_if(R0, "!=", 0, "reason")
        self.load(R1, R10, AREA)
        self.load(R2, R10, STATE)
        self.jump_if(R1, "!=", Reg(R2), "reason")
        self.load(R1, R10, AREA + 8, 4)
        self.jump_if(R1, "==", 0, "reason")
        self.set(R9, REASON_CPU_GIL)
        self.label("reason")
        self.set_reason(R9)


class _Event(Program):
    """Runs at an event of the scheduler; the task is its first argument."""

    def begin(self) -> None:
        """Take the task and its process, and put the task's key to KEY_AREA."""
        self.load(R6, R1, 0)
        self.find_target("out")
        self.thread_key(R10, KEY_AREA)

    def finish(self) -> bytes:
        """Return the program."""
        self.label("out")
        self.end()
        return self.code()


class ExitProgram(_Event):
    """A thread ends: it is numbered and named for the last time."""

    def build(self) -> bytes:
        """Return the program."""
        self.begin()
        self.leave_if_ended("out")
        self.make_entry(R10, KEY_AREA, "full")
        self.set(R8, Reg(R0))
        self.call(NOW)
        self.store(R8, THREAD["exited"], Reg(R0))
        self.store(R8, THREAD["time"], Reg(R0))
        self.set(R9, Reg(R0))
        self.counters(R8, "")
        self.name_thread(R8)
        # task->signal->live counts the threads that have not ended: with the last one the process has.
        self.load(R1, R6, self.machine.task["signal"])
        self.load(R1, R1, self.machine.live, 4)
        self.jump_if(R1, "!=", 0, "out")
        self.load(R1, R10, TARGET_SLOT)
        self.store(R1, TARGET["ended"], Reg(R9))
        self.jump("out")
        self.label("full")
        self.count_one("lost")
        return self.finish()


class FreeProgram(_Event):
    """A thread that ended has left its processor for good: its counters are final, and its entry goes out."""

    def build(self) -> bytes:
        """Return the program."""
        self.begin()
        # Only one that ExitProgram has marked.
        self.lookup(self.maps.threads, R10, KEY_AREA)
        self.jump_if(R0, "==", 0, "out")
        self.set(R7, Reg(R0))
        self.load(R1, R7, THREAD["exited"])
        self.jump_if(R1, "==", 0, "out")
        self.counters(R7, "")
        self.map(R1, self.maps.ring)
        self.set(R2, ENDED_BYTES)
        self.set(R3, 0)
        self.call(RING_RESERVE)
        # Without room it stays in the map, where it is found at the end.
        self.jump_if(R0, "==", 0, "out")
        self.set(R8, Reg(R0))
        self.store(R8, RECORD_KIND, RECORD_ENDED)
        for offset in range(0, THREAD_KEY.size, 8):
            self.copy(R8, RECORD_KEY + offset, R10, KEY_AREA + offset)
        for offset in range(0, THREAD_BYTES, 8):
            self.copy(R8, ENDED_THREAD + offset, R7, offset)
        self.set(R1, Reg(R8))
        self.set(R2, 0)
        self.call(RING_SUBMIT)
        self.map(R1, self.maps.threads)
        self.set(R2, Reg(R10))
        self.do("+", R2, KEY_AREA)
        self.call(DELETE)
        return self.finish()


class ExecProgram(_Event):
    """The process becomes another program: nothing that it does from now on is the target's."""

    def build(self) -> bytes:
        """Return the program."""
        self.begin()
        self.leave_if_ended("out")
        self.call(NOW)
        self.set(R9, Reg(R0))
        self.load(R1, R10, TARGET_SLOT)
        self.store(R1, TARGET["ended"], Reg(R9))
        self.lookup(self.maps.threads, R10, KEY_AREA)
        self.jump_if(R0, "==", 0, "out")
        self.set(R7, Reg(R0))
        # Where another thread than the first did it, the first one's place is its own by now.
        self.load(R1, R7, THREAD["exited"])
        self.jump_if(R1, "!=", 0, "out")
        self.store(R7, THREAD["time"], Reg(R9))
        self.counters(R7, "")
        return self.finish()


class ProbeProgram(Program):
    """An iterator that tells what a process and its threads are called by the kernel."""

    def build(self) -> bytes:
        """Return the program."""
        machine = self.machine
        # struct bpf_iter__task: its second member is the task, none at the end.
        self.load(R6, R1, 8)
        self.jump_if(R6, "==", 0, "out")
        self.store(R10, AREA, RECORD_PROBE, 4)
        # A record: which kind, how deep its namespace is, its number in the first and in this one, when it began, and
        # its register for thread-local storage.
        self.load(R3, R6, machine.task["thread_pid"])
        self.jump_if(R3, "==", 0, "out")
        self.load(R1, R3, machine.level, 4)
        self.store(R10, AREA + 4, Reg(R1), 4)
        self.load(R1, R6, machine.task["tgid"], 4)
        self.store(R10, AREA + 8, Reg(R1), 4)
        self.visible(WORD, "out")
        self.load(R1, R10, WORD, 4)
        self.store(R10, AREA + 12, Reg(R1), 4)
        self.copy(R10, AREA + 16, R6, machine.task["start_time"])
        self.copy(R10, AREA + 24, R6, machine.pointer)
        self.map(R1, self.maps.ring)
        self.set(R2, Reg(R10))
        self.do("+", R2, AREA)
        self.set(R3, PROBE.size)
        self.set(R4, 0)
        self.call(RING_OUTPUT)
        self.label("out")
        self.end()
        return self.code()
