"""One view of /proc, whose root tests replace."""

from __future__ import annotations

import errno
import os
from typing import Dict, List, NamedTuple, Optional


# A process may have 65,530 of them, unless its node says otherwise; the longest path takes 4 KiB in each.
_MOST_MAPPINGS = 1 << 18
_MOST_MAPS = 32 << 20


class Stat(NamedTuple):
    """The fields of /proc/PID/stat that are used here; times in seconds."""

    comm: str
    state: str
    parent: int
    flags: int
    cpu: float
    threads: int
    start_ticks: int
    start_stack: int
    argument_start: int


class Mapping(NamedTuple):
    """One line of /proc/PID/maps; ``path`` is empty for anonymous memory."""

    start: int
    end: int
    permissions: str
    offset: int
    device: str
    inode: int
    path: str


def text_of(raw: bytes) -> str:
    """Decode bytes from the target: what is not UTF-8 shows as \\xNN, so that every JSON reader takes it."""
    return raw.decode("utf-8", "backslashreplace")


class Proc:
    """Reads /proc below ``root``. A process that is gone raises FileNotFoundError or ProcessLookupError."""

    def __init__(self, root: str = "/proc") -> None:
        self.root = root
        self.ticks: int = os.sysconf("SC_CLK_TCK")
        self._boot_time: Optional[float] = None

    def path(self, *parts: object) -> str:
        """Return the path of an entry: ``path(1, "task", 7, "stat")``."""
        return os.path.join(self.root, *(str(part) for part in parts))

    def read(self, *parts: object, limit: int = 1 << 24) -> bytes:
        """Return the content of an entry, at most ``limit`` bytes."""
        descriptor = os.open(self.path(*parts), os.O_RDONLY | os.O_CLOEXEC)
        try:
            chunks: List[bytes] = []
            left = limit
            while left > 0:
                chunk = os.read(descriptor, min(left, 1 << 16))
                if not chunk:
                    break
                chunks.append(chunk)
                left -= len(chunk)
            return b"".join(chunks)
        finally:
            os.close(descriptor)

    def text(self, *parts: object, limit: int = 1 << 24) -> str:
        """Return the content of an entry as text."""
        return text_of(self.read(*parts, limit=limit))

    def link(self, *parts: object) -> str:
        """Return where a symbolic link points to."""
        return text_of(os.readlink(os.fsencode(self.path(*parts))))

    def pids(self) -> List[int]:
        """Return the processes there are, in order."""
        return sorted(int(name) for name in os.listdir(self.root) if name.isdigit())

    def threads(self, pid: int) -> List[int]:
        """Return the native thread ids of a process, in order."""
        return sorted(int(name) for name in os.listdir(self.path(pid, "task")) if name.isdigit())

    def exists(self, pid: int) -> bool:
        """Say whether the process is there and more than a zombie."""
        try:
            return self.stat(pid).state not in ("Z", "X")
        except (OSError, ValueError):
            return False

    def status(self, *parts: object) -> Dict[str, str]:
        """Return the lines of a status file: ``status(pid)`` or ``status(pid, "task", tid)``."""
        result: Dict[str, str] = {}
        for line in self.text(*parts, "status").splitlines():
            name, found, value = line.partition(":")
            if found and name not in result:
                result[name] = value.strip()
        return result

    def stat(self, *parts: object) -> Stat:
        """Return the fields of a stat file: ``stat(pid)`` or ``stat(pid, "task", tid)``."""
        raw = self.read(*parts, "stat", limit=1 << 14)
        # The name may hold any byte, ")" and spaces included.
        opening, closing = raw.index(b"("), raw.rindex(b")")
        fields = raw[closing + 1 :].split()
        return Stat(
            comm=text_of(raw[opening + 1 : closing]),
            state=fields[0].decode("ascii"),
            parent=int(fields[1]),
            flags=int(fields[6]),
            cpu=(int(fields[11]) + int(fields[12])) / self.ticks,
            threads=int(fields[17]),
            start_ticks=int(fields[19]),
            start_stack=int(fields[25]),
            argument_start=int(fields[45]) if len(fields) > 45 else 0,
        )

    def boot_time(self) -> float:
        """Return when the machine started, in seconds since 1970."""
        if self._boot_time is None:
            for line in self.read("stat").splitlines():
                if line.startswith(b"btime "):
                    self._boot_time = float(line.split()[1])
                    break
            else:
                raise ValueError("no btime in /proc/stat")
        return self._boot_time

    def started(self, pid: int) -> float:
        """Return when the process started, in seconds since 1970."""
        return self.boot_time() + self.stat(pid).start_ticks / self.ticks

    def command(self, pid: int, limit: int = 1 << 17) -> List[str]:
        """Return the arguments of a process. They are not masked: do not send them as they are."""
        raw = self.read(pid, "cmdline", limit=limit)
        # Programs that set a title leave the rest of the area filled with NUL.
        raw = raw.rstrip(b"\0")
        return [text_of(part) for part in raw.split(b"\0")] if raw else []

    def maps(self, pid: int) -> List[Mapping]:
        """Return the memory map of a process; OSError (E2BIG) where that has more than a real one comes to."""
        result: List[Mapping] = []
        # Thousands of lines say the same.
        texts: Dict[bytes, str] = {}
        left = _MOST_MAPS
        with open(self.path(pid, "maps"), "rb") as file:
            for line in file:
                left -= len(line)
                if left < 0 or len(result) >= _MOST_MAPPINGS:
                    raise OSError(errno.E2BIG, "has more mappings of memory than are read")
                words = line.split(None, 5)
                if len(words) < 5:
                    continue
                start, _, end = words[0].partition(b"-")
                permissions, device, path = words[1], words[3], words[5].rstrip(b"\n") if len(words) > 5 else b""
                for word in (permissions, device, path):
                    if word not in texts:
                        texts[word] = text_of(word)
                result.append(
                    Mapping(
                        int(start, 16), int(end, 16), texts[permissions], int(words[2], 16), texts[device],
                        int(words[4]), texts[path],
                    )
                )
        return result
