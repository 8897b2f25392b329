"""Starts the programs of the cluster and waits for them, with the reason at hand when one does not come."""

import os
import subprocess
import time
from typing import Callable, Dict, List

from .errors import ClusterError
from .place import Place

LOG_LINES = 12


class Components:
    """The programs that this process started. They stay when it ends."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._running: Dict[str, "subprocess.Popen[bytes]"] = {}

    def start(self, *command: str) -> None:
        """Starts a program in a session of its own, with its output in the folder for logs."""
        name = command[0]
        with open(self._log(name), "ab") as log:
            self._running[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def wait(self, what: str, ready: Callable[[], bool], seconds: float = 120.0) -> None:
        """Polls until `ready`.

        Raises with the last lines of the log that tells why when a program ended or time is up.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            for name, process in self._running.items():
                if process.poll() is not None:
                    raise ClusterError("%s ended with code %d while waiting for %s:\n%s"
                                       % (name, process.returncode, what, self._tail(name)))
            if time.monotonic() > deadline:
                raise ClusterError("%s: not within %d s. %s says:\n%s"
                                   % (what, seconds, list(self._running)[-1], self._tail(list(self._running)[-1])))
            time.sleep(0.1)

    def _log(self, name: str) -> str:
        return os.path.join(self._place.logs, name + ".log")

    def _tail(self, name: str) -> str:
        with open(self._log(name), encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-LOG_LINES:]).rstrip()


def succeeds(command: List[str]) -> bool:
    """Whether a command ends with code 0; its output is of no interest."""
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode == 0
