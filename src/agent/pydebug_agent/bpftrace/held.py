"""What a running bpftrace holds of the kernel's: its programs and maps, by the kernel's own account of each."""

from __future__ import annotations

import os
from typing import Iterator, Tuple


def held(pid: int) -> Iterator[Tuple[int, str]]:
    """Yield a process's descriptors with what the kernel says of each; none of a process that is gone."""
    directory = f"/proc/{pid}/fdinfo"
    try:
        names = os.listdir(directory)
    except OSError:
        return
    for name in names:
        try:
            with open(f"{directory}/{name}", encoding="ascii", errors="replace") as file:
                text = file.read(4096)
        except OSError:
            continue
        yield int(name), text
