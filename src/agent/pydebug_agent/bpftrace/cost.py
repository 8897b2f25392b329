"""What a bpftrace's programs cost, by the kernel's own account."""

from __future__ import annotations

import re
from typing import Any, Dict, List, Optional

from ..bpf.syscalls import Kernel, KernelRefusal
from .held import held

_COST = re.compile(r"^run_time_ns:\s*(\d+)$.*^run_cnt:\s*(\d+)$", re.MULTILINE | re.DOTALL)


class Statistics:
    """What the programs of a bpftrace cost, by the kernel's own account, which counts while this is open."""

    def __init__(self) -> None:
        self.cost: Optional[List[Dict[str, Any]]] = None
        # One that is let go of keeps what it cost.
        self._programs: Dict[int, Dict[str, Any]] = {}
        self._kernel: Optional[Kernel] = None
        try:
            self._kernel = Kernel()
            self._kernel.count_run_time()
        except (ImportError, KernelRefusal):
            self.close()

    def read(self, pid: int) -> None:
        """Read the accounts of the programs that a process holds, while it holds some."""
        if self._kernel is None:
            return
        for _, text in held(pid):
            match = _COST.search(text)
            number = re.search(r"^prog_id:\s*(\d+)$", text, re.MULTILINE)
            if match and number:
                seconds = int(match.group(1)) / 1e9
                self._programs[int(number.group(1))] = {"seconds": seconds, "runs": int(match.group(2))}
        if self._programs:
            # In the order in which they were loaded, which is that of the probes.
            self.cost = [self._programs[key] for key in sorted(self._programs)]

    def close(self) -> None:
        """Let the kernel stop counting."""
        if self._kernel is not None:
            self._kernel.close()
            self._kernel = None
