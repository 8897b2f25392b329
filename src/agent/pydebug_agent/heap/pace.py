"""How much of a CPU the agent takes, and when its time is over."""

from __future__ import annotations

import os
import time

from .. import wire
from ..protocol.channel import Channel
from ..system.cgroups import directories, read
from ..system.errors import AgentError
from ..system.proc import Proc

_NICEST = 19
# CPU seconds that may be ahead of the share: the first answer shall come at once.
_AHEAD = 0.3
_NAP = 0.2


class TimeOver(Exception):
    """What was begun cannot be ended in the time that is left."""


class Pace:
    """Called between pieces of work: sleeps where the share is used up, and stops work that nobody waits for."""

    def __init__(self, channel: Channel, percent: float, reserve: float) -> None:
        self._channel = channel
        self._share = percent / 100
        self._until = time.monotonic() + channel.seconds_left() - reserve
        self._first = time.process_time()
        self._used = self._first
        self._since = time.monotonic()
        try:
            os.nice(_NICEST)
        except OSError:
            pass

    @property
    def used(self) -> float:
        """The CPU seconds used in all."""
        return time.process_time() - self._first

    @property
    def seconds_left(self) -> float:
        """Return the seconds until work has to end."""
        return self._until - time.monotonic()

    def __call__(self) -> None:
        """Go on, in time."""
        while True:
            self._check()
            now = time.monotonic()
            ahead = time.process_time() - self._used - _AHEAD
            late = ahead / self._share - (now - self._since)
            if late <= 0:
                if ahead < 0 and now - self._since > 1.0:
                    # What was not used is not saved up.
                    self._used, self._since = time.process_time() - _AHEAD, now
                return
            time.sleep(min(late, _NAP))

    def _check(self) -> None:
        """Raise where there is no time left; what was found until then can still be sent."""
        if self._channel.cancelled:
            raise AgentError(wire.CANCELLED, "The request was cancelled.")
        if self.seconds_left < 0:
            raise TimeOver()

    def sleep_until(self, due: float) -> None:
        """Wait for a time of the monotonic clock."""
        while True:
            self._check()
            left = due - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, _NAP))


def shares_quota(proc: Proc, pid: int, top: str = "/") -> bool:
    """Say whether the process lives under a CPU quota, which then may be the pod's and ours, too."""
    for mounts, prefix in ((str(pid), proc.path(pid, "root")), ("self", top)):
        try:
            for directory, _ in directories(proc, str(pid), prefix, "cpu", mounts):
                if _limited(directory):
                    return True
        except (OSError, ValueError):
            continue
    return False


def _limited(directory: str) -> bool:
    for name in ("cpu.max", "cpu.cfs_quota_us"):
        try:
            words = read(directory, name).split()
        except OSError:
            continue
        return bool(words) and words[0].isdigit()
    return False
