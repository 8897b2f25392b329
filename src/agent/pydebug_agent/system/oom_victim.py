"""Makes the kernel choose this process, where the pod's memory runs out, before the keeper and the application."""

from __future__ import annotations

import time
from typing import Any, List

_EVERY_SECONDS = 1.0
# More than the keeper has: with that ends the session.
_SPARE = 24 << 20

_maps: List[Any] = []
_grown = 0.0


def grow() -> None:
    """Be larger than the application, as it is now; at most once a second."""
    global _grown
    now = time.monotonic()
    if _grown and now - _grown < _EVERY_SECONDS:
        return
    _grown = now
    try:
        import keeper

        keeper.grow(_maps, _SPARE)
    except (ImportError, OSError, ValueError):
        pass
