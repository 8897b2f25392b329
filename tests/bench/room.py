"""What a pod's control groups on this node say, and how much memory the service of room_target.py leaves. Needs root.

    room.py leave UID CONTAINER MIBS    have so much left under the pod's limit, to 64 KiB; prints the bytes left
    room.py state UID CONTAINER         a line of JSON: bytes left, how many processes of the pod the kernel ended for
                                        want of memory, and the start time of the service's process, 0 where it is gone
    room.py reset UID CONTAINER         begin a new peak of that container; version 1 of control groups alone
    room.py peak UID CONTAINER          the bytes it has and the most it had since, with the kernel's own
"""

from __future__ import annotations

import glob
import json
import os
import sys
import time
from typing import Dict, List

UNIFIED = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
ROOT = "/sys/fs/cgroup" if UNIFIED else "/sys/fs/cgroup/memory"
NEAR = 64 << 10
PAGE = 4096
SECONDS = 60.0


def pod_of(uid: str) -> str:
    """Return the folder of a pod's group."""
    for folder, names, _ in os.walk(ROOT):
        if uid in os.path.basename(folder) or uid.replace("-", "_") in os.path.basename(folder):
            return folder
        names[:] = [name for name in names if not name.startswith("cri-")]
    raise SystemExit(f"no group of pod {uid} below {ROOT}")


def container_of(pod: str, container: str) -> str:
    """Return the folder of a container's group, which goes with the container."""
    return next(iter(glob.glob(f"{pod}/*{container}*")), f"{pod}/{container}")


def number(folder: str, *names: str) -> int:
    """Return the number in the first of these files that is there."""
    for name in names:
        try:
            with open(f"{folder}/{name}", encoding="ascii") as file:
                word = file.read().strip()
            return int(word) if word.isdigit() else 1 << 60
        except FileNotFoundError:
            continue
    raise SystemExit(f"{folder} has none of {', '.join(names)}")


def pairs(folder: str, name: str) -> Dict[str, int]:
    """Return a file of names and numbers."""
    with open(f"{folder}/{name}", encoding="ascii") as file:
        return {words[0]: int(words[1]) for words in map(str.split, file) if len(words) == 2 and words[1].isdigit()}


def left(pod: str) -> int:
    """Return the bytes under the limit that are not used, page cache that no program has mapped apart."""
    has = pairs(pod, "memory.stat")
    get = (lambda name: has.get(name, 0)) if UNIFIED else (lambda name: has.get("total_" + name, 0))
    mapped = get("file_mapped") if UNIFIED else get("mapped_file")
    cache = get("inactive_file") + get("active_file") - max(0, mapped - get("shmem"))
    used = number(pod, "memory.current", "memory.usage_in_bytes") - max(0, cache)
    return number(pod, "memory.max", "memory.limit_in_bytes") - used


def killed(pod: str) -> int:
    """Return how many processes the kernel has ended for want of memory."""
    name = "memory.events" if UNIFIED else "memory.oom_control"
    groups = [pod] if UNIFIED else [pod, *(os.path.dirname(path) for path in glob.glob(f"{pod}/*/{name}"))]
    return sum(pairs(group, name).get("oom_kill", 0) for group in groups)


def service_of(group: str) -> List[int]:
    """Return the first process of a container and when it started; nothing where it is gone."""
    try:
        with open(f"{group}/cgroup.procs", encoding="ascii") as file:
            pids = [int(line) for line in file]
        for pid in pids:
            with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
                inner = [line.split() for line in file if line.startswith("NSpid:")][0][-1]
            if inner == "1":
                with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                    return [pid, int(file.read().rpartition(")")[2].split()[19])]
    except (OSError, IndexError, ValueError):
        pass
    return []


def amount(path: str) -> int:
    """Return the number in a file of the service's, 0 where there is none."""
    try:
        with open(path, encoding="ascii") as file:
            return int(file.read() or 0)
    except (FileNotFoundError, ValueError):
        return 0


def leave(pod: str, group: str, wanted: int) -> int:
    """Have the service take what is more than that; return what is left."""
    pid = service_of(group)[0]
    path = f"/proc/{pid}/root/tmp/fill"
    asked = amount(path)
    until = time.monotonic() + SECONDS
    calm = 0
    while time.monotonic() < until and os.path.exists(f"/proc/{pid}/root/tmp"):
        more = left(pod) - wanted
        if abs(more) <= NEAR:
            calm += 1
            if calm == 3:
                return left(pod)
            time.sleep(0.1)
            continue
        calm = 0
        # The last of it in small steps: what is filled pushes page cache out.
        asked = max(0, asked + (more if abs(more) < 1 << 20 else more * 7 // 8)) // PAGE * PAGE
        with open(path + ".new", "w", encoding="ascii") as file:
            file.write(str(asked))
        os.rename(path + ".new", path)
        while amount(path + "ed") != asked and time.monotonic() < until and os.path.exists(path):
            time.sleep(0.02)
    raise SystemExit(f"{left(pod)} bytes are left instead of {wanted}: {told_of(pid, asked, path)}")


def told_of(pid: int, asked: int, path: str) -> str:
    """Return what can be seen of a service that did not take what it was asked to."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            words = file.read().rpartition(")")[2].split()
        with open(f"/proc/{pid}/wchan", encoding="ascii") as file:
            waits = file.read()
    except OSError:
        return "the service is gone"
    ticks = (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
    return f"{asked} were asked for, {amount(path + 'ed')} taken; it is {words[0]} in {waits}, with {ticks} s of CPU"


def main() -> None:
    """Does what the command line says."""
    action, pod = sys.argv[1], pod_of(sys.argv[2])
    group = container_of(pod, sys.argv[3])
    peak = "memory.peak" if UNIFIED else "memory.max_usage_in_bytes"
    if action == "leave":
        print(leave(pod, group, int(float(sys.argv[4]) * (1 << 20))))
    elif action == "state":
        print(json.dumps({"left": left(pod), "killed": killed(pod), "started": (service_of(group) or [0, 0])[1]}))
    elif action == "reset":
        with open(f"{group}/{peak}", "w", encoding="ascii") as file:
            file.write("0")
    else:
        has = number(group, "memory.current", "memory.usage_in_bytes")
        print(json.dumps({"has": has, "peak": number(group, peak)}))


main()
