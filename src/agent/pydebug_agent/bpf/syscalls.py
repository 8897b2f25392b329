"""The kernel's bpf and perf_event_open calls, through ctypes."""

from __future__ import annotations

import errno
import os
import struct
from typing import Any, Callable, Iterator, List, Optional, Tuple

# By machine: bpf, perf_event_open.
_NUMBERS = {"x86_64": (321, 298), "aarch64": (280, 241)}

# The same on every machine that got them so late.
_PIDFD_OPEN, _PIDFD_GETFD = 434, 438

MAP_HASH, MAP_ARRAY, MAP_RINGBUF = 1, 2, 27
PROGRAM_PERF_EVENT, PROGRAM_TRACING = 7, 26
ATTACH_RAW_TRACEPOINT, ATTACH_ITERATOR = 23, 28
SLEEPABLE = 1 << 4

_MAP_CREATE, _MAP_LOOKUP, _MAP_UPDATE, _MAP_DELETE, _PROGRAM_LOAD, _RAW_TRACEPOINT_OPEN = 0, 1, 2, 3, 5, 17
_INFORMATION = 15
_MAP_LOOKUP_BATCH, _MAP_TAKE_BATCH, _LINK_CREATE, _ENABLE_STATISTICS, _ITERATOR_CREATE = 24, 25, 28, 32, 33

_ATTRIBUTE_BYTES = 144
_PERF_BYTES = 128
_MAP_BYTES = 80
_LOG_BYTES = 1 << 20
_LOG_LINES = 12
_ATTEMPTS = 20
_SOFTWARE_EVENT, _CPU_CLOCK, _CONTEXT_SWITCHES = 1, 0, 3
_DISABLED, _INHERIT, _EXCLUDE_IDLE, _INHERIT_THREAD, _REMOVE_ON_EXEC = 1, 1 << 1, 1 << 7, 1 << 35, 1 << 36
_CLOSE_ON_EXEC = 8
_ENABLE, _SET_PERIOD, _SET_BPF = 0x2400, 0x40082404, 0x40042408

Item = Tuple[bytes, bytes]


class KernelRefusal(OSError):
    """A call that the kernel refused; ``stage`` says which, ``log`` holds the last lines of the verifier."""

    def __init__(self, number: int, stage: str, log: str = "") -> None:
        super().__init__(number, "%s: %s" % (stage, os.strerror(number)))
        self.stage = stage
        self.log = log


class Kernel:
    """Makes maps, programs and events. Whatever it opened is closed by ``close``."""

    def __init__(self) -> None:
        # Imported here: an interpreter without _ctypes shall fail with a cause, not at import.
        import ctypes

        self._ctypes = ctypes
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._libc.syscall.restype = ctypes.c_long
        self._bpf, self._perf = _NUMBERS.get(os.uname().machine, (-1, -1))
        self._open: List[int] = []

    def close(self) -> None:
        """Close all descriptors: events end, programs and maps go."""
        while self._open:
            self.drop(self._open[-1])

    def drop(self, descriptor: int) -> None:
        """Close one descriptor."""
        self._open.remove(descriptor)
        os.close(descriptor)

    def map(self, kind: int, key: int, value: int, entries: int, name: str) -> int:
        """Make a map."""
        attribute = struct.pack("<IIIIIII16s", kind, key, value, entries, 0, 0, 0, name.encode()[:15])
        return self._descriptor(_MAP_CREATE, attribute, "BPF_MAP_CREATE " + name)

    def program(
        self, code: bytes, kind: int, name: str, attach: int = 0, type_id: int = 0, flags: int = 0
    ) -> int:
        """Load a program; where the verifier refuses it, the refusal holds what it said."""
        ctypes = self._ctypes
        text = ctypes.create_string_buffer(code, len(code))
        license_ = ctypes.create_string_buffer(b"Dual MIT/GPL")

        def attribute(level: int, log: Any) -> bytes:
            return struct.pack(
                "<IIQQIIQII16sII36xI", kind, len(code) // 8, ctypes.addressof(text), ctypes.addressof(license_), level,
                len(log) if log else 0, ctypes.addressof(log) if log else 0, 0, flags, name.encode()[:15], 0, attach,
                type_id,
            )

        stage = "BPF_PROG_LOAD " + name
        try:
            return self._descriptor(_PROGRAM_LOAD, attribute(0, None), stage)
        except KernelRefusal as refusal:
            if refusal.errno in (errno.EPERM, errno.ENOSYS):
                raise
        log = ctypes.create_string_buffer(_LOG_BYTES)
        try:
            return self._descriptor(_PROGRAM_LOAD, attribute(1, log), stage)
        except KernelRefusal as refusal:
            lines = log.value.decode("utf-8", "replace").strip().splitlines()
            refusal.log = "\n".join(lines[-_LOG_LINES:])
            raise

    def update(self, map_: int, key: bytes, value: bytes) -> None:
        """Set an entry of a map."""
        ctypes = self._ctypes
        key_, value_ = (ctypes.create_string_buffer(data, len(data)) for data in (key, value))
        attribute = struct.pack("<IxxxxQQQ", map_, ctypes.addressof(key_), ctypes.addressof(value_), 0)
        self._call(_MAP_UPDATE, attribute, "BPF_MAP_UPDATE_ELEM")

    def lookup(self, map_: int, key: bytes, size: int) -> Optional[bytes]:
        """Return an entry of a map, None where there is none."""
        ctypes = self._ctypes
        key_ = ctypes.create_string_buffer(key, len(key))
        value = ctypes.create_string_buffer(size)
        attribute = struct.pack("<IxxxxQQQ", map_, ctypes.addressof(key_), ctypes.addressof(value), 0)
        try:
            self._call(_MAP_LOOKUP, attribute, "BPF_MAP_LOOKUP_ELEM")
        except KernelRefusal as refusal:
            if refusal.errno == errno.ENOENT:
                return None
            raise
        return bytes(value.raw)

    def delete(self, map_: int, key: bytes) -> None:
        """Remove an entry of a map, where there is one."""
        key_ = self._ctypes.create_string_buffer(key, len(key))
        try:
            self._call(_MAP_DELETE, struct.pack("<IxxxxQ", map_, self._ctypes.addressof(key_)), "BPF_MAP_DELETE_ELEM")
        except KernelRefusal as refusal:
            if refusal.errno != errno.ENOENT:
                raise

    def items(self, map_: int, key: int, value: int, entries: int, take: bool = False) -> Iterator[Item]:
        """Yield the entries of a hash in few calls; with ``take`` they leave the map."""
        ctypes = self._ctypes
        count = min(entries, 4096)
        keys = ctypes.create_string_buffer(key * count)
        values = ctypes.create_string_buffer(value * count)
        position = ctypes.create_string_buffer(max(key, 8))
        at = ctypes.addressof
        command = _MAP_TAKE_BATCH if take else _MAP_LOOKUP_BATCH
        first = last = True
        while first or not last:
            attribute = ctypes.create_string_buffer(
                struct.pack("<QQQQIIQQ", 0 if first else at(position), at(position), at(keys), at(values), count, map_,
                            0, 0), _ATTRIBUTE_BYTES)
            number = self._try(command, attribute)
            if number == errno.ENOSPC and count < entries:
                # One bucket holds more than fits.
                count = min(2 * count, entries)
                keys = ctypes.create_string_buffer(key * count)
                values = ctypes.create_string_buffer(value * count)
                last = False
                continue
            if number not in (0, errno.ENOENT):
                raise KernelRefusal(number, "BPF_MAP_LOOKUP_BATCH")
            got = struct.unpack_from("<I", attribute, 32)[0]
            raw_keys, raw_values = keys.raw, values.raw
            for index in range(got):
                yield raw_keys[key * index : key * index + key], raw_values[value * index : value * index + value]
            first, last = False, number == errno.ENOENT

    def tracepoint(self, program: int) -> int:
        """Run a program at the kernel event that it was loaded for."""
        return self._descriptor(_RAW_TRACEPOINT_OPEN, struct.pack("<QI", 0, program), "BPF_RAW_TRACEPOINT_OPEN")

    def task_link(self, program: int, pid: int) -> int:
        """Bind an iterator to the threads of one process, by its number in this process's own namespace."""
        information = self._ctypes.create_string_buffer(struct.pack("<III", 0, pid, 0), 16)
        attribute = struct.pack("<IIIIQI", program, 0, ATTACH_ITERATOR, 0, self._ctypes.addressof(information), 16)
        return self._descriptor(_LINK_CREATE, attribute, "BPF_LINK_CREATE")

    def iterator(self, link: int) -> Callable[[], None]:
        """Return what lets an iterator pass over its threads once.

        It is called often, after the target had the processor: it touches as little memory as it can.
        """
        buffer = self._ctypes.create_string_buffer(struct.pack("<II", link, 0), _ATTRIBUTE_BYTES)
        call, number, read, close = self._libc.syscall, self._bpf, os.read, os.close

        def iterate() -> None:
            descriptor = call(number, _ITERATOR_CREATE, buffer, _ATTRIBUTE_BYTES)
            if descriptor < 0:
                raise KernelRefusal(self._ctypes.get_errno(), "BPF_ITER_CREATE")
            try:
                while read(descriptor, 4096):
                    pass
            finally:
                close(descriptor)

        return iterate

    def take(self, pid: int, descriptor: int) -> int:
        """Return a descriptor of our own for what a child of ours has open."""
        process = self._libc.syscall(_PIDFD_OPEN, pid, 0)
        if process < 0:
            raise KernelRefusal(self._ctypes.get_errno(), "pidfd_open")
        try:
            taken = self._libc.syscall(_PIDFD_GETFD, process, descriptor, 0)
            if taken < 0:
                raise KernelRefusal(self._ctypes.get_errno(), "pidfd_getfd")
        finally:
            os.close(process)
        self._open.append(taken)
        return int(taken)

    def map_name(self, map_: int) -> Tuple[bytes, int]:
        """Return the name of a map, cut by the kernel, and how many entries it can hold."""
        information = self._ctypes.create_string_buffer(_MAP_BYTES)
        attribute = struct.pack("<IIQ", map_, _MAP_BYTES, self._ctypes.addressof(information))
        self._call(_INFORMATION, attribute, "BPF_OBJ_GET_INFO_BY_FD")
        return information.raw[24:40].rstrip(b"\0"), int(struct.unpack_from("<I", information.raw, 16)[0])

    def count_run_time(self) -> int:
        """Let the kernel count how often and how long its programs run, until this is closed."""
        return self._descriptor(_ENABLE_STATISTICS, struct.pack("<I", 0), "BPF_ENABLE_STATS")

    def clock_event(self, cpu: int, period: int, program: int) -> int:
        """Run a program each ``period`` nanoseconds in which a processor is not idle."""
        return self._event(_CPU_CLOCK, period, _DISABLED | _EXCLUDE_IDLE, -1, cpu, program)

    def switch_event(self, tid: int, program: int) -> int:
        """Run a program each time a thread, or one that it starts from now on, leaves its processor."""
        flags = _DISABLED | _INHERIT | _INHERIT_THREAD | _REMOVE_ON_EXEC
        return self._event(_CONTEXT_SWITCHES, 1, flags, tid, -1, program)

    def _event(self, kind: int, period: int, flags: int, tid: int, cpu: int, program: int) -> int:
        attribute = struct.pack("<IIQQQQQ", _SOFTWARE_EVENT, _PERF_BYTES, kind, period, 0, 0, flags)
        buffer = self._ctypes.create_string_buffer(attribute, _PERF_BYTES)
        descriptor = self._libc.syscall(self._perf, buffer, tid, cpu, -1, _CLOSE_ON_EXEC)
        if descriptor < 0:
            raise KernelRefusal(self._ctypes.get_errno(), "perf_event_open")
        self._open.append(descriptor)
        self._control(descriptor, _SET_BPF, program, "PERF_EVENT_IOC_SET_BPF")
        return int(descriptor)

    def enable(self, event: int) -> None:
        """Let an event begin."""
        self._control(event, _ENABLE, 0, "PERF_EVENT_IOC_ENABLE")

    def set_period(self, event: int, period: int) -> None:
        """Change how often an event comes."""
        value = self._ctypes.c_uint64(period)
        self._control(event, _SET_PERIOD, self._ctypes.byref(value), "PERF_EVENT_IOC_PERIOD")

    def _control(self, descriptor: int, request: int, argument: Any, stage: str) -> None:
        if self._libc.ioctl(descriptor, request, argument) < 0:
            raise KernelRefusal(self._ctypes.get_errno(), stage)

    def _descriptor(self, command: int, attribute: bytes, stage: str) -> int:
        descriptor = self._call(command, attribute, stage)
        self._open.append(descriptor)
        return descriptor

    def _call(self, command: int, attribute: bytes, stage: str) -> int:
        buffer = self._ctypes.create_string_buffer(attribute, _ATTRIBUTE_BYTES)
        for _ in range(_ATTEMPTS):
            result = self._libc.syscall(self._bpf, command, buffer, _ATTRIBUTE_BYTES)
            if result >= 0:
                return int(result)
            # The verifier stops where a signal comes.
            if self._ctypes.get_errno() not in (errno.EAGAIN, errno.EINTR):
                break
        raise KernelRefusal(self._ctypes.get_errno(), stage)

    def _try(self, command: int, buffer: Any) -> int:
        result = self._libc.syscall(self._bpf, command, buffer, _ATTRIBUTE_BYTES)
        return int(self._ctypes.get_errno()) if result < 0 else 0


def allow_descriptors() -> None:
    """Let this process open as many descriptors as it may: an event on each thread is one."""
    try:
        import resource
    except ImportError:
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    except (OSError, ValueError):
        pass


def cpus(which: str) -> List[int]:
    """Return the processors that are "online" or "possible"."""
    with open("/sys/devices/system/cpu/" + which, encoding="ascii") as file:
        text = file.read().strip()
    result: List[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        result += range(int(first), int(last or first) + 1)
    return result
