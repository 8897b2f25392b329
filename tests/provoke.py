"""Does every now and then what the scripts of Invoke-Bpftrace look for. "pressure": what a memory limit makes of it."""

import gc
import os
import signal
import socket
import sys
import threading
import time


def opener():
    open("/etc/hostname").close()
    try:
        open("/srv/nope.json")
    except OSError:
        pass


lock = threading.Lock()
lock.acquire()


def locker():
    lock.acquire(timeout=0.2)


def cpu():
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        pass


block = os.urandom(1 << 20)


def storage():
    with open("/srv/big", "wb") as file:
        for _ in range(8):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())


server = socket.create_server(("127.0.0.1", 9009))
closed = socket.create_server(("127.0.0.1", 0))
port = closed.getsockname()[1]
closed.close()


def network():
    socket.create_connection(("127.0.0.1", 9009)).close()
    server.accept()[0].close()
    try:
        socket.create_connection(("127.0.0.1", port))
    except OSError:
        pass


def names():
    socket.getaddrinfo("localhost", 80)
    try:
        socket.getaddrinfo("no such name", 80)
    except OSError:
        pass


kept = []


def memory():
    kept.append(bytearray(os.urandom(1 << 20)))
    if len(kept) > 40:
        kept.clear()


def garbage():
    gc.collect()


def imports():
    sys.modules.pop("colorsys", None)
    import colorsys


def children():
    for end in (None, signal.SIGTERM):
        pid = os.fork()
        if pid == 0:
            if end is None:
                os._exit(7)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            while True:
                time.sleep(1)
        if end is not None:
            time.sleep(0.05)
            os.kill(pid, end)
        os.waitpid(pid, 0)


def again(work):
    while True:
        work()
        time.sleep(0.1)

def pressure():
    # Cached pages of the group's own: the kernel has to free some for each new one.
    with open("/srv/big", "wb") as file:
        for _ in range(96):
            file.write(block)
    pid = os.fork()
    if pid == 0:
        hog = []
        while True:
            hog.append(bytearray(os.urandom(1 << 20)))
    os.waitpid(pid, 0)


if sys.argv[1:] == ["pressure"]:
    print("ready", flush=True)
    again(pressure)
for work in (opener, locker, cpu, storage, network, names, memory, garbage, imports):
    threading.Thread(target=again, args=(work,), name=work.__name__).start()
print("ready", flush=True)
again(children)
