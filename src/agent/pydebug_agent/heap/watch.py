"""One process over several looks."""

from __future__ import annotations

from math import sqrt
from typing import Callable, Dict, List, Optional, Tuple

from .census import Wanted, kept_of
from .growth import Line, line
from .kinds import Kind
from .subject import Look, Subject
from .totals import Total, totals

# From the second look on candidates are known; of the third and later ones addresses are kept.
_KNOWN_AFTER = 2
_CANDIDATES = 12
_MOST_ADDRESSES = 10_000
_MOST_POOLS = 6000
_EMPTY: Dict[int, int] = {}


class Watch:
    """The looks at a process, and what its container used meanwhile."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.first: Optional[Look] = None
        self.last: Optional[Look] = None
        self.times: List[float] = []
        self.counts: Dict[int, Dict[int, Total]] = {}
        self.rss: List[Tuple[float, int]] = []
        self.parts: List[Tuple[float, Dict[str, int]]] = []
        # Addresses of objects of types that may grow, from the third look on, and which types these are.
        self.kept: List[Wanted] = []
        self._growing: Dict[int, bool] = {}
        self._arenas: Dict[int, Tuple[float, Dict[int, int]]] = {}
        self._passed: List[Dict[int, float]] = []
        self._front: Dict[int, float] = {}
        self.torn = 0
        self.every = 1

    def look(self, wants: Optional[Callable[[Kind], bool]] = None) -> Look:
        """Look once more. Addresses are kept of types that may grow, or of those that are wanted."""
        if wants is None and len(self.times) >= _KNOWN_AFTER:
            self._growing = self._growing or {number: True for number in self._candidates()}
            wants = self._grows
        wanted = None
        if wants is not None:
            searched = -(-self.subject.pools.count // _MOST_POOLS) if wants is not self._grows else 1
            wanted = Wanted(wants, _MOST_ADDRESSES, searched)
        look = self.subject.take(wanted)
        self.add(look)
        return look

    def _grows(self, kind: Kind) -> bool:
        return kind.number in self._growing

    def add(self, look: Look) -> None:
        """Take in a look."""
        self.first = self.first or look
        self.last = look
        self.rss.append((look.begun, look.split.rss))
        self.parts.append((look.at, look.split.parts))
        if look.census is None:
            return
        index = len(self.times)
        self.times.append(look.at)
        self._note_times(look.census.by_arena, look.at)
        self.torn += look.census.torn
        self.every = max(self.every, self.subject.every)
        for number, total in totals(self.subject, look).items():
            self.counts.setdefault(number, {})[index] = total
        if look.census.wanted is not None:
            self.kept.append(look.census.wanted)

    # Series

    def _note_times(self, arenas: Dict[int, Tuple[float, Dict[int, int]]], at: float) -> None:
        """Learn for each type what time passed since the last look where objects of it were added.

        A look takes its time, and what grows does so in some arenas: when those were looked at counts.
        """
        before, self._arenas = self._arenas, arenas
        last = self.times[-2] if len(self.times) > 1 else at
        front, self._front = self._front, {}
        weights: Dict[int, int] = {}
        passed: Dict[int, float] = {}
        reached: Dict[int, float] = {}
        for address, (now, counts) in arenas.items():
            then, old = before.get(address, (0.0, _EMPTY))
            for number, count in counts.items():
                more = count - old.get(number, 0)
                if more > 0:
                    # In an arena that is new goes on what grew in another one.
                    since = then or front.get(number, last)
                    weights[number] = weights.get(number, 0) + more
                    passed[number] = passed.get(number, 0.0) + more * (now - since)
                    reached[number] = reached.get(number, 0.0) + more * now
        self._passed.append({number: passed[number] / weight for number, weight in weights.items()})
        self._front = {number: reached[number] / weight for number, weight in weights.items()}

    def times_of(self, number: int) -> List[float]:
        """Return when a type's objects were counted in each look, as far as their growth is concerned."""
        result = [self.times[0]]
        for index in range(1, len(self.times)):
            usual = self.times[index] - self.times[index - 1]
            result.append(result[-1] + self._passed[index].get(number, usual))
        return result

    def objects(self, number: int) -> List[float]:
        """Return how many objects of a type each look counted."""
        seen = self.counts[number]
        return [seen[index].count if index in seen else 0.0 for index in range(len(self.times))]

    def sizes(self, number: int) -> List[float]:
        """Return how much the objects of a type took in each look, with their tables."""
        seen = self.counts[number]
        return [seen[index].size + seen[index].tables if index in seen else 0.0 for index in range(len(self.times))]

    def line_of(self, number: int, values: List[float], unit: float = 1.0) -> Line:
        """Return the line through a type's value in each look; ``unit`` is what it changes by at least."""
        fitted = line(self.times_of(number), values, noise=unit * unit / 12)
        if self.every == 1 or not fitted.seconds:
            return fitted
        # Growth fills whole pools, of which one in so many is looked at.
        grown = abs(values[-1] - values[0])
        pools = grown / (unit * 64)
        spread = (self.every - 1) * pools * (unit * 64) ** 2 / fitted.seconds**2
        return Line(fitted.slope, sqrt(fitted.error**2 + spread), fitted.points, fitted.seconds)

    # Survivors

    def _candidates(self) -> List[int]:
        """The types that may grow."""
        grown: List[Tuple[float, int]] = []
        for number in self.counts:
            counts, sizes = self.objects(number), self.sizes(number)
            if counts[-1] > counts[0]:
                grown.append((max(sizes[-1] - sizes[0], counts[-1] - counts[0]), number))
        return [number for _, number in sorted(grown, reverse=True)[:_CANDIDATES]]

    def share(self, number: int) -> int:
        """Return of how many objects of a type one address was kept in all looks."""
        return max(wanted.every.get(number, 1) for wanted in self.kept)

    def survivors(self, number: int) -> List[int]:
        """Return addresses of objects that were not there at first, and were there in the last two looks.

        Where addresses were kept of two looks alone it is what the second of them has more.
        """
        if len(self.kept) < 2:
            return []
        every = self.share(number)
        first, before, last = [
            {each for each in wanted.addresses.get(number, ()) if kept_of(each, every)}
            for wanted in (self.kept[0], self.kept[-2 if len(self.kept) > 2 else -1], self.kept[-1])
        ]
        return sorted((last & before) - first)

    def survivor_count(self, number: int) -> Optional[int]:
        """Return how many objects of a type were born within the looks and kept; None where that was not looked at."""
        if number not in self._growing or len(self.kept) < 3:
            return None
        return len(self.survivors(number)) * self.share(number) * self.every
