"""Which threads a program is to see, as expressions of bpftrace's language."""

from __future__ import annotations

import os
import re
from typing import Dict, List, Mapping, Sequence, Set

from .. import wire
from ..bpf.btf import Btf
from ..system import plain_paths
from ..system.errors import AgentError
from ..system.proc import Proc
from ..target.containers import Containers
from ..target.processes import check_container
from ..target.request import Request

_SAME_START_SECONDS = 2.0
_MOST_NAMESPACES = 16
_NUMBERS = ("pid", "numbers")
_FILES = {
    "libc": re.compile(r"/(?:libc\.so\.6|libc-2[^/]*\.so|ld-musl-[^/]*|libc\.musl-[^/]*)$"),
    "python": re.compile(r"/libpython3[^/]*$"),
}
_PLAIN = re.compile(r"/[A-Za-z0-9_./+@=~-]+")
# struct upid: the number and the namespace it counts in.
_NUMBER_BYTES = 16


def expressions(request: Request, node: bool, pids: Sequence[int]) -> Dict[str, str]:
    """Return what ``target``, ``pid`` and ``tid`` stand for.

    A container's processes share its mount namespace, which no other container has. bpftrace's own pid and tid are
    the node's numbers in old versions, and change places inside a PID namespace in some newer ones.
    """
    if node:
        return {"target": "1", "pid": "curtask->tgid", "tid": "curtask->pid"}
    offset = _offset_of_numbers()
    pid = _number("curtask->group_leader->thread_pid", offset)
    request.tell_apart()
    namespaces = _mount_namespaces(request.proc, request.containers)
    target = _any_of("curtask->nsproxy->mnt_ns->ns.inum", namespaces)
    if request.flag("checks"):
        # A thread that ends has none any more. That is no failed read to tell of.
        target = f"((uint64)curtask->nsproxy != 0 && {target})"
    if pids:
        _require(request, pids)
        target = f"({target} && {_any_of(pid, pids)})"
    return {"target": target, "pid": pid, "tid": _number("curtask->thread_pid", offset)}


def places(request: Request, names: Set[str], pids: Sequence[int]) -> Dict[str, str]:
    """Return the files of the target that are asked for, as they are reached from here."""
    found: Dict[str, str] = {}
    wanted = names & set(_FILES)
    if not wanted:
        return found
    pid = pids[0] if pids else request.processes().pythons[0]
    files = [mapping.path for mapping in request.proc.maps(pid) if "x" in mapping.permissions]
    for name in wanted:
        matching = [path for path in files if _FILES[name].search(path)]
        if name == "python" and not matching:
            matching = [request.proc.link(pid, "exe")]
        if not matching:
            raise AgentError(
                wire.TOOL_FAILED,
                f"Process {pid} has no {name} that a probe could be put in.",
                pid,
                {"tool": "bpftrace"},
            )
        found[name] = _reached(request.proc, pid, name, matching)
    return found


def _reached(proc: Proc, pid: int, name: str, matching: List[str]) -> str:
    """Return one of some files as it is reached from here.

    What it is called becomes part of a program that is run as root. Its name is the target's to choose: one of other
    than plain letters could be a program of its own. A link that lies on the way by now could lead into our files.
    """
    plain = [path for path in matching if _PLAIN.fullmatch(path)]
    if not plain:
        raise AgentError(
            wire.TOOL_FAILED,
            f"Process {pid} has its {name} in a file whose path has other letters than a probe can have in it.",
            pid,
            {"tool": "bpftrace", "reason": "path"},
        )
    for path in plain:
        whole = proc.path(pid, "root") + path
        try:
            os.close(plain_paths.handle(whole))
            return whole
        except OSError:
            continue
    raise AgentError(
        wire.TOOL_FAILED,
        f"The file of process {pid} that has its {name} lies no more where it was: no probe can be put in it.",
        pid,
        {"tool": "bpftrace", "reason": "path"},
    )


def _number(thread: str, offset: int) -> str:
    """The number of a thread or process in the namespace it lives in."""
    return f"(*(int32 *)kptr((uint64){thread} + {offset} + {_NUMBER_BYTES} * (uint64){thread}->level))"


def _any_of(value: str, numbers: Sequence[int]) -> str:
    return "(" + " || ".join(f"{value} == {number}" for number in numbers) + ")"


def _offset_of_numbers() -> int:
    try:
        types = Btf({_NUMBERS}, set())
    except (OSError, ValueError) as error:
        raise AgentError(
            wire.NO_BTF,
            f"The kernel's description of its types cannot be read: {error}.",
            detail={"tool": "bpftrace"},
        ) from error
    if types.missing:
        raise AgentError(wire.NO_BTF, "The kernel's types lack pid.numbers.", detail={"tool": "bpftrace"})
    return types.members[_NUMBERS]


def _mount_namespaces(proc: Proc, containers: Containers) -> List[int]:
    found: Set[int] = set()
    for pid in proc.pids():
        try:
            if containers.in_target(pid) is not False:
                found.add(int(proc.link(pid, "ns", "mnt").strip("mnt:[]")))
        except (OSError, ValueError):
            continue
    if not found:
        raise AgentError(
            wire.TARGET_NOT_VISIBLE,
            "No process of the target container can be seen: it does not share its process namespace.",
        )
    return sorted(found)[:_MOST_NAMESPACES]


def _require(request: Request, pids: Sequence[int]) -> None:
    started: Mapping[str, float] = request.started()
    for pid in pids:
        if not request.proc.exists(pid):
            raise AgentError(wire.PROCESS_GONE, f"Process {pid} is gone.", pid)
        expected = started.get(str(pid))
        if expected is not None and abs(request.proc.started(pid) - float(expected)) > _SAME_START_SECONDS:
            raise AgentError(wire.PROCESS_GONE, f"Process {pid} is gone; its number belongs to another one now.", pid)
        check_container(request.containers, pid)
