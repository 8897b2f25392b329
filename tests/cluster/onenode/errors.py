"""What can go wrong, as the command line tells it."""

from typing import List


class ClusterError(Exception):
    """A step failed; the message is one sentence for the user."""


class Unavailable(ClusterError):
    """This machine cannot run the cluster at all; every reason is listed."""

    def __init__(self, reasons: List[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons
