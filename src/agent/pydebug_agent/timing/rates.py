"""How often the threads of processes leave their processors, before anything is attached to them."""

from __future__ import annotations

import time
from typing import Iterable, List

from .. import wire
from ..reader.target import Target
from ..system import errors

# Taking each wait costs some 6 us a switch: this many are 3 % of a processor.
MOST_SWITCHES = 4500
_SECONDS = 0.25


def check_rate(targets: Iterable[Target]) -> None:
    """Raise the error for threads that switch too often for each wait to be taken."""
    chosen = list(targets)
    before, began = _switches(chosen), time.monotonic()
    time.sleep(_SECONDS)
    rate = (_switches(chosen) - before) / (time.monotonic() - began)
    if rate > MOST_SWITCHES:
        raise errors.AgentError(
            wire.TOO_MANY_SWITCHES,
            "The threads switch %.0f times a second. Taking each wait would slow the target down by some %.0f %%; up "
            "to %d are taken." % (rate, rate * 6e-4, MOST_SWITCHES),
            detail={"rate": round(rate), "most": MOST_SWITCHES},
        )


def _switches(targets: List[Target]) -> int:
    total = 0
    for target in targets:
        try:
            tids = target.proc.threads(target.pid)
        except OSError:
            continue
        for tid in tids:
            try:
                status = target.proc.status(target.pid, "task", tid)
                total += int(status["voluntary_ctxt_switches"]) + int(status["nonvoluntary_ctxt_switches"])
            except (OSError, KeyError, ValueError):
                continue
    return total
