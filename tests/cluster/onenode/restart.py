"""Ends one program of the cluster at once, as a node that fails does, and starts it again as it was."""

import os
import signal
import subprocess
import time
from typing import Optional

from .cgroups import ControlGroup
from .errors import ClusterError
from .place import Place

# The kernel keeps so much of a program's name.
_LONGEST_NAME = 15


def restart(place: Place, program: str, down: float, gone: float = 30.0) -> None:
    """Kills the program and starts it again after some seconds, in its own mounts, network and control group."""
    group = ControlGroup(place.name)
    pid = _find(group, program)
    if pid is None:
        raise ClusterError("No %s runs." % program)
    with open("/proc/%d/cmdline" % pid, encoding="utf-8") as source:
        command = source.read().rstrip("\0").split("\0")
    mounts = os.open("/proc/%d/ns/mnt" % pid, os.O_RDONLY)
    with open(os.path.join(place.logs, program + ".log"), "ab") as log:
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + gone
        while _find(group, program) == pid:
            if time.monotonic() > deadline:
                raise ClusterError("%s does not end." % program)
            time.sleep(0.02)
        time.sleep(down)
        inside = place.inside(["nsenter", "--mount=/proc/self/fd/%d" % mounts, *command])
        subprocess.Popen(inside, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                         pass_fds=[mounts], preexec_fn=group.join)
    os.close(mounts)


def _find(group: ControlGroup, program: str) -> Optional[int]:
    for pid in group.processes():
        try:
            with open("/proc/%d/stat" % pid, encoding="utf-8") as source:
                head, _, rest = source.read().rpartition(")")
        except OSError:
            continue
        if head.partition("(")[2] == program[:_LONGEST_NAME] and rest.split()[0] != "Z":
            return pid
    return None
