"""What the agent says of itself before anything else."""

from __future__ import annotations

import os
import sys
from typing import Any, Dict, List

from .. import wire
from ..system.memory_limit import read_memory
from ..system.proc import Proc

_NAMES = (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE "
    "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT "
    "SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP "
    "MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
).split()


def hello(proc: Proc) -> Dict[str, Any]:
    """Return the content of the H frame."""
    memory = read_memory(proc)
    return {
        "v": wire.VERSION,
        "python": sys.version.split()[0],
        "machine": os.uname().machine,
        "uid": os.geteuid(),
        "pid": os.getpid(),
        "capabilities": capabilities(proc),
        "memory": {"limit": memory.limit, "used": memory.used, "headroom": memory.headroom},
    }


def capabilities(proc: Proc) -> List[str]:
    """Return the names of the agent's effective capabilities, without CAP_."""
    try:
        mask = int(proc.status("self").get("CapEff", "0"), 16)
    except (OSError, ValueError):
        return []
    return [name for bit, name in enumerate(_NAMES) if mask >> bit & 1]
