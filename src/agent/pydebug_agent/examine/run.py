"""What the node's kernel and the target's processes allow: looked at alone, nothing is tried out on them."""

from __future__ import annotations

import os
from typing import Any, Dict, Optional

from ..bpf.refusals import in_user_namespace, lockdown
from ..inject.libraries import libc_of
from ..protocol.hello import capabilities
from ..system.proc import Proc
from ..system.ptrace_access import ptrace_scope
from ..target.request import Request

_TYPES = "/sys/kernel/btf/vmlinux"
_TRACING = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")
_MOST_PYTHONS = 64


def examine(request: Request) -> None:
    """Send one "examine" result."""
    proc = request.proc
    described = request.processes().describe()
    request.result(
        {
            "kind": "examine",
            "kernel": os.uname().release,
            "machine": os.uname().machine,
            "btf": os.path.exists(_TYPES),
            "tracefs": any(os.path.isdir(os.path.join(place, "events")) for place in _TRACING),
            "yama": ptrace_scope(proc),
            "lockdown": lockdown(),
            "userNamespace": in_user_namespace(proc),
            "capabilities": capabilities(proc),
            "pythons": [_python(proc, entry) for entry in described[:_MOST_PYTHONS]],
            "pythonCount": len(described),
        }
    )


def _python(proc: Proc, entry: Dict[str, Any]) -> Dict[str, Any]:
    pid = int(entry["pid"])
    return {
        "pid": pid,
        "version": entry["version"],
        "implementation": entry["implementation"],
        "libc": _libc(proc, pid),
        "readable": _readable(proc, pid),
    }


def _libc(proc: Proc, pid: int) -> Optional[str]:
    try:
        return libc_of(proc.maps(pid))
    except OSError:
        return None


def _readable(proc: Proc, pid: int) -> Optional[bool]:
    """Say whether the kernel lets this process read the other.

    It asks that when the file is opened, and nothing is read.
    """
    try:
        os.close(os.open(proc.path(pid, "mem"), os.O_RDONLY | os.O_CLOEXEC))
    except PermissionError:
        return False
    except OSError:
        return None
    return True
