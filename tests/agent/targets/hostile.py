"""Keeps memory as a leak does, and looks for a way out of its container: through every process that it can see.

Says as JSON what it came upon, each once: ["reached", what it is, whether it can be read, whether it can be written].
"""
import ctypes
import json
import os
import stat
import struct
import sys
import threading
import time

kept = []
said = set()
MOST_FILES = 4000
OWN = {os.stat(path).st_dev for path in ("/", "/proc", "/dev")}


def keep():
    kept.append(bytearray(70_000))


def leak():
    while True:
        keep()
        time.sleep(0.05)


def tell(*words):
    if words[:3] not in said:
        said.add(words[:3])
        print(json.dumps(words), flush=True)


def same(path, other):
    try:
        mine, theirs = os.stat(path), os.stat(other)
    except OSError:
        return None
    return (mine.st_dev, mine.st_ino) == (theirs.st_dev, theirs.st_ino)


def writable(path):
    """Write nothing, but where that would do nothing: whether a file in memory may be written tells no opening."""
    try:
        file = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        size = os.fstat(file).st_size
        os.ftruncate(file, size + 1)
        os.ftruncate(file, size)
        return True
    except OSError:
        return False
    finally:
        os.close(file)


def readable(path):
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        # That of a process that ends opens and holds nothing.
        return stat.S_ISDIR(os.fstat(file).st_mode) or bool(os.read(file, 1))
    except OSError:
        return False
    finally:
        os.close(file)


def walk(place, what):
    """Try every file below a folder of somebody else's."""
    count = 0
    for folder, names, files in os.walk(place):
        names[:] = [name for name in names if not (folder == place and name in ("proc", "sys", "dev"))]
        for name in names + files:
            path = os.path.join(folder, name)
            count += 1
            if count > MOST_FILES:
                return
            shown = what + path[len(place):]
            tell("reached", shown, readable(path), os.access(path, os.W_OK) and (name in names or writable(path)))


def look_at(pid):
    base = "/proc/%s/" % pid
    for link in ("root", "cwd"):
        for up in ("", "/..", "/../.."):
            if same(base + link + up, "/proc/self/root") is False and not inside(base + link + up):
                walk(base + link + up, link + up)
    try:
        numbers = os.listdir(base + "fd")
    except OSError:
        numbers = []
    for number in numbers:
        path = base + "fd/" + number
        try:
            name = os.readlink(path)
            status = os.stat(path)
            kind = status.st_mode
        except OSError:
            continue
        # What lies in our own files may be open anywhere.
        if not name.startswith(("pipe:", "socket:", "anon_inode:")) and status.st_dev not in OWN:
            tell("reached", "fd " + (name if stat.S_ISREG(kind) else "other " + name), readable(path), writable(path),
                who(pid))
            if stat.S_ISDIR(kind):
                walk(path, "fd " + name)
    for name in ("mem", "environ", "maps"):
        path = base + name
        if readable(path) and same(base + "root", "/proc/self/root") is not True:
            tell("reached", name, True, False)
    if same(base + "exe", "/proc/self/exe") is False and same(base + "root", "/proc/self/root") is not True:
        tell("reached", "exe", True, writable(base + "exe"))


def who(pid):
    """What a process says of itself."""
    try:
        with open("/proc/%s/cmdline" % pid, "rb") as file:
            words = file.read(120).decode("utf-8", "replace")
        with open("/proc/%s/status" % pid, encoding="utf-8", errors="replace") as file:
            status = dict(line.split(":", 1) for line in file)
        return "%s, user %s, rights %s" % (words, status["Uid"].split()[1], status["CapPrm"].strip())
    except (OSError, KeyError):
        return "gone"


def inside(path):
    """Whether a folder is one of ours: what our own root has under the name that it has there."""
    try:
        return same(os.path.realpath(path), path) or False
    except OSError:
        return False


def main():
    threading.Thread(target=leak, daemon=True).start()
    own = str(os.getpid())
    libc = ctypes.CDLL(None, use_errno=True)
    if "drop" in sys.argv[1:]:
        # Every right that makes root more than a user of that number.
        for right in range(63):
            libc.prctl(24, right, 0, 0, 0)
        libc.capset(struct.pack("<Ii", 0x20080522, 0), bytes(24))
    trace = "trace" in sys.argv[1:]
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        status = dict(line.split(":", 1) for line in file)
    tell("is", os.getuid(), int(status["CapEff"], 16))
    print(json.dumps("ready"), flush=True)
    while True:
        for pid in os.listdir("/proc"):
            if pid.isdigit() and pid != own:
                look_at(pid)
                if trace and libc.ptrace(0x4206, int(pid), None, None) == 0:
                    with open("/proc/%s/cmdline" % pid, "rb") as file:
                        tell("traced", file.read(200).decode("utf-8", "replace"))
        time.sleep(0.0005)


main()
