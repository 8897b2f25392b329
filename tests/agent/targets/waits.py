"""Threads that each wait for one thing most of the time, and keep count of it by their own clock.

Each line of input is answered with the time, {thread: [native id, reason, line of the wait, seconds so far, how many,
the longest]}, and a row for each short thread that ended: native id, work, its own count of its life and of its CPU,
and its starter's count.
"""

import ctypes
import fcntl
import hashlib
import json
import os
import queue
import select
import socket
import struct
import sys
import threading
import time

rows = {}
shorts = []
pair_here, pair_there = socket.socketpair()
silent, _kept = socket.socketpair()
silent.settimeout(0.05)
pipe_out, pipe_in = os.pipe()
lock = threading.Lock()
jobs = queue.Queue()
free = threading.Event()
libc = ctypes.CDLL(None, use_errno=True)


def waits(reason, period, wait):
    """Run ``wait`` again and again in a thread of its name, and note how long it took."""

    def loop():
        row = rows[wait.__name__] = {"tid": threading.get_native_id(), "reason": reason, "spent": 0.0, "since": 0.0}
        row["count"] = row["longest"] = 0
        row["line"] = wait.__code__.co_firstlineno + 1
        while True:
            row["since"] = began = time.monotonic()
            wait()
            took = time.monotonic() - began
            row["spent"] += took
            row["count"] += 1
            row["longest"] = max(row["longest"], took)
            row["since"] = 0.0
            time.sleep(period)

    threading.Thread(target=loop, name=wait.__name__, daemon=True).start()


def sleeper():
    time.sleep(0.1)


def pipe_reader():
    os.read(pipe_out, 1)


def receiver():
    pair_here.recv(1)


def socket_poller():
    select.select([silent], [], [], 0.1)


def empty_select():
    select.select([], [], [], 0.1)


def lock_waiter():
    lock.acquire()
    lock.release()


def queue_getter():
    jobs.get(True)


# Without the GIL: some 0.1 s at a time.
def native_burner():
    hashlib.sha256(block).digest()


def faulter():
    libc.memcpy(copied, faulting, ctypes.c_size_t(8))


def feed():
    while True:
        time.sleep(0.1)
        os.write(pipe_in, b"x")
        pair_there.send(b"x")
        jobs.put(1)


def hold():
    while True:
        with lock:
            time.sleep(0.15)
        time.sleep(0.0005)


def short_sleep():
    time.sleep(0.005)


def short_burn():
    until = time.thread_time() + 0.005
    while time.thread_time() < until:
        pass


def short(work):
    began = time.monotonic()
    work()
    shorts.append([threading.get_native_id(), work.__name__, time.monotonic() - began, time.thread_time()])


def spawn():
    while True:
        for work in (short_sleep, short_burn):
            thread = threading.Thread(target=short, args=(work,))
            began = time.monotonic()
            thread.start()
            thread.join()
            shorts[-1].append(time.monotonic() - began)
            time.sleep(0.02)


class Faults:
    """A page that is not there until another thread brings it, 0.1 s after it was touched (userfaultfd)."""

    API, REGISTER, COPY = 0xC018AA3F, 0xC020AA00, 0xC028AA03

    def __init__(self):
        self.descriptor = libc.syscall({"x86_64": 323, "aarch64": 282}[os.uname().machine], os.O_CLOEXEC)
        if self.descriptor < 0:
            raise OSError(ctypes.get_errno(), "userfaultfd")
        fcntl.ioctl(self.descriptor, self.API, struct.pack("<QQQ", 0xAA, 0, 0))
        libc.mmap.restype = ctypes.c_void_p
        self.address = libc.mmap(None, ctypes.c_size_t(4096), 3, 0x22, -1, ctypes.c_long(0))
        fcntl.ioctl(self.descriptor, self.REGISTER, struct.pack("<QQQQ", self.address, 4096, 1, 0))
        self.page = ctypes.create_string_buffer(8192)

    def serve(self):
        source = ctypes.addressof(self.page) + 4095 & ~4095
        while True:
            os.read(self.descriptor, 32)
            time.sleep(0.1)
            fcntl.ioctl(self.descriptor, self.COPY, struct.pack("<QQQQQ", self.address, source, 4096, 0, 0))
            time.sleep(0.002)
            libc.madvise(ctypes.c_void_p(self.address), ctypes.c_size_t(4096), 4)


def main():
    global block, faulting, copied
    block = bytes(32 << 20)
    copied = ctypes.create_string_buffer(8)
    for reason, period, wait in (
        ("sleep", 0.001, sleeper), ("io", 0, pipe_reader), ("io", 0, receiver), ("poll", 0, socket_poller),
        ("sleep", 0, empty_select), ("lock", 0.001, lock_waiter), ("lock", 0, queue_getter), ("cpu", 0, native_burner),
    ):
        waits(reason, period, wait)
    try:
        faults = Faults()
        faulting = ctypes.c_void_p(faults.address)
        threading.Thread(target=faults.serve, daemon=True).start()
        waits("fault", 0.01, faulter)
    except OSError as error:
        print(error, file=sys.stderr)
    for work in (feed, hold, spawn):
        threading.Thread(target=work, name=work.__name__, daemon=True).start()
    time.sleep(0.3)
    print(json.dumps("ready"), flush=True)
    while sys.stdin.readline():
        now = time.monotonic()
        said = {}
        for name, row in rows.items():
            running = now - row["since"] if row["since"] else 0.0
            said[name] = [row["tid"], row["reason"], row["line"], row["spent"] + running, row["count"], row["longest"]]
        print(json.dumps([now, said, [row for row in shorts if len(row) == 5]]), flush=True)


main()
