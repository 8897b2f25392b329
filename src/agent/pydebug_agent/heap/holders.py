"""Who holds samples of some types: rows for the report."""

from __future__ import annotations

import time
from typing import Any, Dict, List, NamedTuple, Optional, Set, Tuple

from ..reader.memory import Fault
from .climb import Climb, Node
from .ground import Ground
from .kinds import Kind
from .references import Chain, References
from .roots import C_MEMORY, Roots
from .stale import Stale
from .subject import Subject
from .ways import Ways

NONE, CYCLE, TOO_DEEP, CHANGED, UNFINISHED = "None", "Cycle", "TooDeep", "Changed", "Unfinished"
_TIMED = 1.0
_LONGEST_TIMED = 4.0
_MOST_ROWS = 200
_ROUNDS = 3
_LEAST_SECONDS = 2.0


class Sample(NamedTuple):
    """Some objects of a type, and how many bytes all of that type take that these stand for."""

    kind: Kind
    addresses: List[int]
    size: int


class _Row:
    def __init__(self, kind: Kind, root: str, steps: List[str], path: str) -> None:
        self.kind = kind
        self.root = root
        self.steps = steps
        self.path = path
        self.held = 0
        # What is in arrays.
        self.details: Set[str] = set()
        # The containers on the ways: each with its steps, and how long it was when.
        self.containers: Dict[int, Tuple[Node, str, int, float]] = {}
        self.best: Optional[Tuple[float, Node, str, int]] = None


class _Round:
    """One search, from the samples up."""

    def __init__(self, subject: Subject, ground: Ground, keys: bool, seconds: float) -> None:
        ground.refresh()
        self.roots = Roots(subject)
        self.climb = Climb(subject, ground, self.roots, seconds)
        self.ways = Ways(subject, self.climb)
        self.references = References(subject, self.roots, self.climb, keys)


