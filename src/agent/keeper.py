"""Holds the debug container open. It ends an hour after its last use, after twelve hours at most.

Where little is left of the pod's memory, each KiB of its start may be the application's last. A variable costs a copy
or two, an argument one of four bytes a character for each of several. What two empty lines part is compiled one after
the other: what a compiler takes stays with the process, and is least where it matters most.
"""

import _signal as signal
import posix
import sys
import time

USED = signal.SIGUSR1
END = signal.SIGTERM


def begin():
    # First of all: an agent that comes early would end it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {USED, END})
    try:
        file = posix.open("/proc/self/oom_score_adj", posix.O_WRONLY)
        posix.write(file, b"1000")
        posix.close(file)
    except OSError:
        pass


if __name__ == "__main__":
    begin()


# Where less than this is left, the first exec could take the application's last: before there is one, this exit code
# says so. The numbers of both are in the client, too.
HEADROOM = 6 << 20
SHORT = 86
# Of each version of control groups: what is in use; what of it is page cache, mapped, not a file's, not on disk yet.
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
    # What a file of /proc holds, nothing where it cannot be read. In another container it may be without an end.
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


def check():
    # Ends where too little is left.
    try:
        headroom = remaining()
    except ValueError:
        headroom = None
    if headroom is not None and headroom < HEADROOM:
        posix.write(2, b"pydebug-keeper: %d bytes of memory are left" % headroom)
        sys.exit(SHORT)


if __name__ == "__main__":
    check()


DUMPABLE = 4


def hide():
    # An application of this very user would see the debug container's files by way of this process's root.
    import _ctypes

    _ctypes.call_function(_ctypes.dlsym(_ctypes.dlopen(None, 0), "prctl"), (DUMPABLE, 0, 0, 0, 0))


def settle():
    # Root has a right here that the application lacks. What is hidden may no longer write its points.
    if posix.geteuid():
        try:
            hide()
        except (ImportError, OSError):
            pass
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # As PID 1 of a container of its own it would inherit orphans: the kernel buries them.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)


if __name__ == "__main__":
    settle()


IDLE = 3600.0
MOST = 43200.0
STALE = 3600.0
LOOK = 60.0
OURS = (b'"""pydebug-keeper', b"pydebug_agent.main")
SPARE = 16 << 20
LARGEST = 4 << 30
POPULATE = 0x8000


# What holds the container open once all is said: an interpreter that waits has 3 MiB of the pod's limit. Eight numbers
# lie before it: how many maps, each one's length, the open file, where in it; the seconds of no use after which it ends
# and their billionths; the signals it waits for; the memory that it holds in reserve. Signals that are blocked or
# ignored, the alarm of its longest time and its points stay as they were. Of each machine: its ELF number, the code.
PROGRAMS = {
    "x86_64": (62, (
        "488b2db9ffffff",  #       mov rbp, [maps]
        "4885ed",  #         more: test rbp, rbp
        "742e",  #                 je hold
        "b809000000",  #           mov eax, 9         mmap(
        "31ff",  #                 xor edi, edi         0,
        "488b35aeffffff",  #       mov rsi, [length]    length,
        "ba01000000",  #           mov edx, 1           PROT_READ,
        "41ba01800000",  #         mov r10d, 0x8001     MAP_SHARED | MAP_POPULATE,
        "4c8b05a4ffffff",  #       mov r8, [file]       file,
        "4c8b0da5ffffff",  #       mov r9, [offset]     offset)
        "0f05",  #                 syscall
        "48ffcd",  #               dec rbp
        "ebcd",  #                 jmp more
        "b809000000",  #     hold: mov eax, 9         mmap(
        "31ff",  #                 xor edi, edi         0,
        "488b35b0ffffff",  #       mov rsi, [reserve]   reserve,
        "ba03000000",  #           mov edx, 3           PROT_READ | PROT_WRITE,
        "41ba22800000",  #         mov r10d, 0x8022     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
        "49c7c0ffffffff",  #       mov r8, -1           -1,
        "4531c9",  #               xor r9d, r9d         0)
        "0f05",  #                 syscall
        "b880000000",  #     wait: mov eax, 128       rt_sigtimedwait(
        "488d3d85ffffff",  #       lea rdi, [signals]   signals,
        "31f6",  #                 xor esi, esi         0,
        "488d156cffffff",  #       lea rdx, [idle]      idle,
        "41ba08000000",  #         mov r10d, 8          8)
        "0f05",  #                 syscall
        "83f80a",  #               cmp eax, 10        SIGUSR1: it is used
        "74de",  #                 je wait
        "83f8fc",  #               cmp eax, -4        EINTR: it was stopped and goes on
        "74d9",  #                 je wait
        "b8e7000000",  #           mov eax, 231       exit_group(
        "31ff",  #                 xor edi, edi         0)
        "0f05",  #                 syscall
    )),
    "aarch64": (183, (
        "13feff58",  #             ldr x19, maps
        "730100b4",  #       more: cbz x19, hold
        "c81b80d2",  #             mov x8, 222        mmap(
        "000080d2",  #             mov x0, 0            0,
        "c1fdff58",  #             ldr x1, length       length,
        "220080d2",  #             mov x2, 1            PROT_READ,
        "230090d2",  #             mov x3, 0x8001       MAP_SHARED | MAP_POPULATE,
        "a4fdff58",  #             ldr x4, file         file,
        "c5fdff58",  #             ldr x5, offset       offset)
        "010000d4",  #             svc 0
        "730600d1",  #             sub x19, x19, 1
        "f6ffff17",  #             b more
        "c81b80d2",  #       hold: mov x8, 222        mmap(
        "000080d2",  #             mov x0, 0            0,
        "01feff58",  #             ldr x1, reserve      reserve,
        "620080d2",  #             mov x2, 3            PROT_READ | PROT_WRITE,
        "430490d2",  #             mov x3, 0x8022       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
        "04008092",  #             mov x4, -1           -1,
        "050080d2",  #             mov x5, 0            0)
        "010000d4",  #             svc 0
        "281180d2",  #       wait: mov x8, 137        rt_sigtimedwait(
        "e0fcff10",  #             adr x0, signals      signals,
        "010080d2",  #             mov x1, 0            0,
        "22fcff10",  #             adr x2, idle         idle,
        "030180d2",  #             mov x3, 8            8)
        "010000d4",  #             svc 0
        "1f280071",  #             cmp w0, 10         SIGUSR1: it is used
        "20ffff54",  #             b.eq wait
        "1f100031",  #             cmn w0, 4          EINTR: it was stopped and goes on
        "e0feff54",  #             b.eq wait
        "c80b80d2",  #             mov x8, 94         exit_group(
        "000080d2",  #             mov x0, 0            0)
        "010000d4",  #             svc 0
    )),
}
# What is free again when the kernel ends it, the maps' tables among that: an interpreter that an exec starts at the
# limit needs as much before it can look at what is left.
RESERVE = 9 << 18
BASE = 0x400000
RUN = 0x10


