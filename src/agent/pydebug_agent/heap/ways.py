"""The likeliest way from a root to a sample, and whether every reference on it is still there."""

from __future__ import annotations

import heapq
from typing import Dict, List, Optional, Tuple

from ..reader.memory import Fault
from .climb import Climb, Node
from .references import Chain
from .roots import STACK
from .subject import Subject
from .tables import owners_of

# What is further than this is not sure enough to stop for.
_STRONG = 40
_WEAK = 200
_UNSURE = 8
_BY_CODE = 20
_BY_FRAME = 2
# Surer ones are looked for first.
_BY_STACK = 60
_ATTEMPTS = 4


class Ways:
    """Finds and checks ways in what a climb has found."""

    def __init__(self, subject: Subject, climb: Climb) -> None:
        self._subject = subject
        self._climb = climb
        self._owners = owners_of(subject.kinds, subject.minor)

    def solved(self, sample: Node) -> bool:
        """Say whether a sample has a way from a root that is surely one."""
        return self.best(sample, strong=True) is not None

    def best(self, sample: Node, strong: bool = False) -> Optional[Chain]:
        """Return the chain of least doubt, the root first; each node with where it holds the next one."""
        distance: Dict[int, int] = {sample.address: 0}
        back: Dict[int, Tuple[Node, int]] = {}
        queue: List[Tuple[int, int]] = [(0, sample.address)]
        while queue:
            far, address = heapq.heappop(queue)
            if far > distance[address]:
                continue
            if strong and far > _STRONG:
                return None
            node = self._climb.nodes[address]
            if node.root is not None and node is not sample:
                return self._chain(node, back, sample)
            for up, place in node.ups:
                further = far + self._weight(up, node, place)
                if further < distance.get(up.address, 1 << 30):
                    distance[up.address] = further
                    back[up.address] = (node, place)
                    heapq.heappush(queue, (further, up.address))
        return None

    @staticmethod
    def _chain(root: Node, back: Dict[int, Tuple[Node, int]], sample: Node) -> Chain:
        chain: Chain = []
        node = root
        while node is not sample:
            lower, place = back[node.address]
            chain.append((node, place))
            node = lower
        chain.append((sample, 0))
        return chain

    def _weight(self, up: Node, low: Node, place: int) -> int:
        if up.root is not None and up.root.weak:
            return _WEAK
        if up.root is not None:
            return _BY_STACK if STACK in up.root.text else 1
        if up.kind is None:
            return 1 if any(self._owns(owner) for owner, _ in up.ups) else _UNSURE
        if up.kind.name == "code":
            return _BY_CODE
        if low.kind is None and not self._owns(up):
            return _UNSURE
        return _BY_FRAME if up.kind.name == "frame" else 1

    def _owns(self, node: Node) -> bool:
        """Whether it is known of a type which tables it has."""
        return node.kind is not None and (node.kind.number in self._owners or node.kind.before > 2)

    # Checks

    def verified(self, sample: Node) -> Tuple[Optional[Chain], bool]:
        """Return the best chain whose references are all there when they are read again.

        The second value says that there was a chain whose references had changed.
        """
        changed = False
        for _ in range(_ATTEMPTS):
            chain = self.best(sample)
            if chain is None:
                break
            wrong = self._changed(chain)
            if wrong is None:
                return chain, changed
            changed = True
            lower, upper, place = wrong
            lower.ups = [(up, at) for up, at in lower.ups if up is not upper or at != place]
        return None, changed

    def _changed(self, chain: Chain) -> Optional[Tuple[Node, Node, int]]:
        """Return the first reference that is not there any more: the lower node, the upper one, the place."""
        for index in range(len(chain) - 1):
            (upper, place), lower = chain[index], chain[index + 1][0]
            try:
                word = self._subject.pages.u64(place)
            except Fault:
                return lower, upper, place
            if lower.kind is not None:
                good = word & ~1 == lower.address
            else:
                # A deque's blocks are linked at both ends, so a block may stand for one that it leads to.
                good = lower.start <= word <= lower.start + lower.size or place == lower.start or upper.kind is None
            if good and lower.kind is not None and upper.kind is None and upper.root is None:
                # A block of a deque may lie between.
                owner = next((each for each, _ in reversed(chain[:index]) if each.kind is not None), None)
                if owner is not None and owner.kind is not None:
                    good = self._climb.stale.live(owner.address, owner.kind, upper.start, upper.size, place)
            if not good:
                return lower, upper, place
        return None
