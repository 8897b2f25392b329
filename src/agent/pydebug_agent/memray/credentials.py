"""Who the target is, and what a process of ours needs to be like it."""

from __future__ import annotations

import os
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from ..system.launch import Heard, Credentials, launch
from ..system.proc import Proc
from ..system.spawn import Limit

_LOADER = ("LD_", "PYTHON", "MALLOC_", "GLIBC_TUNABLES")
_PATH = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
_NOBODY = 65534
_SYS_PTRACE = 1 << 19
# What tracking starts in a process, and one to spare.
_THREADS = 4
_LIMITS = {
    "Max cpu time": "CPU", "Max file size": "FSIZE", "Max data size": "DATA", "Max stack size": "STACK",
    "Max resident set": "RSS", "Max processes": "NPROC", "Max open files": "NOFILE", "Max locked memory": "MEMLOCK",
    "Max address space": "AS", "Max pending signals": "SIGPENDING", "Max msgqueue size": "MSGQUEUE",
    "Max nice priority": "NICE", "Max realtime priority": "RTPRIO",
}


def credentials_of(pid: int, proc: Proc) -> Credentials:
    """Return who a process is, by the ids that the kernel checks its files with."""
    status = proc.status(pid)
    user = int(status["Uid"].split()[3])
    group = int(status["Gid"].split()[3])
    return Credentials(user, group, [int(word) for word in status.get("Groups", "").split()])


def nobody(proc: Proc) -> Credentials:
    """Return who reads what came from elsewhere: a user that owns nothing, where this process may become one."""
    return Credentials(_NOBODY, _NOBODY, []) if os.geteuid() == 0 else credentials_of(os.getpid(), proc)


def limits_of(pid: int, proc: Proc) -> List[Limit]:
    """Return the limits of a process, for ``resource.setrlimit``."""
    import resource

    found: List[Limit] = []
    for line in proc.text(pid, "limits", limit=1 << 14).splitlines():
        name = _LIMITS.get(line[:26].strip())
        kind: Optional[int] = getattr(resource, f"RLIMIT_{name}", None) if name is not None else None
        words = line[26:].split()
        if kind is not None and len(words) >= 2:
            soft, hard = (resource.RLIM_INFINITY if word == "unlimited" else int(word) for word in words[:2])
            found.append((kind, soft, hard))
    return found


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


def _own_capabilities() -> int:
    return int(Proc().status("self").get("CapEff", "0"), 16)


class Interpreter(NamedTuple):
    """An interpreter that can be run as the target is: ``how`` it compares, its path, and the root it lies in.

    Without a root it is our own, which nobody but we may read then: it has our files before it.
    """

    how: str
    path: str
    root: Optional[str]
    credentials: Credentials
    environment: Dict[str, str]
    limits: List[Limit]

    def run(self, source: str, keep: Sequence[int] = (), isolated: bool = False) -> Heard:
        """Start it with a program. ``isolated``: without what the environment adds to it, and without limits."""
        limits, threads = ([], 0) if isolated else (self.limits, _THREADS)
        if self.root is None:
            # What is rehearsed in must be open to us; with this right it is, and to nobody else.
            hidden = isolated or bool(_own_capabilities() & _SYS_PTRACE)
            return launch(
                self.credentials, {"source": source}, keep, hidden=hidden, limits=limits, threads=threads
            )
        flags = ["-I", "-S", "-B"] if isolated else ["-S", "-s", "-B"]
        program: Dict[str, Any] = {
            "path": self.path,
            "arguments": [self.path, *flags, "-c", source],
            "environment": self.environment,
        }
        return launch(self.credentials, program, keep, self.root, limits=limits, threads=threads)
