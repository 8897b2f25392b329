"""Child processes that are nobody more than the target: its user, its groups, no capability, gone when we are."""

from __future__ import annotations

import os
import resource
import struct
import subprocess
import sys
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence

from ..proc import Proc

_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 24, 38
_SIGKILL = 9
_CAPABILITIES_3 = 0x20080522
_LAST_CAPABILITY = 63
_WAIT = "import sys; sys.stdout.write('.'); sys.stdout.flush(); sys.stdin.read()"
_LOADER = ("LD_", "PYTHON", "MALLOC_", "GLIBC_TUNABLES")
_PATH = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}


class Person(NamedTuple):
    """Who the target is."""

    user: int
    group: int
    groups: List[int]


def person_of(pid: int, proc: Proc) -> Person:
    """Return who a process is, by the ids that the kernel checks its files with."""
    status = proc.status(pid)
    user = int(status["Uid"].split()[3])
    group = int(status["Gid"].split()[3])
    return Person(user, group, [int(word) for word in status.get("Groups", "").split()])


def loader_environment(pid: int, proc: Proc) -> Dict[str, str]:
    """Return what of a process's environment changes how a program is loaded and Python starts, and nothing else."""
    found = dict(_PATH)
    try:
        raw = proc.read(pid, "environ", limit=1 << 20)
    except OSError:
        return found
    for entry in raw.split(b"\0"):
        name, _, value = entry.partition(b"=")
        key = name.decode("utf-8", "surrogateescape")
        if key.startswith(_LOADER):
            found[key] = value.decode("utf-8", "surrogateescape")
    # It would wait for input, or write where it must not.
    for key in ("PYTHONINSPECT", "PYTHONSTARTUP", "PYTHONTRACEMALLOC", "PYTHONPYCACHEPREFIX", "PYTHONASYNCIODEBUG"):
        found.pop(key, None)
    return found


def become(person: Person, root: Optional[str] = None) -> Callable[[], None]:
    """Return what a child does before it runs its program. To be called in the parent: it loads what is needed."""
    import ctypes

    libc: Any = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()
    header = ctypes.create_string_buffer(struct.pack("<Ii", _CAPABILITIES_3, 0), 8)
    nothing = ctypes.create_string_buffer(24)
    as_root = os.geteuid() == 0

    def act() -> None:
        if root is not None:
            os.chroot(root)
            os.chdir("/")
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if as_root:
            for capability in range(_LAST_CAPABILITY):
                libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
            try:
                os.setgroups(person.groups)
            except OSError:
                os.setgroups([])
            os.setresgid(person.group, person.group, person.group)
            os.setresuid(person.user, person.user, person.user)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        libc.capset(header, nothing)
        # A change of user takes it back, so it comes last.
        libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(127)

    return act


class Helper:
    """A process through which the target sees our files: through its root, or as what it holds open (``keep``).

    It does nothing and ends with its stdin.
    """

    def __init__(self, person: Person, keep: Sequence[int] = ()) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", "-c", _WAIT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=list(keep),
            preexec_fn=become(person),
            start_new_session=True,
            cwd="/",
            env=_PATH,
        )
        assert self._process.stdout is not None
        if self._process.stdout.read(1) != b".":
            self.close()
            raise OSError("the helper did not start")

    @property
    def pid(self) -> int:
        return self._process.pid

    def seen(self, path: str) -> str:
        """Return a path of ours as the target sees it."""
        return f"/proc/{self.pid}/root{path}"

    def close(self) -> None:
        """End it."""
        end(self._process)


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a child and bury it."""
    if process.poll() is None:
        process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()


class Interpreter(NamedTuple):
    """An interpreter that can be run as the target is: ``how`` it compares, its path, and the root it lies in."""

    how: str
    path: str
    root: Optional[str]
    person: Person
    environment: Dict[str, str]

    def run(self, source: str, keep: Sequence[int] = ()) -> "subprocess.Popen[bytes]":
        """Start it with a program; its output and its errors are pipes."""
        return subprocess.Popen(
            [self.path, "-S", "-s", "-B", "-c", source],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=list(keep),
            preexec_fn=become(self.person, self.root),
            start_new_session=True,
            cwd=None if self.root else "/",
            env=self.environment,
        )