class Holders:
    """The search for the holders of all samples. What moves while it is searched for is searched for again."""

    def __init__(self, subject: Subject, keys: bool, seconds: float) -> None:
        self._subject = subject
        self._keys = keys
        self._until = time.monotonic() + seconds
        self._ground = Ground(subject)
        self._ground.dull = subject.dull
        self._stale = Stale(subject)
        self._rows: Dict[Tuple[int, str, str], _Row] = {}
        self._counted: Dict[int, int] = {}
        self.levels = 0

    def find(self, samples: List[Sample]) -> List[Dict[str, Any]]:
        """Return the holders; the growing container's own rate decides their order."""
        left = [(sample, address) for sample in samples for address in sample.addresses]
        for attempt in range(_ROUNDS):
            seconds = self._until - time.monotonic()
            if not left or attempt and seconds < _LEAST_SECONDS:
                break
            left = self._search(left, seconds, last=attempt == _ROUNDS - 1)
        self._time()
        sizes = {sample.kind.number: sample.size for sample in samples}
        rows = sorted(self._rows.values(), key=lambda row: (-(row.best[0] if row.best else 0.0), -row.held))
        return [self._told(row, sizes) for row in rows[:_MOST_ROWS]]

    def _search(self, wanted: List[Tuple[Sample, int]], seconds: float, last: bool) -> List[Tuple[Sample, int]]:
        """Search once; return what is to be searched for again, as references to it moved meanwhile."""
        search = _Round(self._subject, self._ground, self._keys, seconds)
        added = [(sample, search.climb.add(address, sample.kind)) for sample, address in wanted]
        if not any(node is not None for _, node in added):
            return []
        search.climb.run(search.ways.solved)
        self.levels = max(self.levels, search.climb.levels)
        # Chunks may be others by now.
        self._ground.refresh()
        again: List[Tuple[Sample, int]] = []
        for sample, node in added:
            if node is not None and not self._judge(search, sample.kind, node, last or search.climb.unfinished):
                again.append((sample, node.address))
        return again

    def _judge(self, search: _Round, kind: Kind, node: Node, last: bool) -> bool:
        """Take in how a sample is held; False where that is to be looked at again. One that is gone does not count."""
        chain, changed = search.ways.verified(node)
        if not self._ground.is_object(node.address, kind):
            return True
        root = chain[0][0].root if chain is not None else None
        if chain is None or root is None or root.weak:
            found = self._without(search, node, chain, changed)
            if not last and found[0] in (CHANGED, C_MEMORY, NONE):
                return False
            self._add(kind, *found)
            return True
        references = search.references
        row = self._add(kind, root.kind, references.steps(chain), "")
        row.details.add(references.detail(node))
        for index, (upper, _) in enumerate(chain[:-1]):
            length = self._stale.length(upper.address, upper.kind) if upper.kind is not None else None
            if length is not None and upper.address not in search.roots.modules and upper.kind is not None:
                path = _joined(references.steps(chain[: index + 1]))
                row.containers[upper.address] = (upper, path, length, time.monotonic())
        return True

    @staticmethod
    def _without(search: _Round, node: Node, chain: Optional[Chain], changed: bool) -> Tuple[str, List[str], str]:
        """Say what stands against a way."""
        climb = search.climb
        if changed:
            return CHANGED, [], "the references to it changed while they were read"
        above = climb.above(node)
        if climb.is_open(node):
            if climb.unfinished:
                return UNFINISHED, [], "the time was over before a root was found"
            ups = [up for up, _ in node.ups if up.kind is not None]
            what = search.references.title(ups[0]) if ups else "objects"
            return TOO_DEEP, [], "a chain of %s longer than %d" % (what, climb.levels)
        if node.holds_itself or node.address in above:
            return CYCLE, [], "objects that hold each other and wait for the collector"
        memory = _library(node)
        if memory is not None:
            return C_MEMORY, search.references.steps(memory), ""
        if chain is not None and chain[0][0].root is not None:
            return NONE, [], chain[0][0].root.text
        if any(up.kind is not None for up in above.values()):
            return CYCLE, [], "objects that hold each other and wait for the collector"
        return NONE, [], "no reference to it was found"

    def _add(self, kind: Kind, root: str, steps: List[str], path: str) -> _Row:
        path = path or _joined(steps)
        row = self._rows.setdefault((kind.number, root, path), _Row(kind, root, steps, path))
        row.held += 1
        self._counted[kind.number] = self._counted.get(kind.number, 0) + 1
        return row

    # Rates

    def _time(self) -> None:
        """Read the containers' lengths again after a while: which grows tells a leak from what turns over."""
        begun = time.monotonic()
        pause = _TIMED
        while True:
            due = begun + pause
            while time.monotonic() < due:
                self._subject.pause()
                time.sleep(0.05)
            moved = False
            for row in self._rows.values():
                row.best = self._fastest(row)
                moved = moved or row.best is not None and row.best[0] > 0
            if moved or pause >= _LONGEST_TIMED or not any(row.containers for row in self._rows.values()):
                return
            # Slow growth shows later.
            pause = _LONGEST_TIMED

    def _fastest(self, row: _Row) -> Optional[Tuple[float, Node, str, int]]:
        best: Optional[Tuple[float, Node, str, int]] = None
        for node, path, before, at in row.containers.values():
            now = self._stale.length(node.address, node.kind) if node.kind is not None else None
            if now is None or not self._ground_has(node):
                continue
            rate = (now - before) / (time.monotonic() - at)
            # Of several that do not grow the one with the most items.
            if best is None or (rate, now) > (best[0], best[3]):
                best = (rate, node, path, now)
        return best

    def _ground_has(self, node: Node) -> bool:
        try:
            place = node.address + self._subject.layout.header - 8
            return node.kind is not None and self._subject.pages.u64(place) == node.kind.address
        except Fault:
            return False

    # Rows

    def _told(self, row: _Row, sizes: Dict[int, int]) -> Dict[str, Any]:
        module, name = self._subject.kinds.full_name(row.kind)
        counted = self._counted.get(row.kind.number, 0)
        told: Dict[str, Any] = {
            "module": module,
            "name": name,
            "root": row.root,
            "path": row.path + _detail(row.details),
            "steps": row.steps,
            "samples": counted,
            "held": row.held,
            "verified": bool(row.steps),
            "bytes": round(sizes.get(row.kind.number, 0) * row.held / max(counted, 1)),
        }
        if row.best is not None:
            rate, node, path, length = row.best
            assert node.kind is not None
            told.update(container=path, containerType=self._subject.kinds.title(node.kind), length=length,
                        rate=round(rate, 3))
        return told


def _library(node: Node) -> Optional[Chain]:
    """A way that ends in memory of the C library which no object owns."""
    seen = {node.address}
    todo: List[Chain] = [[(node, 0)]]
    while todo and len(seen) < 2000:
        chain = todo.pop(0)
        for up, place in chain[0][0].ups:
            if up.address in seen or up.root is not None:
                continue
            seen.add(up.address)
            longer: Chain = [(up, place)] + chain
            if up.kind is None and not up.pooled and not any(each.kind is not None for each, _ in up.ups):
                return longer
            todo.append(longer)
    return None


def _detail(details: Set[str]) -> str:
    """What the samples are, where they are arrays: content and shape of one, the content of several."""
    if len(details) == 1:
        only = next(iter(details))
        return " " + only if only else ""
    kinds = {detail.partition(" (")[0] for detail in details}
    return " %s (%d shapes)" % (next(iter(kinds)), len(details)) if len(kinds) == 1 and details else ""


def _joined(steps: List[str]) -> str:
    return "".join(steps)
