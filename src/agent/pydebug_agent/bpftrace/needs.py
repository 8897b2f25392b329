"""What bpftrace needs in its container, looked at before anything runs."""

from __future__ import annotations

import errno
import os
from typing import List, Optional, Sequence, Tuple

from .. import wire
from ..bpf.refusals import in_user_namespace, lockdown
from ..protocol.hello import capabilities
from ..system import errors
from ..system.proc import Proc
from ..tools.payload import Executable

_DIRECTORIES = ("/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin")
_TYPES = "/sys/kernel/btf/vmlinux"
_TRACING = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")
_SECCOMP_FILTER = 2
# What is attached by files in tracefs.
_BY_TRACEFS = {"tracepoint", "usdt", "kprobe", "kretprobe"}
# What the kernel lets no one attach who has BPF and PERFMON alone.
_BY_ADMIN = {"uprobe", "uretprobe", "usdt"}
# From here on it loads its programs with BPF and PERFMON; before, it wants to be administrator.
_FIRST_WITHOUT_ADMIN = (0, 20)
# From here on it reads tracefs for whatever it attaches.
_FIRST_WITH_TRACEFS = (0, 24)


def find() -> Executable:
    """Return the bpftrace of this container."""
    for directory in _DIRECTORIES:
        path = os.path.join(directory, "bpftrace")
        if os.access(path, os.X_OK):
            return Executable("bpftrace", os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    raise _unmet(wire.TOOL_UNAVAILABLE, "The debug container has no bpftrace.", [])


def require(proc: Proc, probes: Sequence[str], version: Tuple[int, int]) -> Optional[str]:
    """Raise the first thing that is missing. Return where tracefs is, None where it is not needed and not there."""
    kinds = set(probes)
    have = set(capabilities(proc))
    _require_capabilities(have, kinds, version)
    if in_user_namespace(proc):
        raise _unmet(
            wire.NO_CAPABILITY,
            "bpftrace cannot run: the pod has a user namespace of its own, where no capability counts for BPF.",
            [],
            found="userns",
        )
    if lockdown() == "confidentiality":
        raise _unmet(
            wire.LOCKDOWN, "bpftrace cannot run: the node's kernel is locked down (confidentiality).", []
        )
    if not os.path.exists(_TYPES):
        raise _unmet(
            wire.NO_BTF, f"bpftrace cannot run: the node's kernel does not describe its types (no {_TYPES}).", []
        )
    wanted = bool(kinds & _BY_TRACEFS) or version >= _FIRST_WITH_TRACEFS
    return _tracefs(proc, have, wanted, sorted(kinds & _BY_TRACEFS))


def is_filtered(proc: Proc) -> bool:
    """Say whether a seccomp filter stands between this container and the kernel."""
    return proc.status("self").get("Seccomp", "0") == str(_SECCOMP_FILTER)


def _require_capabilities(have: "set[str]", kinds: "set[str]", version: Tuple[int, int]) -> None:
    if "SYS_ADMIN" in have:
        return
    missing = [name for name in ("BPF", "PERFMON") if name not in have]
    if missing:
        names = " and ".join("CAP_" + name for name in missing)
        raise _unmet(wire.NO_CAPABILITY, f"bpftrace cannot run: the debug container has no {names}.", missing)
    if version < _FIRST_WITHOUT_ADMIN:
        raise _unmet(
            wire.NO_CAPABILITY,
            "bpftrace %d.%d cannot run: it wants CAP_SYS_ADMIN, which the debug container has not." % version,
            ["SYS_ADMIN"],
        )
    attached = sorted(kinds & _BY_ADMIN)
    if attached:
        raise _unmet(
            wire.NO_CAPABILITY,
            f"A probe of kind {attached[0]} cannot be attached: that wants CAP_SYS_ADMIN, "
            "which the debug container has not.",
            ["SYS_ADMIN"],
        )


def _tracefs(proc: Proc, have: "set[str]", wanted: bool, kinds: List[str]) -> Optional[str]:
    for place in _TRACING:
        if os.path.isdir(os.path.join(place, "events")):
            return place
    tried = _mount(_TRACING[0])
    if tried is None:
        return _TRACING[0]
    if not wanted:
        return None
    why = f"Probes of kind {' and '.join(kinds)} need it" if kinds else "This version of bpftrace needs it"
    missing = [] if "SYS_ADMIN" in have else ["SYS_ADMIN"]
    raise _unmet(
        wire.NO_TRACEFS,
        f"tracefs is not mounted in the debug container, and mounting it failed ({tried}). {why}.",
        missing,
    )


def _mount(place: str) -> Optional[str]:
    """Mount tracefs for this container alone; return why that failed."""
    if not os.path.isdir(place):
        return f"the kernel has no {place}"
    try:
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        done = libc.mount(b"tracefs", place.encode(), b"tracefs", 0, None)
        number = ctypes.get_errno()
    except (ImportError, OSError, AttributeError) as error:
        return str(error)
    return None if done == 0 or number == errno.EBUSY else os.strerror(number)


def _unmet(cause: str, message: str, missing: List[str], found: str = "") -> errors.AgentError:
    return errors.AgentError(
        cause, message, detail={"tool": "bpftrace", "missing": " ".join(missing), "found": found}
    )
