"""From a census to numbers by type, with what is not certain about them."""

from __future__ import annotations

from math import sqrt
from typing import Dict

from .census import Census
from .split import scale
from .subject import Look, Subject

_CONFIDENT = 1.96


class Total:
    """What there is of one type. Margins are half of a 95 % interval, 0 where all was looked at."""

    __slots__ = ("count", "size", "tables", "count_margin", "size_margin")

    def __init__(self) -> None:
        self.count = 0.0
        self.size = 0.0
        self.tables = 0.0
        self.count_margin = 0.0
        self.size_margin = 0.0


def totals(subject: Subject, look: Look) -> Dict[int, Total]:
    """Return the totals of a look by the number of the type."""
    census, tables = look.census, look.tables
    result: Dict[int, Total] = {}
    if census is None or tables is None:
        return result
    factors = scale(subject.pools, census, subject.every)
    variances: Dict[int, float] = {}
    sizes: Dict[int, float] = {}
    for key, count in census.counts.items():
        kind, number = key & 31, key >> 5
        total = result.setdefault(number, Total())
        size = kind + 1 << 4
        total.count += count * factors[kind]
        total.size += count * factors[kind] * size
        if subject.every > 1:
            variance = _variance(subject, census, key, count)
            variances[number] = variances.get(number, 0.0) + variance
            sizes[number] = sizes.get(number, 0.0) + variance * size * size
    for number, (count, size) in census.large.items():
        total = result.setdefault(number, Total())
        total.count += count
        total.size += size
    for key, (size, squares, _) in tables.sums.items():
        total = result.setdefault(key >> 5, Total())
        factor = factors[key & 31]
        total.tables += size * factor
        if subject.every > 1 and factor > 1:
            # Each table counts by itself: a few large ones weigh more than many small ones.
            sizes[key >> 5] = sizes.get(key >> 5, 0.0) + squares * factor * (factor - 1)
    for number, total in result.items():
        total.count_margin = _CONFIDENT * sqrt(variances.get(number, 0.0))
        total.size_margin = _CONFIDENT * sqrt(sizes.get(number, 0.0))
    return result


def _variance(subject: Subject, census: Census, key: int, count: int) -> float:
    """The variance of a type's count in pools of one size, estimated by their ratio to the blocks in use."""
    kind = key & 31
    seen, blocks = census.pools_seen[kind], census.blocks_seen[kind]
    there = subject.pools.pools[kind]
    if not blocks or there <= seen:
        return 0.0
    if seen < 2:
        return float(count * there) ** 2
    squares, products = census.squares[key]
    ratio = count / blocks
    rest = squares - 2 * ratio * products + ratio * ratio * census.block_squares[kind]
    # A pool or two that are unlike all that were seen may have been missed.
    missed = ratio * blocks / seen * there / seen / 2
    return max(rest, 0.0) / (seen - 1) * there * there / seen * (1 - seen / there) + missed * missed
