"""One process as its heap is looked at: what was learned of it, and a look."""

from __future__ import annotations

import os
import time
from typing import Callable, List, Optional, Set, Tuple

from .. import wire
from ..reader.memory import Fault
from ..reader.target import Target
from ..system.errors import AgentError
from ..system.proc import Proc
from .areas import Area, read_areas
from .census import Census, Wanted, debug_shift
from .chunks import MAPPED, Chunks
from .kinds import Kinds
from .pages import Buffers, Pages
from .pools import Pools
from .split import Split
from .tables import Tables

# Of pools; a heap that has more is looked at in parts.
MOST_WHOLE = 500 << 20
_PART = 96 << 20
_ALLOCATORS = {"libjemalloc": "jemalloc", "libtcmalloc": "tcmalloc", "libmimalloc": "mimalloc"}


class Look:
    """What one pass found. ``census`` is missing where ``why_not`` says why."""

    def __init__(self, begun: float) -> None:
        self.begun = begun
        self.ended = begun
        self.counted = 0.0
        self.areas: List[Area] = []
        self.census: Optional[Census] = None
        self.tables: Optional[Tables] = None
        self.split = Split()
        self.why_not: Optional[AgentError] = None

    @property
    def at(self) -> float:
        """When the objects were counted, by the clock that cannot be set."""
        return self.counted or (self.begun + self.ended) / 2


