"""Why the kernel's sampler cannot be had: the cause by evidence, not by guess."""

from __future__ import annotations

import errno
import os
from typing import Any, Dict, List, Optional

from .. import wire
from ..system import errors
from ..system.proc import Proc
from .syscalls import KernelRefusal

_BITS = {"CAP_BPF": 39, "CAP_PERFMON": 38, "CAP_SYS_ADMIN": 21, "CAP_SYS_PTRACE": 19}
_LOCKDOWN = "/sys/kernel/security/lockdown"
_NEEDED = "It needs CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE, or CAP_SYS_ADMIN and CAP_SYS_PTRACE"


def refused(refusal: KernelRefusal, proc: Proc) -> errors.AgentError:
    """Return the error for a call that the kernel refused."""
    evidence = _evidence(proc)
    detail: Dict[str, Any] = dict(evidence)
    detail["stage"] = refusal.stage
    detail["errno"] = errno.errorcode.get(refusal.errno or 0, str(refusal.errno))
    if refusal.log:
        detail["log"] = refusal.log
    cause, sentence = _judge(refusal, evidence)
    if cause == wire.NO_CAPABILITY and evidence["userNamespace"]:
        # More capabilities would not help: they do not count there.
        detail["found"] = "userns"
    return errors.AgentError(cause, "The kernel's sampler cannot be used: %s." % sentence, detail=detail)


def no_types(reason: str) -> errors.AgentError:
    """Return the error for a kernel that does not describe its types."""
    return errors.AgentError(
        wire.NO_BTF,
        "The kernel's sampler cannot be used: the node's kernel does not describe its types (%s)." % reason,
        detail={"reason": reason},
    )


def too_old(missing: List[str]) -> errors.AgentError:
    """Return the error for a kernel that lacks what the programs read."""
    return errors.AgentError(
        wire.KERNEL,
        "The kernel's sampler cannot be used: Linux %s has no %s." % (os.uname().release, ", ".join(missing[:4])),
        detail={"missing": missing},
    )


def _judge(refusal: KernelRefusal, evidence: Dict[str, Any]) -> "tuple[str, str]":
    number, stage = refusal.errno, refusal.stage
    word = "%s: %s" % (stage, os.strerror(number or 0))
    denied = number in (errno.EPERM, errno.EACCES) and not refusal.log
    missing = _missing(evidence["capabilities"])
    if evidence["lockdown"] == "confidentiality" and (denied or refusal.log):
        return wire.LOCKDOWN, "the node's kernel is locked down (confidentiality), which forbids it (%s)" % word
    if denied and evidence["userNamespace"]:
        return (
            wire.NO_CAPABILITY,
            "the debug container runs in a user namespace, where its capabilities do not count for BPF (%s)" % word,
        )
    if denied and missing:
        return wire.NO_CAPABILITY, "the agent has no %s (%s). %s" % (" and no ".join(missing), word, _NEEDED)
    if (denied or number == errno.ENOSYS) and evidence["seccomp"] == 2:
        return wire.SECCOMP, "the debug container's seccomp profile forbids it (%s)" % word
    if number == errno.EMFILE:
        return wire.TOO_MANY_THREADS, "the agent may not open a descriptor for each thread (%s)" % word
    return wire.KERNEL, "Linux %s refused it (%s)" % (os.uname().release, word)


def _missing(capabilities: List[str]) -> List[str]:
    """All that is missing is named, not what this call wants alone: the next call would want the other."""
    if "CAP_SYS_ADMIN" in capabilities:
        return []
    return [name for name in ("CAP_BPF", "CAP_PERFMON") if name not in capabilities]


def _evidence(proc: Proc) -> Dict[str, Any]:
    status = proc.status("self")
    effective = int(status.get("CapEff", "0"), 16)
    return {
        "capabilities": [name for name, bit in _BITS.items() if effective >> bit & 1],
        "seccomp": int(status.get("Seccomp", "0") or 0),
        "lockdown": lockdown(),
        "userNamespace": in_user_namespace(proc),
    }


def in_user_namespace(proc: Proc) -> bool:
    """Say whether this process is in a user namespace of its own."""
    try:
        return proc.text("self", "uid_map").split() != ["0", "0", "4294967295"]
    except OSError:
        return False


def lockdown() -> Optional[str]:
    """Return how the kernel is locked down, None where it does not say."""
    try:
        with open(_LOCKDOWN, encoding="ascii") as file:
            text = file.read()
    except OSError:
        return None
    return text.partition("[")[2].partition("]")[0] or None
