"""The program that looks at every thread of a process, and proves that those it reads did not run meanwhile."""

from __future__ import annotations

from .asm import R0, R1, R2, R4, R5, R6, R7, R8, R10, Reg
from .records import KEY_HASH, KEY_REASON, RECORD_KEY, THREAD
from .task_program import NOW, READ_TASKS_USER, RUN_STATE, TURNS
from .walk import Program


class IteratorProgram(Program):
    """Runs once for each thread at each pass, and may sleep to get at the target's memory."""

    def read_user(self) -> None:
        self.set(R4, Reg(R6))
        self.set(R5, 0)
        self.call(READ_TASKS_USER)

    def build(self) -> bytes:
        """Return the program."""
        task = self.machine.task
        self.load(R6, R1, 8)
        self.jump_if(R6, "==", 0, "out")
        self.find_target("out")
        self.leave_if_ended("out")
        self.load(R1, R6, task["exit_state"], 4)
        self.jump_if(R1, "!=", 0, "out")
        self.set(R0, 0)
        self.scratch(self.maps.iterator_scratch, "out")
        self.make_entry(R7, RECORD_KEY, "full")
        self.set(R8, Reg(R0))
        self.call(NOW)
        self.store(R8, THREAD["time"], Reg(R0))
        self._one_more(R8, "reads")
        # The turns, whether it is on a processor, all that is read, and the turns again.
        self.copy(R10, TURNS, R6, self.machine.turns)
        self.load(R1, R6, task["on_cpu"], 4)
        self.jump_if(R1, "!=", 0, "running")
        self.load(R1, R6, task["__state"], 4)
        self.store(R10, RUN_STATE, Reg(R1))
        self._same_as_before()
        self.label("look")
        self.counters(R8, "")
        self.name_thread(R8)
        self.walk()
        self.find_reason()
        self.load(R1, R10, TURNS)
        self.load(R2, R6, self.machine.turns)
        self.jump_if(R1, "!=", Reg(R2), "moved")
        self._remember()
        if self.maps.open >= 0:
            self._open_first()
        self.add_sample("out")
        self.label("running")
        self.counters(R8, "")
        self.name_thread(R8)
        self._one_more(R8, "on_cpu")
        self.jump("out")
        self.label("moved")
        # Looked up anew: the walk may sleep, and the thread end and its entry be another's meanwhile.
        self.lookup(self.maps.threads, R7, RECORD_KEY)
        self.jump_if(R0, "==", 0, "out")
        self._one_more(R0, "moved")
        self.jump("out")
        self.label("full")
        self.count_one("lost")
        self.label("out")
        self.end()
        return self.code()

    def _same_as_before(self) -> None:
        """A thread that has not run since it was last proven is where it was, as are its counters. R8 is its entry."""
        self.jump_if(R1, "==", 0, "look")
        self.load(R1, R10, TURNS)
        self.load(R2, R8, THREAD["proven_turns"])
        self.jump_if(R1, "!=", Reg(R2), "look")
        self.copy(R7, RECORD_KEY + KEY_HASH, R8, THREAD["proven_hash"])
        self.copy(R7, RECORD_KEY + KEY_REASON, R8, THREAD["proven_reason"])
        self.lookup(self.maps.stacks, R7, RECORD_KEY)
        # Its counts were taken meanwhile: the stack has to come anew.
        self.jump_if(R0, "==", 0, "look")
        self.set(R1, 1)
        self.atomic_add(R0, 0, R1)
        self.jump("out")

    def _open_first(self) -> None:
        """A thread that waited already when its switches began to be seen."""
        open_ = self.fresh("open")
        self.lookup(self.maps.open, R7, RECORD_KEY)
        self.jump_if(R0, "!=", 0, open_)
        self.open_wait(R7, RECORD_KEY)
        self.label(open_)

    def _remember(self) -> None:
        gone = self.fresh("gone")
        self.lookup(self.maps.threads, R7, RECORD_KEY)
        self.jump_if(R0, "==", 0, gone)
        self.copy(R0, THREAD["proven_turns"], R10, TURNS)
        self.copy(R0, THREAD["proven_hash"], R7, RECORD_KEY + KEY_HASH)
        self.copy(R0, THREAD["proven_reason"], R7, RECORD_KEY + KEY_REASON)
        self.label(gone)

    def _one_more(self, entry: int, name: str) -> None:
        self.load(R2, entry, THREAD[name])
        self.do("+", R2, 1)
        self.store(entry, THREAD[name], Reg(R2))
