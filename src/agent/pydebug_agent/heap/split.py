"""Where the resident memory is: every resident byte in one part."""

from __future__ import annotations

from typing import Dict, List, Optional, Tuple

from .areas import Area
from .census import Census
from .chunks import MAPPED, OTHER, Chunks
from .pages import Pages
from .pools import Pools
from .tables import Tables

OBJECTS, TABLES, FREE, UNKNOWN = "Object", "Table", "FreeInPython", "UnknownInPython"
C_USED, C_FREE, STACKS, DATA = "CLibraryUsed", "CLibraryFree", "Stack", "ProgramData"
FILES, SHARED, DEVICE, OTHERS = "File", "Shared", "Device", "OtherAnonymous"
# Before the objects were counted: blocks in use, whatever they hold, and all of the C library's heap.
PYTHON, C_HEAP = "Python", "CLibrary"
_GUARD = 1 << 16
_LARGEST_STACK = 64 << 20


class Split:
    """Bytes by part."""

    def __init__(self) -> None:
        self.rss = 0
        self.swap = 0
        self.parts: Dict[str, int] = {}
        self._python = self._c_library = 0

    def of_areas(self, areas: List[Area], pages: Pages, pools: Pools, chunks: Chunks) -> None:
        """Divide by the areas and the pools' headers alone."""
        self.rss = sum(area.rss for area in areas)
        self.swap = sum(area.swap for area in areas)
        self._python = sum(pages.resident(arena.address, arena.end) for arena in pools.arenas)
        used = min(pools.used_bytes, self._python)
        rest = {STACKS: 0, DATA: 0, FILES: 0, SHARED: 0, DEVICE: 0, OTHERS: 0}
        self._c_library = 0
        others: List[Tuple[int, int]] = []
        for span in chunks.spans:
            resident = pages.resident(span.start, span.end)
            if span.kind == OTHER:
                others.append((span.start, resident))
            else:
                self._c_library += resident
        self._areas(areas, rest, others)
        python = {PYTHON: used, FREE: self._python - used} if pools.arenas else {}
        self.parts = {**python, C_HEAP: self._c_library, **rest}

    @staticmethod
    def _areas(areas: List[Area], rest: Dict[str, int], others: List[Tuple[int, int]]) -> None:
        before: Dict[int, Optional[Area]] = {}
        previous = None
        for area in areas:
            before[area.start] = previous
            previous = area
            if area.is_device:
                rest[DEVICE] += area.rss
            elif area.is_shared or area.permissions[3:] == "s" and not area.path:
                rest[SHARED] += area.rss
            elif area.is_stack:
                rest[STACKS] += area.rss
            elif area.path.startswith("/"):
                rest[FILES] += area.rss - area.anonymous
                rest[DATA] += area.anonymous
            elif not area.is_private and not area.path.startswith("[v"):
                rest[OTHERS] += area.rss
        for start, resident in others:
            last = before.get(start)
            if last is not None and last.end == start and last.permissions.startswith("---") and (
                last.end - last.start <= _GUARD
            ):
                rest[STACKS] += resident
            elif last is not None and last.end == start and last.path.startswith("/"):
                rest[DATA] += resident
            else:
                rest[OTHERS] += resident

    def of_census(
        self, pages: Pages, pools: Pools, chunks: Chunks, census: Census, tables: Tables, every: int
    ) -> None:
        """Divide Python's and the C library's memory by what the census found."""
        factors = scale(pools, census, every)
        small = sum(round(count * ((key & 31) + 1 << 4) * factors[key & 31]) for key, count in census.counts.items())
        pooled = sum(round(count * (kind + 1 << 4) * factors[kind]) for kind, count in tables.pooled.items())
        unknown = sum(round(count * (kind + 1 << 4) * factors[kind]) for kind, count in enumerate(census.unknown))
        large = sum(size for _, size in census.large.values())
        mapped = sum(pages.resident(span.start, span.end) for span in chunks.spans if span.kind == MAPPED)
        used = chunks.used + mapped
        lost = chunks.lost_bytes()
        chunked = min(tables.in_chunks, max(used - large, 0))
        pooled = min(pooled, unknown)
        torn = census.torn_bytes
        in_use = small + unknown + torn
        parts = {
            OBJECTS: small + large,
            TABLES: pooled + chunked,
            FREE: max(self._python - in_use, 0),
            UNKNOWN: unknown - pooled + torn,
            C_USED: max(min(used, self._c_library) - large - chunked, 0) + lost,
        }
        parts[C_FREE] = max(self._c_library - used - lost, 0)
        rest = {name: size for name, size in self.parts.items() if name not in (PYTHON, FREE, C_HEAP)}
        self.parts = {**parts, **rest}

    @property
    def unknown(self) -> int:
        """What is resident and of which nothing is known but that it is there."""
        named = sum(self.parts.values())
        return self.parts.get(UNKNOWN, 0) + self.parts.get(OTHERS, 0) + max(self.rss - named, 0)

    @property
    def coverage(self) -> float:
        """The share of the resident memory that the parts make up."""
        return sum(self.parts.values()) / self.rss if self.rss else 0.0


def scale(pools: Pools, census: Census, every: int) -> List[float]:
    """Return by how much the sums of each size class stand for more than was looked at, one pool in ``every``."""
    if every == 1:
        return [1.0] * len(census.blocks_seen)
    return [
        used / seen if seen else float(every)
        for used, seen in zip(pools.used, census.blocks_seen)
    ]


