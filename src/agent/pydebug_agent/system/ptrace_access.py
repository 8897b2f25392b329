"""Why a process may not be read: the cause by evidence, not by guess."""

from __future__ import annotations

import os
from typing import Any, Callable, Dict, Optional, Tuple

from .. import wire
from .errors import AgentError
from .proc import Proc

_SYS_PTRACE = 1 << 19


def ptrace_denied(
    pid: int,
    proc: Proc,
    reason: str = "",
    self_read: Optional[Callable[[], Optional[bool]]] = None,
) -> AgentError:
    """Return the error for a process that ptrace, its memory or its maps refused.

    ``reason`` is the kernel's word ("Operation not permitted"). ``self_read`` says whether this process may read its
    own memory with process_vm_readv (None: cannot be tried); tests replace it.
    """
    detail = _evidence(pid, proc)
    found, sentence = _judge(detail, self_read or _reads_itself)
    detail["found"] = found
    if reason:
        detail["reason"] = reason
    return AgentError(wire.PTRACE_DENIED, f"Process {pid} may not be read: {sentence}.", pid, detail)


def ptrace_scope(proc: Proc) -> Optional[int]:
    """Return Yama's ptrace_scope, None where the kernel has no Yama."""
    try:
        return int(proc.text("sys", "kernel", "yama", "ptrace_scope"))
    except (OSError, ValueError):
        return None


def _evidence(pid: int, proc: Proc) -> Dict[str, Any]:
    own = proc.status("self")
    detail: Dict[str, Any] = {
        "ptraceScope": ptrace_scope(proc),
        "uid": _number(own, "Uid", 1),
        "hasPtrace": bool(_capabilities(own, "CapEff") & _SYS_PTRACE),
        "seccomp": _number(own, "Seccomp", 0),
        "targetUid": None,
        "targetUids": None,
        "targetHasMore": None,
        "dumpable": None,
        "otherUserNamespace": _other_user_namespace(pid, proc),
        "profile": None,
    }
    try:
        target = proc.status(pid)
        owner = os.stat(proc.path(pid, "status")).st_uid
    except OSError:
        return detail
    uids = [int(word) for word in target.get("Uid", "").split()]
    detail["targetUid"] = uids[1] if len(uids) > 1 else None
    detail["targetUids"] = sorted(set(uids[:3]))
    detail["targetHasMore"] = bool(_capabilities(target, "CapPrm") & ~_capabilities(own, "CapPrm"))
    # The kernel hands the files of a process that must not be dumped to root; their directory stays its user's.
    detail["dumpable"] = not (uids and uids[1] != 0 and owner != uids[1])
    detail["profile"] = _profile(pid, proc)
    return detail


def _judge(detail: Dict[str, Any], self_read: Callable[[], Optional[bool]]) -> Tuple[str, str]:
    scope = detail["ptraceScope"]
    target_uid = detail["targetUid"]
    if detail["seccomp"] and self_read() is False:
        return "seccomp", "the container's seccomp profile forbids process_vm_readv, even on the agent itself"
    if detail["otherUserNamespace"]:
        return "userns", "it runs in another user namespace, where the agent has no rights"
    if scope == 3:
        return "yama", "the node's Yama setting (ptrace_scope 3) forbids it to everyone until the next boot"
    if not detail["hasPtrace"]:
        if target_uid is not None and detail["targetUids"] != [detail["uid"]]:
            if detail["uid"] == 0:
                return "capability", f"it runs as UID {target_uid}, and the agent, though root, has no CAP_SYS_PTRACE"
            return "uid", f"it runs as UID {target_uid}, the agent as UID {detail['uid']} without CAP_SYS_PTRACE"
        if scope in (1, 2):
            return "yama", f"the node's Yama setting (ptrace_scope {scope}) wants CAP_SYS_PTRACE, and it is not there"
        if detail["targetHasMore"]:
            return "capability", "it has capabilities that the agent has not, and the agent has no CAP_SYS_PTRACE"
        if detail["dumpable"] is False:
            return "capability", (
                "it changed its user after it began, or is marked as not dumpable, which wants CAP_SYS_PTRACE, and the "
                "agent has none"
            )
    if detail["profile"]:
        return "unknown", f"the security module says no (it runs under {detail['profile']})"
    return "unknown", "the kernel says no, and capability, UID, Yama, seccomp and user namespace do not explain it"


def _other_user_namespace(pid: int, proc: Proc) -> bool:
    try:
        return proc.link("self", "ns", "user") != proc.link(pid, "ns", "user")
    except OSError:
        pass
    # The link wants the very permission that is missing; the map can be read by all.
    try:
        return proc.text("self", "uid_map").split() != proc.text(pid, "uid_map").split()
    except OSError:
        return False


def _profile(pid: int, proc: Proc) -> Optional[str]:
    try:
        label = proc.text(pid, "attr", "current", limit=256).strip("\0\n ")
    except OSError:
        return None
    return label if label and label != "unconfined" else None


def _capabilities(status: Dict[str, str], name: str) -> int:
    try:
        return int(status.get(name, "0"), 16)
    except ValueError:
        return 0


def _number(status: Dict[str, str], name: str, index: int) -> int:
    words = status.get(name, "").split()
    return int(words[index]) if len(words) > index else 0


def _reads_itself() -> Optional[bool]:
    try:
        import ctypes
    except ImportError:
        return None

    class Vector(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]

    source = ctypes.create_string_buffer(b"probe", 8)
    target = ctypes.create_string_buffer(8)
    local = Vector(ctypes.addressof(target), 8)
    remote = Vector(ctypes.addressof(source), 8)
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        call = libc.process_vm_readv
    except AttributeError:
        return None
    call.restype = ctypes.c_ssize_t
    call.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_ulong]
    return bool(call(os.getpid(), ctypes.byref(local), 1, ctypes.byref(remote), 1, 0) == 8)
