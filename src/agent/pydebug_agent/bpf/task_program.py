"""What the kernel programs share about tasks: their keys, counters, numbers and entries, and reads of the target."""

from __future__ import annotations

from typing import NamedTuple

from ..reader.waits import system_calls
from .asm import R0, R1, R2, R3, R4, R6, R7, R8, R10, Assembler, Reg
from .records import (
    AREA_HEAD,
    COMM_BYTES,
    KEY_HASH,
    KEY_REASON,
    KEY_START,
    KEY_TGID,
    KEY_TID,
    OPEN,
    RECORD_DEPTH,
    RECORD_KEY,
    RECORD_KIND,
    RECORD_STACK,
    TARGET,
    THREAD,
    THREAD_BYTES,
)
from .task_layout import Machine

# Helpers by the kernel's numbers, ___BPF_FUNC_MAPPER of include/uapi/linux/bpf.h: bpf_map_lookup_elem, _update_elem and
# _delete_elem, bpf_ktime_get_ns, bpf_probe_read_user and _kernel, bpf_ringbuf_output, _reserve and _submit,
# bpf_get_smp_processor_id, bpf_get_current_task_btf, bpf_task_pt_regs, bpf_copy_from_user_task.
# A call takes R1 to R5, answers in R0 and leaves R6 to R9 alone; R10 is the end of the program's stack of 512 bytes.
LOOKUP, UPDATE, DELETE, NOW = 1, 2, 3, 5
READ_USER, READ_KERNEL, RING_OUTPUT = 112, 113, 130
RING_RESERVE, RING_SUBMIT = 131, 132
PROCESSOR, CURRENT_TASK, TASK_REGISTERS, READ_TASKS_USER = 8, 158, 175, 191

# Slots of the program's stack.
WORD, INDEX, TARGET_SLOT, STATE, HASH, FLAGS, GIL, BEGAN, TURNS, RUN_STATE = range(-8, -88, -8)
AREA = -512  # for what is put together: a thread's entry, and behind it its key
KEY_AREA = AREA + THREAD_BYTES


class Maps(NamedTuple):
    """The descriptors of the maps; the last two only where every wait is taken."""

    targets: int
    threads: int
    stacks: int
    ring: int
    scratch: int
    iterator_scratch: int
    open: int = -1
    waits: int = -1


