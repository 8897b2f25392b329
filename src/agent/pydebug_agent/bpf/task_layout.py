"""Where this kernel, on this processor, keeps what the programs read of a task."""

from __future__ import annotations

import os
from typing import Dict, List, Tuple

from .btf import FUNCTION, TYPEDEF, Btf, Member, TypeName

ITERATOR = ("bpf_iter_task", FUNCTION)
EXIT = ("btf_trace_sched_process_exit", TYPEDEF)
FREE = ("btf_trace_sched_process_free", TYPEDEF)
EXEC = ("btf_trace_sched_process_exec", TYPEDEF)

_TASK = (
    "thread pid tgid start_time __state se sched_info nvcsw nivcsw on_cpu thread_pid mm comm signal exit_state flags"
).split()
_MEMBERS: List[Member] = [("task_struct", name) for name in _TASK] + [
    ("sched_entity", "sum_exec_runtime"),
    ("sched_info", "run_delay"),
    ("sched_info", "pcount"),
    ("signal_struct", "live"),
    ("pid", "level"),
    ("pid", "numbers"),
]
# By machine: the thread pointer within thread_struct; the system call's number, its size, and its arguments in pt_regs.
# aarch64 is by the kernel's headers and was not run.
_POINTER = {"x86_64": "fsbase", "aarch64": "uw"}
_CALL = {"x86_64": ("orig_ax", 8), "aarch64": ("syscallno", 4)}
_ARGUMENTS = {"x86_64": ("di", "si"), "aarch64": ("orig_x0", "")}
_AARCH64_SECOND = 8


class Machine:
    """Offsets within a task; ``missing`` names what this kernel does not have."""

    def __init__(self) -> None:
        kind = os.uname().machine
        self.supported = kind in _POINTER
        kind = kind if self.supported else "x86_64"
        call, self.call_bytes = _CALL[kind]
        first, second = _ARGUMENTS[kind]
        own: List[Member] = [("thread_struct", _POINTER[kind]), ("pt_regs", call), ("pt_regs", first)]
        own += [("pt_regs", second)] if second else []
        types: Tuple[TypeName, ...] = (ITERATOR, EXIT, FREE, EXEC)
        btf = Btf(_MEMBERS + own, types)
        self.missing = btf.missing
        self.types: Dict[TypeName, int] = btf.types
        at = {member: btf.members.get(member, 0) for member in _MEMBERS + own}
        self.task: Dict[str, int] = {name: at["task_struct", name] for name in _TASK}
        self.pointer = self.task["thread"] + at["thread_struct", _POINTER[kind]]
        self.cpu = self.task["se"] + at["sched_entity", "sum_exec_runtime"]
        self.delay = self.task["sched_info"] + at["sched_info", "run_delay"]
        self.turns = self.task["sched_info"] + at["sched_info", "pcount"]
        self.live = at["signal_struct", "live"]
        self.level = at["pid", "level"]
        self.numbers = at["pid", "numbers"]
        self.call = at["pt_regs", call]
        self.first = at["pt_regs", first]
        self.second = at["pt_regs", second] if second else _AARCH64_SECOND
