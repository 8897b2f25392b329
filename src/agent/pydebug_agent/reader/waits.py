"""What a thread waits for, in words: the system call with its descriptor, a lock, the GIL."""

from __future__ import annotations

import os
import struct
from typing import Dict, List, Optional, Sequence

from ..system.proc import Proc
from .layouts import GIL_BYTES
from .memory import Denied, Fault, Gone, Source
from .thread_state import Mark

_X86_64 = (
    "0 read 1 write 7 poll 9 mmap 10 mprotect 11 munmap 12 brk 17 pread64 18 pwrite64 19 readv 20 writev 23 select "
    "34 pause 35 nanosleep 40 sendfile 42 connect 43 accept 44 sendto 45 recvfrom 46 sendmsg 47 recvmsg 61 wait4 "
    "65 semop 72 fcntl 73 flock 74 fsync 75 fdatasync 128 rt_sigtimedwait 130 rt_sigsuspend 202 futex "
    "219 restart_syscall 220 semtimedop 230 clock_nanosleep 232 epoll_wait 240 mq_open 243 mq_timedreceive "
    "247 waitid 257 openat 270 pselect6 271 ppoll 275 splice 281 epoll_pwait 285 fallocate 288 accept4 295 preadv "
    "296 pwritev 299 recvmmsg 307 sendmmsg 426 io_uring_enter 441 epoll_pwait2 449 futex_waitv"
)
_AARCH64 = (
    "22 epoll_pwait 25 fcntl 32 flock 47 fallocate 56 openat 63 read 64 write 65 readv 66 writev 67 pread64 "
    "68 pwrite64 69 preadv 70 pwritev 71 sendfile 72 pselect6 73 ppoll 76 splice 82 fsync 83 fdatasync 95 waitid "
    "98 futex 101 nanosleep 115 clock_nanosleep 128 restart_syscall 133 rt_sigsuspend 137 rt_sigtimedwait "
    "183 mq_timedreceive 192 semtimedop 193 semop 202 accept 203 connect 206 sendto 207 recvfrom 211 sendmsg "
    "212 recvmsg 214 brk 215 munmap 222 mmap 226 mprotect 242 accept4 243 recvmmsg 260 wait4 269 sendmmsg "
    "426 io_uring_enter 441 epoll_pwait2 449 futex_waitv"
)
_WITH_DESCRIPTOR = frozenset(
    "read write pread64 pwrite64 readv writev preadv pwritev connect accept accept4 sendto recvfrom sendmsg recvmsg "
    "recvmmsg sendmmsg fcntl flock fsync fdatasync fallocate epoll_wait epoll_pwait epoll_pwait2 mq_timedreceive "
    "splice io_uring_enter".split()
)
_KERNEL_FUNCTIONS = (
    ("futex", "lock"),
    ("ep_poll", "epoll_wait"),
    ("nanosleep", "clock_nanosleep"),
    ("poll_schedule", "poll"),
    ("do_poll", "poll"),
    ("do_sys_poll", "poll"),
    ("do_select", "select"),
    ("csk_accept", "accept"),
    ("inet_csk", "accept"),
    ("accept", "accept"),
    ("wait_for_packet", "recvfrom"),
    ("sk_wait_data", "recvfrom"),
    ("stream_read", "recvfrom"),
    ("unix_stream", "recvfrom"),
    ("pipe_read", "read"),
    ("pipe_write", "write"),
    ("do_wait", "wait4"),
    ("sigtimedwait", "rt_sigtimedwait"),
    ("sigsuspend", "rt_sigsuspend"),
    ("sys_pause", "pause"),
    ("signal_stop", "stopped"),
)
# What a call with a timeout becomes when the kernel begins it again for the time that is left.
RESTART = "restart_syscall"
# Through which of the kernel's functions it comes there.
_ENTRIES = ("restart_syscall", "do_syscall", "x64_sys_call", "el0_svc", "invoke_syscall", "nsleep")
_RESTARTED = b"128 " if os.uname().machine == "aarch64" else b"219 "