class TaskProgram(Assembler):
    """A program about tasks: R6 is the task, R7 the scratch area, its target's entry is kept in a slot."""

    def __init__(self, machine: Machine, maps: Maps, depth: int, level: int) -> None:
        super().__init__()
        self.machine = machine
        self.futex = next(number for number, name in system_calls().items() if name == "futex")
        self.maps = maps
        self.depth = depth
        self.level = level

    def lookup(self, map_: int, key: int = R10, offset: int = WORD) -> None:
        """R0 = the entry of the key at ``key`` + ``offset``, 0 for none."""
        self.map(R1, map_)
        self.set(R2, Reg(key))
        self.do("+", R2, offset)
        self.call(LOOKUP)

    def find_target(self, none: str) -> None:
        """Keep the entry of the task's process; leave where it is none of ours, or has become another program."""
        self.load(R1, R6, self.machine.task["tgid"], 4)
        self.store(R10, WORD, Reg(R1), 4)
        self.lookup(self.maps.targets)
        self.jump_if(R0, "==", 0, none)
        self.store(R10, TARGET_SLOT, Reg(R0))

    def leave_if_ended(self, label: str) -> None:
        """Leave where the target exited or became another program."""
        self.field(R1, "ended")
        self.jump_if(R1, "!=", 0, label)

    def field(self, to: int, name: str) -> None:
        """``to`` = a field of the target's entry."""
        self.load(to, R10, TARGET_SLOT)
        self.load(to, to, TARGET[name])

    def count(self, name: str, by: int) -> None:
        """Add the register ``by`` to a counter of the target."""
        self.load(R1, R10, TARGET_SLOT)
        self.atomic_add(R1, TARGET[name], by)

    def count_one(self, name: str) -> None:
        """Add 1 to a counter of the target."""
        self.set(R2, 1)
        self.count(name, R2)

    def thread_key(self, base: int, offset: int) -> None:
        """Put the key of the task to ``base`` + ``offset``."""
        task = self.machine.task
        self.load(R1, R6, task["tgid"], 4)
        self.store(base, offset + KEY_TGID, Reg(R1), 4)
        self.load(R1, R6, task["pid"], 4)
        self.store(base, offset + KEY_TID, Reg(R1), 4)
        self.copy(base, offset + KEY_START, R6, task["start_time"])

    def switches(self, to: int, by: int) -> None:
        """``to`` = how often the task left a processor."""
        self.load(to, R6, self.machine.task["nvcsw"])
        self.load(by, R6, self.machine.task["nivcsw"])
        self.do("+", to, Reg(by))

    def counters(self, base: int, prefix: str) -> None:
        """Put the task's counters as they are into a thread's entry at ``base``."""
        self.copy(base, THREAD[prefix + "cpu"], R6, self.machine.cpu)
        self.copy(base, THREAD[prefix + "delay"], R6, self.machine.delay)
        self.switches(R1, R2)
        self.store(base, THREAD[prefix + "switches"], Reg(R1))

    def name_thread(self, entry: int) -> None:
        """Put the task's name, and its number as this process sees it, into a thread's entry (a saved register)."""
        task = self.machine.task
        self.set(R1, Reg(entry))
        self.do("+", R1, THREAD["comm"])
        self.set(R2, COMM_BYTES)
        self.set(R3, Reg(R6))
        self.do("+", R3, task["comm"])
        self.call(READ_KERNEL)
        gone = self.fresh("unnumbered")
        self.visible(WORD, gone)
        self.load(R1, R10, WORD)
        self.store(entry, THREAD["visible"], Reg(R1))
        self.label(gone)

    def visible(self, slot: int, gone: str) -> None:
        """Put the task's number in this process's namespace to a slot."""
        machine = self.machine
        # task->thread_pid->numbers[level].nr: a struct upid is 16 bytes, the number its first four.
        self.load(R3, R6, machine.task["thread_pid"])
        self.jump_if(R3, "==", 0, gone)
        self.store(R10, slot, 0)
        self.do("+", R3, machine.numbers + 16 * self.level)
        self.set(R1, Reg(R10))
        self.do("+", R1, slot)
        self.set(R2, 4)
        self.call(READ_KERNEL)

    def open_wait(self, key: int, offset: int) -> None:
        """Begin a wait, now, with the stack in the scratch area; the thread's key lies at ``key`` + ``offset``."""
        self.call(NOW)
        self.store(R10, AREA + OPEN["time"], Reg(R0))
        self.copy(R10, AREA + OPEN["cpu"], R6, self.machine.cpu)
        self.copy(R10, AREA + OPEN["delay"], R6, self.machine.delay)
        self.switches(R1, R2)
        self.store(R10, AREA + OPEN["switches"], Reg(R1))
        self.copy(R10, AREA + OPEN["hash"], R7, RECORD_KEY + KEY_HASH)
        self.copy(R10, AREA + OPEN["reason"], R7, RECORD_KEY + KEY_REASON)
        self.map(R1, self.maps.open)
        self.set(R2, Reg(key))
        self.do("+", R2, offset)
        self.set(R3, Reg(R10))
        self.do("+", R3, AREA)
        # 0 is BPF_ANY: one that is there already is written over.
        self.set(R4, 0)
        self.call(UPDATE)

    def make_entry(self, key: int, offset: int, full: str) -> None:
        """R0 = the thread's entry, made where there is none; its key lies at ``key`` + ``offset``. AREA is used."""
        found = self.fresh("entry")
        self.lookup(self.maps.threads, key, offset)
        self.jump_if(R0, "!=", 0, found)
        for place in range(0, THREAD_BYTES, 8):
            self.store(R10, AREA + place, 0)
        # One that began before the recording is counted from now on, one that began later from its beginning.
        self.load(R1, R6, self.machine.task["start_time"])
        self.field(R2, "begun")
        self.store(R10, AREA + THREAD["first_time"], Reg(R1))
        young = self.fresh("young")
        self.jump_if(R1, ">=", Reg(R2), young)
        self.call(NOW)
        self.store(R10, AREA + THREAD["first_time"], Reg(R0))
        self.set(R3, Reg(R10))
        self.do("+", R3, AREA)
        self.counters(R3, "first_")
        self.label(young)
        self.map(R1, self.maps.threads)
        self.set(R2, Reg(key))
        self.do("+", R2, offset)
        self.set(R3, Reg(R10))
        self.do("+", R3, AREA)
        self.set(R4, 0)
        self.call(UPDATE)
        self.lookup(self.maps.threads, key, offset)
        self.jump_if(R0, "==", 0, full)
        self.label(found)

    def scratch(self, map_: int, none: str) -> None:
        """R7 = the area in which the stack is put together, with the task's key in it; R0 is the area's number."""
        self.store(R10, INDEX, Reg(R0), 4)
        self.lookup(map_, R10, INDEX)
        self.jump_if(R0, "==", 0, none)
        self.set(R7, Reg(R0))
        self.do("+", R7, AREA_HEAD)
        self.store(R7, RECORD_KIND, RECORD_STACK, 4)
        self.store(R7, RECORD_DEPTH, 0, 4)
        self.thread_key(R7, RECORD_KEY)

    def read(self, size: int = 8, slot: int = WORD) -> None:
        """Copy from the target's address in R3 to a slot; R0 is not 0 where that failed."""
        self.set(R1, Reg(R10))
        self.do("+", R1, slot)
        self.set(R2, size)
        self.read_user()

    def read_user(self) -> None:
        """R1 to, R2 size, R3 from; a program that looks at its own task."""
        self.call(READ_USER)

    def pointer(self, base: int, field: str, failed: str) -> None:
        """R8 = the pointer that the target keeps at ``base`` + a field."""
        self.field(R3, field)
        self.do("+", R3, Reg(base))
        self.read()
        self.jump_if(R0, "!=", 0, failed)
        self.load(R8, R10, WORD)