class Subject:
    """A process, its types, and how its memory is divided."""

    def __init__(self, proc: Proc, pid: int, buffers: Buffers, pause: Callable[[], None], complete: bool) -> None:
        self.proc = proc
        self.pid = pid
        self.pause = pause
        self.target = Target(pid, proc)
        self.layout = self.target.layout
        self.minor = self.layout.minor
        self.pages = Pages(proc, pid, buffers)
        self.pools = Pools(self.pages, self.minor)
        self.chunks = Chunks(self.pages)
        self.kinds = Kinds(self.pages, self.layout, self.target.memory)
        self.areas: List[Area] = []
        self.shift = self.chunk_shift = 0
        self.every = 1
        self.notes: List[str] = [
            "Another Python runs in the process, %s: its objects are not counted." % other
            for other in self.target.others
        ]
        self.counted = False
        # Chunks of their own in which no reference lies.
        self.dull: Set[int] = set()
        self._program = self._identity()
        self._complete = complete

    def _identity(self) -> Tuple[int, int, str]:
        """What changes where a process becomes another program."""
        stat = self.proc.stat(self.pid)
        return stat.start_stack, stat.argument_start, self.proc.link(self.pid, "exe")

    def close(self) -> None:
        """Let go of the process."""
        self.pages.close()

    def divide(self) -> Look:
        """See where the resident memory is, as far as that shows without a look at the objects."""
        look = Look(time.monotonic())
        if self._identity() != self._program:
            raise AgentError(wire.PROCESS_GONE, "Process %d started another program meanwhile." % self.pid, self.pid)
        self.areas = look.areas = read_areas(self.proc, self.pid)
        if not self.layout.free_threaded:
            self.pools.look(self.areas)
        self.chunks.map(self.areas, self.pools)
        look.split.of_areas(self.areas, self.pages, self.pools, self.chunks)
        look.ended = time.monotonic()
        return look

    def take(self, wanted: Optional[Wanted] = None) -> Look:
        """Count all objects. Where they cannot be counted the look has the split alone, and says why."""
        look = self.divide()
        try:
            self._check()
            self._census(look, wanted)
        except AgentError as error:
            if error.cause not in (wire.HEAP_ALLOCATOR, wire.HEAP_UNREADABLE):
                raise
            look.census = None
            look.why_not = error
        look.ended = time.monotonic()
        return look

    def _check(self) -> None:
        """Raise where a census would not be one."""
        if self.layout.free_threaded:
            raise self._refusal("mimalloc", "it is free-threaded, and its objects lie in mimalloc's heaps")
        if self.pools.stray > 0.02 * max(self.pools.count, 1) and self.pools.stray > 4:
            raise AgentError(
                wire.HEAP_UNREADABLE,
                "The heap of process %d does not prove itself: no arena holds %d of its %d pools." % (
                    self.pid, self.pools.stray, self.pools.count),
                self.pid,
                {"reason": "pools", "stray": self.pools.stray, "pools": self.pools.count},
            )

    def _refusal(self, allocator: str, why: str) -> AgentError:
        return AgentError(
            wire.HEAP_ALLOCATOR,
            "The objects of process %d cannot be counted: %s." % (self.pid, why),
            self.pid,
            {"allocator": allocator},
        )

    def _census(self, look: Look, wanted: Optional[Wanted]) -> None:
        modules = self._modules()
        self._shifts(modules)
        size = self.pools.used_bytes
        self.every = 1 if self._complete or size <= MOST_WHOLE else -(-size // _PART)
        self.kinds.look(modules, self.spans())
        self.pause()
        tables = Tables(self.pages, self.pools, self.chunks, self.kinds, self.minor, self.chunk_shift)
        census = Census(
            self.pages, self.pools, self.kinds, tables, self.shift, self.chunk_shift, self.minor, self.every
        )
        census.wanted = wanted
        counted = time.monotonic()
        census.arenas(self.pause)
        look.counted = (counted + time.monotonic()) / 2
        self.chunks.extend(read_areas(self.proc, self.pid, sizes=False))
        self.chunks.walk(census.chunk, self.pause)
        tables.flush()
        own = self.kinds.by_address.get(self._type_of_types(modules))
        if own is not None:
            tables.classes(own.number)
        look.census, look.tables = census, tables
        self.counted = True
        self.dull = census.dull | tables.dull
        look.split.of_census(self.pages, self.pools, self.chunks, census, tables, self.every)

    def _modules(self) -> int:
        try:
            return self.pages.u64(next(self.target.interpreters()) + self.layout.interpreter_modules)
        except (Fault, StopIteration) as error:
            raise AgentError(
                wire.HEAP_UNREADABLE, "The modules of process %d cannot be read." % self.pid, self.pid,
                {"reason": "modules"},
            ) from error

    def _type_of_types(self, modules: int) -> int:
        place = self.layout.header - 8
        return self.pages.u64(self.pages.u64(modules + place) + place)

    def _shifts(self, modules: int) -> None:
        """Learn what debug hooks put before each block; raise where no allocator that is known holds the objects."""
        if self.pools.arenas:
            self.shift = debug_shift(self.pages, self.pools)
            # What is too large for a pool goes through the hooks of two allocators.
            self.chunk_shift = 2 * self.shift
            return
        self.chunks.walk(None, self.pause)
        chunk = self.chunks.chunk_of(modules)
        ahead = (modules - chunk[0] >> 3) - 2 if chunk else -1
        if ahead not in (0, 2):
            raise self._refusal(self.allocator(), "its allocator (%s) cannot be read" % self.allocator())
        self.shift = self.chunk_shift = ahead

    def allocator(self) -> str:
        """Name the allocator by the libraries there are, as well as it can be named."""
        if self.layout.free_threaded:
            return "mimalloc"
        for area in self.areas:
            for name, title in _ALLOCATORS.items():
                if os.path.basename(area.path).startswith(name):
                    return title
        if self.pools.arenas:
            return "pymalloc with debug hooks" if self.shift else "pymalloc"
        if any("/ld-musl-" in area.path or "/libc.musl-" in area.path for area in self.areas):
            return "musl"
        if self.shift or self.chunk_shift or self.counted:
            return "malloc with debug hooks" if self.shift else "malloc"
        return "mimalloc, perhaps" if self.minor >= 13 else "unknown"

    def spans(self) -> List[Tuple[int, int]]:
        """Return the memory outside pools and large chunks in which types and references may lie."""
        found = [(area.start, area.end) for area in self.areas if area.is_data]
        found += [(span.start, span.end) for span in self.chunks.spans if span.kind != MAPPED]
        return sorted(found)