def system_calls() -> Dict[int, str]:
    """Return the names of the system calls that wait, by number on this machine."""
    parts = (_AARCH64 if os.uname().machine == "aarch64" else _X86_64).split()
    return {int(number): name for number, name in zip(parts[::2], parts[1::2])}


def called(line: bytes) -> Optional[List[int]]:
    """Return number and arguments from a line of /proc's ``syscall``; the number alone, -1, outside of a call."""
    words = line.split()
    try:
        number = int(words[0])
        return [number] if number < 0 else [number] + [int(word, 16) for word in words[1:7]]
    except (ValueError, IndexError):
        return None


def is_restarted(line: bytes) -> bool:
    """Say whether a line of /proc's ``syscall`` is of a call that the kernel has begun again, as after a debugger."""
    return line.startswith(_RESTARTED)


def resolved(line: bytes, wchan: str) -> bytes:
    """Return such a line with the number of the call that was begun again: its arguments are as they were.

    ``wchan``, the kernel's function, tells it; where it does not, the line comes back as it is.
    """
    name = function_call(wchan)
    if name is None and any(part in wchan for part in _ENTRIES):
        # The functions that sleep for a time are left out of ``wchan``; locks and polls have some that are not.
        name = "clock_nanosleep"
    name = "futex" if name == "lock" else name
    number = next((number for number, other in system_calls().items() if other == name), None)
    return line if number is None else b"%d %s" % (number, line.partition(b" ")[2])


def line_of(proc: Proc, pid: int, tid: int, line: bytes) -> bytes:
    """Return a thread's line of ``syscall`` with the call that it is in, also where that was begun again."""
    if not is_restarted(line):
        return line
    try:
        return resolved(line, proc.text(pid, "task", tid, "wchan"))
    except OSError:
        return line


def is_gil(address: int, gils: Sequence[int]) -> bool:
    """Say whether a futex lies in one of the locks at ``gils``."""
    return any(gil <= address < gil + GIL_BYTES for gil in gils)


def function_call(function: str) -> Optional[str]:
    """Return what is waited in by the kernel's function: a system call, "lock" or "stopped"; None if unknown."""
    for part, name in _KERNEL_FUNCTIONS:
        if part in function:
            return name
    return None


class Waits:
    """Puts marks of threads into words."""

    def __init__(self, proc: Proc, pid: int, source: Source) -> None:
        self._proc = proc
        self._pid = pid
        self._source = source
        self._calls = system_calls()

    def reason(self, mark: Mark, gils: Sequence[int]) -> Optional[str]:
        """Say what a marked thread waits for; ``gils`` are the addresses of its interpreters' locks."""
        if mark.syscall is None:
            return self._by_function(mark.wchan or "")
        words = called(line_of(self._proc, self._pid, mark.tid, mark.syscall))
        if words is None:
            return None
        number, arguments = words[0], words[1:]
        if number < 0:
            return "memory (page fault)"
        name = self._calls.get(number, "system call %d" % number)
        if name == "futex" and arguments:
            return "the GIL" if is_gil(arguments[0], gils) else "lock"
        if name in _WITH_DESCRIPTOR and arguments:
            return self._described(name, arguments[0])
        if name in ("poll", "ppoll") and len(arguments) > 1:
            descriptor = self._polled(arguments)
            return name if descriptor is None else self._described(name, descriptor)
        return name

    def _described(self, name: str, descriptor: int) -> str:
        text = "%s fd %d" % (name, descriptor & 0xFFFFFFFF)
        try:
            return "%s %s" % (text, self._proc.link(self._pid, "fd", descriptor & 0xFFFFFFFF)[:256])
        except OSError:
            return text

    def _polled(self, arguments: List[int]) -> Optional[int]:
        """A socket with a timeout is polled for alone: then its descriptor is the reason."""
        if arguments[1] != 1:
            return None
        try:
            descriptor = int(struct.unpack("<i", self._source.read(arguments[0], 4))[0])
        except (Fault, Gone, Denied):
            return None
        return descriptor if descriptor >= 0 else None

    @staticmethod
    def _by_function(function: str) -> Optional[str]:
        name = function_call(function)
        # Without the address the lock cannot be told from the GIL.
        return "lock or the GIL" if name == "lock" else name or function or None
