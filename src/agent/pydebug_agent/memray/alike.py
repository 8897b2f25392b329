"""Whether what is tried out beside the target runs under what the target runs under: filters, labels, rights."""

from __future__ import annotations

import os
from typing import Dict, NamedTuple, Optional, Set

from ..inject.symbols import unsafe
from ..system.errors import AgentError
from ..system.proc import Proc

_SYS_ADMIN = 1 << 21
_LABELS = (("attr", "current"), ("attr", "apparmor", "current"))


class Confinement(NamedTuple):
    """What the kernel holds one thread to: its mode of seccomp, how many filters, None where it does not say.

    And its labels.
    """

    mode: int
    filters: Optional[int]
    labels: Dict[str, str]
    # A filter of its own needs one of these.
    may_add: bool


def check_session(pid: int, proc: Proc) -> None:
    """Raise where this session is not to rehearse for a process, or nothing it rehearses would tell."""
    own = proc.status("self")
    if _capabilities(own, "CapEff") & _SYS_ADMIN:
        raise unsafe(
            pid,
            "privileged",
            "this session is privileged: what is tried out in it is held to nothing that the application is held to",
        )
    check_alike(pid, os.getpid(), proc)


def check_alike(pid: int, other: int, proc: Proc) -> None:
    """Raise where a thread of a process is held to more than another process, or under another label."""
    beside = confinement(proc, other)
    for tid in proc.threads(pid):
        try:
            found = confinement(proc, pid, "task", tid)
            _compare(pid, tid, found, beside)
        except (FileNotFoundError, ProcessLookupError):
            continue
        except AgentError as error:
            # Whether another debug container would do: not where the process has put itself under more.
            first = confinement(proc, 1)
            is_own = bool(beside.mode) if error.detail["reason"] == "seccomp" else first.labels == beside.labels
            error.detail["container"] = "own" if is_own or first.mode < found.mode else "container"
            raise


def confinement(proc: Proc, *parts: object) -> Confinement:
    """Return what a process or a thread is held to."""
    status = proc.status(*parts)
    count = status.get("Seccomp_filters")
    labels: Dict[str, str] = {}
    for place in _LABELS:
        try:
            label = proc.text(*parts, *place, limit=4096).strip("\0\n ")
        except OSError:
            continue
        if label:
            labels["/".join(place)] = label
    rights = _capabilities(status, "CapBnd") | _capabilities(status, "CapPrm")
    return Confinement(
        int(status.get("Seccomp", "0")),
        int(count) if count is not None else None,
        labels,
        status.get("NoNewPrivs", "1") != "0" or bool(rights & _SYS_ADMIN),
    )


def _compare(pid: int, tid: int, found: Confinement, beside: Confinement) -> None:
    if found.mode == 1:
        raise _seccomp(pid, tid, found, beside, "may make three system calls alone")
    if found.filters is not None and beside.filters is not None:
        if found.filters > beside.filters:
            words = "is held to one more seccomp filter" if found.filters - beside.filters == 1 else (
                f"is held to {found.filters - beside.filters} more seccomp filters"
            )
            raise _seccomp(pid, tid, found, beside, f"{words} than what runs beside it")
    elif found.mode > beside.mode:
        raise _seccomp(pid, tid, found, beside, "is held to a seccomp filter, and what runs beside it is not")
    elif found.mode and found.may_add:
        raise _seccomp(
            pid, tid, found, beside, "may have a seccomp filter of its own: this kernel does not say how many")
    if _differ(found.labels, beside.labels):
        raise unsafe(
            pid,
            "lsm",
            f"thread {tid} runs under {_named(found.labels)}, and what runs beside it under {_named(beside.labels)}",
            {"found": _named(found.labels), "own": _named(beside.labels)},
        )


def _differ(found: Dict[str, str], beside: Dict[str, str]) -> bool:
    names: Set[str] = set(found) | set(beside)
    return any(found.get(name) != beside.get(name) for name in names)


def _named(labels: Dict[str, str]) -> str:
    return ", ".join(sorted(set(labels.values()))) or "no label that can be read"


def _seccomp(pid: int, tid: int, found: Confinement, beside: Confinement, words: str) -> AgentError:
    detail = {"thread": tid, "mode": found.mode, "filters": found.filters, "own": beside.filters}
    return unsafe(pid, "seccomp", f"thread {tid} {words}", detail)


def _capabilities(status: Dict[str, str], name: str) -> int:
    try:
        return int(status.get(name, "0"), 16)
    except ValueError:
        return 0
