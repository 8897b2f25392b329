"""Which memray fits a process, and what of the compiler's runtime its image lacks."""

from __future__ import annotations

import os
from typing import Dict

from .. import wire
from ..inject.libraries import libc_of
from ..inject.symbols import unsafe
from ..reader.target import Target
from ..system.errors import AgentError
from ..target.request import Request
from ..tools.payload import obtain
from .interpreters import missing_libraries
from .scratch_files import ScratchFiles, members

VERSION = "1.20.0"
RUNTIME = ["libstdc++.so.6", "libgcc_s.so.1", "libdl.so.2"]


def kind_of(target: Target) -> str:
    """Return the payload that fits an interpreter."""
    version = target.found.version
    return f"cp{version[0]}{version[1]}"


def check_payload(target: Target, hashes: Dict[str, Dict[str, str]]) -> None:
    """Raise where there is no payload for a process."""
    machine = os.uname().machine
    minor = f"3.{target.found.version[1]}"
    libc = libc_of(target.locator.maps)
    reason = found = ""
    if target.found.free_threaded or target.layout.free_threaded:
        reason, found, text = "freeThreaded", minor + "t", "a Python without the GIL"
    elif libc == "musl":
        reason, found, text = "libc", libc, "musl as C library"
    elif libc != "glibc":
        raise unsafe(target.pid, "static", "no C library is loaded, so nothing can be loaded into it")
    elif machine not in hashes:
        reason, found, text = "machine", machine, f"a machine of the kind {machine}"
    elif kind_of(target) not in hashes[machine]:
        reason, found, text = "version", minor, f"Python {minor}"
    if reason:
        raise AgentError(
            wire.MEMRAY_NO_PAYLOAD,
            f"There is no memray for process {target.pid}: it has {text}, and this build carries none for that.",
            target.pid,
            {"reason": reason, "found": found},
        )


def lay_out(request: Request, files: ScratchFiles, kind: str, pid: int, hashes: Dict[str, str]) -> None:
    """Lay out a payload, and before it what it needs of the runtime that neither it nor the process's image has."""
    machine = os.uname().machine
    payload = obtain(request, f"memray-{kind}", {machine: hashes[kind]})
    try:
        wanted = missing_libraries(pid, request.proc, RUNTIME)
        there = [name for name in RUNTIME if name not in wanted]
        own = {os.path.basename(member.name) for member in members(payload)}
        missing = [name for name in wanted if name not in own]
        if missing:
            _lay_out_runtime(request, files, missing, pid, hashes)
        files.unpack(payload, there)
    finally:
        os.close(payload.descriptor)


def _lay_out_runtime(
    request: Request, files: ScratchFiles, missing: "list[str]", pid: int, hashes: Dict[str, str]
) -> None:
    if "runtime" not in hashes:
        raise AgentError(
            wire.MEMRAY_NO_PAYLOAD,
            f"memray needs {' and '.join(missing)}, which the image of process {pid} has not, and this build carries "
            "none.",
            pid,
            {"reason": "runtime", "found": missing[0]},
        )
    runtime = obtain(request, "memray-runtime", {os.uname().machine: hashes["runtime"]})
    try:
        files.unpack(runtime, [name for name in RUNTIME if name not in missing])
    finally:
        os.close(runtime.descriptor)
