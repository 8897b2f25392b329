"""pydebug-keeper: holds the debug container open. It ends an hour after its last use, after twelve hours at most."""

import _signal as signal
import posix
import sys
import time

IDLE = 3600.0
MOST = 43200.0
STALE = 3600.0
LOOK = 60.0
USED = signal.SIGUSR1
END = signal.SIGTERM
OURS = (b'"""pydebug-keeper', b"pydebug_agent.main")
SPARE = 16 << 20
LARGEST = 4 << 30
POPULATE = 0x8000
DUMPABLE = 4
# Where less than this is left, the first exec could take the application's last: this exit code says so, before there
# is
# one. The numbers of both are in the client, too.
ROOM = 6 << 20
SHORT = 86
# Of each version of control groups: what is in use, and what of it is page cache, mapped, not a file's, not on disk
# yet.
GROUPS = (
    (b"/sys/fs/cgroup/memory/", b"memory.usage_in_bytes", b"total_inactive_file total_active_file total_mapped_file "
     b"total_shmem total_dirty total_writeback"),
    (b"/sys/fs/cgroup/", b"memory.current", b"inactive_file active_file file_mapped shmem file_dirty file_writeback"),
)


def said(name):
    # A number of the session's mark, 0 where it has none.
    digits = posix.environ.get(b"PYDEBUG_SESSION", b"").partition(b'"%b":' % name)[2].lstrip()
    number = b""
    for digit in digits:
        if digit not in b"0123456789.":
            break
        number += b"%c" % digit
    return float(number or 0)


def read(path):
    # What a file of /proc holds, nothing where it cannot be read. In another container it may be anything, without an
    # end.
    try:
        file = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC | posix.O_NONBLOCK)
    except OSError:
        return b""
    try:
        parts = []
        while len(parts) < 256:
            part = posix.read(file, 4096)
            if not part:
                break
            parts.append(part)
        return b"".join(parts)
    except OSError:
        return b""
    finally:
        posix.close(file)


def used(root):
    # The bytes in use in a container that nobody can take back at once; None where its files cannot be seen.
    for folder, name, names in GROUPS:
        has = read(root + folder + name).strip()
        if has.isdigit():
            words = read(root + folder + b"memory.stat").split()
            found = dict(zip(words[::2], words[1::2]))
            inactive, active, mapped, shared, dirty, writing = [int(found.get(word, 0)) for word in names.split()]
            return int(has) - max(0, inactive + active - max(0, mapped - shared) - dirty - writing)
    return None


def remaining():
    # What is left to the application and this container under the pod's limit; None where that is not known.
    limit, own, other = int(said(b"limit")), used(b""), used(b"/proc/1/root")
    # More than the limit is the whole node's, whose files some containers have.
    if said(b"low") or not limit or own is None or other is None or max(own, other) > limit:
        return None
    return max(0, limit - own - other)


def largest():
    # The resident bytes of the largest process that is not ours, of other containers the most they may have; its
    # points.
    most, seen, points = int(said(b"beside")), 0, b""
    for pid in posix.listdir("/proc"):
        if pid.isdigit():
            words = read("/proc/%s/statm" % pid).split()
            size = int(words[1]) * 4096 if len(words) > 1 else 0
            if size > seen and not any(mark in read("/proc/%s/cmdline" % pid) for mark in OURS):
                seen, points = size, read("/proc/%s/oom_score_adj" % pid)
    return max(most, seen), int(points or 0)


def code():
    # Where the interpreter's code lies in its file: length, path, offset.
    best = (0, b"", 0)
    for line in read("/proc/self/maps").splitlines():
        words = line.split(None, 5)
        if words[1] == b"r-xp" and len(words) == 6:
            begin, end = words[0].split(b"-")
            best = max(best, (int(end, 16) - int(begin, 16), words[5], int(words[2], 16)))
    return best


def grow(maps, spare=SPARE, least=0):
    # Where the pod's memory runs out, the kernel ends the process with the most resident pages and, for each point of
    # its oom_score_adj, a thousandth of the limit. Most applications have 999 points, so that 1000 are not enough: this
    # process has to be larger, too. Maps of code that is in memory already count, and cost two thousandths of their
    # size.
    most, points = largest()
    wanted = min(max(most * 5 // 4, least) + spare, LARGEST)
    size, path, offset = code()
    if points < 0 or len(maps) * size >= wanted:
        return
    import mmap

    file = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
    while len(maps) * size < wanted:
        maps.append(mmap.mmap(file, size, mmap.MAP_SHARED | POPULATE, mmap.PROT_READ, offset=offset))
    posix.close(file)


def hide():
    # An application of this very user would see the debug container's files by way of this process's root.
    import _ctypes

    _ctypes.call_function(_ctypes.dlsym(_ctypes.dlopen(None, 0), "prctl"), (DUMPABLE, 0, 0, 0, 0))


def main():
    # First of all: an agent that comes early would end it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {USED, END})
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # As PID 1 of a container of its own it would inherit orphans: the kernel buries them.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        file = posix.open("/proc/self/oom_score_adj", posix.O_WRONLY)
        posix.write(file, b"1000")
        posix.close(file)
    except OSError:
        pass
    # Root has a right here that the application lacks. What is hidden may no longer write the file above.
    if posix.geteuid():
        try:
            hide()
        except (ImportError, OSError):
            pass
    try:
        room = remaining()
    except ValueError:
        room = None
    if room is not None and room < ROOM:
        posix.write(2, b"pydebug-keeper: %d bytes of memory are left" % room)
        sys.exit(SHORT)
    asked = said(b"created")
    if asked and time.time() - asked > STALE:
        sys.exit("pydebug-keeper: this is a restart, nothing to hold open")
    # A privileged one has less, and a team's policy may bound the whole.
    idle = min(IDLE, said(b"idle") or IDLE)
    most = min(MOST, said(b"life") or MOST)
    start = used = time.monotonic()
    maps = []
    while True:
        try:
            # An agent that is just starting is small, and the application may have grown to the limit since.
            grow(maps, least=int(said(b"limit")))
        except (ImportError, OSError, ValueError):
            pass
        left = min(used + idle, start + most) - time.monotonic()
        if left <= 0:
            return
        got = signal.sigtimedwait({USED, END}, min(left, LOOK))
        if got is not None and got.si_signo == END:
            return
        if got is not None:
            used = time.monotonic()


if __name__ == "__main__":
    main()