def largest():
    # The resident bytes of the largest process that is not ours, of other containers the most they may have; points.
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


def needed(spare, least, has=0):
    # Where the pod's memory runs out, the kernel ends the process with the most resident pages and, for each point of
    # its oom_score_adj, a thousandth of the limit. Most applications have 999 points, so that 1000 are not enough: this
    # process has to be larger, too. Maps of code that is in memory already count, and cost two thousandths of their
    # size. How many are to be made yet, and each one's length, file, offset.
    most, points = largest()
    wanted = min(max(most * 5 // 4, least) + spare, LARGEST)
    size, path, offset = code()
    return 0 if points < 0 or not size else max(0, -(-wanted // size) - has), size, path, offset


def grow(maps, spare=SPARE, least=0):
    count, size, path, offset = needed(spare, least, len(maps))
    if not count:
        return
    import mmap

    file = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
    for _ in range(count):
        maps.append(mmap.mmap(file, size, mmap.MAP_SHARED | POPULATE, mmap.PROT_READ, offset=offset))
    posix.close(file)


def program(machine, numbers):
    # An ELF file of one segment: its header, the numbers, what is run.
    kind, lines = PROGRAMS[machine]
    header = 64 + 56
    body = b"".join(number.to_bytes(8, "little") for number in numbers) + bytes.fromhex("".join(lines))
    start, size = BASE + header + 8 * len(numbers), header + len(body)
    fields = (
        (2, 2), (kind, 2), (1, 4), (start, 8), (64, 8), (0, 8), (0, 4), (64, 2), (56, 2), (1, 2), (0, 6),
        (1, 4), (5, 4), (0, 8), (BASE, 8), (BASE, 8), (size, 8), (size, 8), (0x10000, 8),
    )
    return b"\x7fELF\2\1\1" + bytes(9) + b"".join(value.to_bytes(size, "little") for value, size in fields) + body


def become(idle, most, least):
    # Goes on as the program above; returns where the kernel, or a runtime before it, will have none of that.
    count, size, path, offset = needed(SPARE, least)
    waits = sum(1 << (number - 1) for number in (USED, END, signal.SIGALRM))
    try:
        opened = [posix.memfd_create("pydebug-keeper", posix.MFD_CLOEXEC | RUN)]
    except OSError:
        # Kernels before 6.3 do not know the flag, and need none.
        opened = [posix.memfd_create("pydebug-keeper", posix.MFD_CLOEXEC)]
    try:
        if count:
            opened.append(posix.open(path, posix.O_RDONLY))
            posix.set_inheritable(opened[-1], True)
        reserve = max(0, RESERVE - count * size // 512)
        numbers = (count, size, opened[-1], offset, int(idle), int(idle % 1 * 1e9), waits, reserve)
        posix.write(opened[0], program(posix.uname().machine, numbers))
        # What is open for writing is not run; and what its user may run and not read is hidden from that user's others.
        posix.fchmod(opened[0], 0o100)
        opened.append(posix.open("/proc/self/fd/%d" % opened[0], posix.O_PATH | posix.O_CLOEXEC))
        posix.close(opened.pop(0))
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        signal.setitimer(signal.ITIMER_REAL, most)
        # By these words the agent knows the first process of a debug container.
        posix.execve("/proc/self/fd/%d" % opened[-1], [b"python3", b"-c", b'"""pydebug-keeper"""'], posix.environ)
    finally:
        for file in opened:
            posix.close(file)


def main():
    asked = said(b"created")
    if asked and time.time() - asked > STALE:
        sys.exit("pydebug-keeper: this is a restart, nothing to hold open")
    # A privileged one has less, and a team's policy may bound the whole.
    idle = min(IDLE, said(b"idle") or IDLE)
    most = min(MOST, said(b"life") or MOST)
    # An agent that is just starting is small, and the application may have grown to the limit since.
    limit = int(said(b"limit"))
    if limit:
        try:
            become(idle, most, limit)
        except (AttributeError, KeyError, OSError, ValueError):
            pass
    start = used = time.monotonic()
    maps = []
    while True:
        try:
            grow(maps, least=limit)
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
