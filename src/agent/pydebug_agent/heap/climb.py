"""From objects up to what holds them: one pass over the memory a level, for all samples at once."""

from __future__ import annotations

import time
from collections import Counter
from typing import Callable, Dict, Iterator, List, Optional, Set, Tuple

from ..reader.memory import Fault
from .ground import Block, Ground
from .kinds import TYPE, Kind
from .roots import CLASS, COROUTINE, MODULE, Root, Roots
from .stale import Stale
from .subject import Subject

# What holds as much more than others is not followed, but for roots and tables.
_MOST_REFERRERS = 300
_MOST_NODES = 60_000
_MOST_FRONTIER = 4000
LEVELS = 40
# A chain of single objects is followed further.
_LONGEST_CHAIN = 600
_NARROW = 12
_PREFIX = 64
_DEQUE_BLOCK = 528
_MOST_BLOCKS = 1 << 16
_TASKS = frozenset(("_asyncio.Task", "Task"))


class Node:
    """An object, a table, or a root, and what holds it: by which word."""

    __slots__ = ("address", "start", "size", "kind", "root", "ups", "downs", "mask", "pooled",
                 "holds_itself")

    def __init__(self, address: int, start: int, size: int, kind: Optional[Kind], pooled: bool) -> None:
        self.address = address
        self.start = start
        self.size = size
        self.kind = kind
        self.pooled = pooled
        self.holds_itself = False
        self.root: Optional[Root] = None
        self.ups: List[Tuple["Node", int]] = []
        # Of a table: what it holds, as long as its owner is not known.
        self.downs: List[Tuple["Node", int]] = []
        # The samples that it leads to, a bit each.
        self.mask = 0


class Climb:
    """A search for the holders of some objects."""

    def __init__(self, subject: Subject, ground: Ground, roots: Roots, seconds: float) -> None:
        self._subject = subject
        self._ground = ground
        self._roots = roots
        self.stale = Stale(subject)
        self._until = time.monotonic() + seconds
        self.nodes: Dict[int, Node] = {}
        self.samples: List[Node] = []
        self._expanded: Set[int] = set()
        self._solved = self._open = 0
        self.unfinished = False
        self.levels = 0

    def add(self, address: int, kind: Kind) -> Optional[Node]:
        """Add a sample; None where it is not there any more."""
        block = self._ground.block(address)
        if block is None or block.object != address or block.kind is not kind:
            return None
        node = self._object(block)
        if node not in self.samples:
            node.mask |= 1 << len(self.samples)
            self.samples.append(node)
        return node

    def run(self, solved: Callable[[Node], bool]) -> None:
        """Search until every sample has a way, nothing is left to search for, or the time is over."""
        frontier = [node for node in self.samples]
        self._expanded = {node.address for node in frontier}
        while frontier:
            if self.levels >= LEVELS and (self.levels >= _LONGEST_CHAIN or len(frontier) > _NARROW):
                break
            if time.monotonic() > self._until:
                self.unfinished = True
                break
            frontier = self._level(frontier)
            self.levels += 1
            for index, sample in enumerate(self.samples):
                if not self._solved >> index & 1 and solved(sample):
                    self._solved |= 1 << index
            # What leads to samples that have their ways alone is followed when another one comes by it.
            wanted = [node for node in frontier if node.mask & ~self._solved][:_MOST_FRONTIER]
            self._expanded.difference_update(node.address for node in frontier)
            self._expanded.update(node.address for node in wanted)
            frontier = wanted
        # The samples of which not all ways were followed to their ends.
        self._open = 0
        for node in frontier:
            self._open |= node.mask

    def is_open(self, sample: Node) -> bool:
        """Say whether there is more to find of what holds a sample."""
        return bool(self._open >> self.samples.index(sample) & 1)

    def above(self, node: Node) -> Dict[int, Node]:
        """Return all that was found to lead to a node, by address; the node itself where it is part of a cycle."""
        found: Dict[int, Node] = {}
        todo = [node]
        while todo:
            for up, _ in todo.pop().ups:
                if up.address not in found:
                    found[up.address] = up
                    todo.append(up)
        return found

    # A level

    def _level(self, frontier: List[Node]) -> List[Node]:
        wants: Dict[int, Node] = {}
        for node in frontier:
            for address in self._words(node):
                wants.setdefault(address, node)
        following: List[Node] = []
        fan: "Counter[int]" = Counter()
        self._ground.forget()
        strange = False
        for place, value in self._ground.search(set(wants)):
            child = wants[value]
            fan[child.address] += 1
            # Roots and large tables are never left out, however many others there are.
            if fan[child.address] > _MOST_REFERRERS and self._ground.in_pool(place):
                continue
            if len(self.nodes) > _MOST_NODES:
                self.unfinished = True
                break
            strange = strange or not self._ground.known(place)
            for node in self._take(child, place):
                if node.address not in self._expanded:
                    self._expanded.add(node.address)
                    following.append(node)
        if strange:
            self._ground.refresh()
        return following

    def _words(self, node: Node) -> Iterator[int]:
        """The words that may refer to a node."""
        if node.kind is not None:
            yield node.address
            if self._subject.minor >= 14:
                # Slots of frames are tagged.
                yield node.address | 1
            return
        first = node.start + 8 * (self._subject.shift if node.pooled else self._subject.chunk_shift)
        yield first
        if self._subject.minor in (11, 12):
            # Values of instances have something before them; 3.12 tags their pointer by taking one off.
            for offset in range(8, min(_PREFIX, node.size), 8):
                yield first + offset
                if self._subject.minor == 12:
                    yield first + offset - 1

    def _take(self, child: Node, place: int) -> Iterator[Node]:
        """Note what a word belongs to; yield what is to be followed."""
        up = self._up(place)
        if up is None:
            return
        if up is child:
            if up.kind is not None and self.stale.holds(up.address, up.kind, place, child.kind):
                child.holds_itself = True
            return
        if up.kind is not None:
            if not self.stale.holds(up.address, up.kind, place, child.kind):
                return
            if child.kind is None:
                if up.start <= child.start < up.start + up.size:
                    return
                self._own(up, child)
        elif up.root is None:
            keys = self._keys_of(up)
            if keys and not self.stale.in_keys(keys, place):
                return
            for owner, _ in up.ups:
                if owner.kind is not None and not self.stale.live(owner.address, owner.kind, up.start, up.size, place):
                    return
            up.downs.append((child, place))
        self._link(child, up, place)
        if up.root is not None or self._is_root(up):
            return
        if up.kind is None and up.size >= _DEQUE_BLOCK and not up.pooled:
            first = self._first_block(up)
            if first is not None and first is not up:
                # All blocks of a deque are held by way of its first.
                self._link(up, first, up.start)
                yield first
                return
        yield up

    def _own(self, owner: Node, table: Node) -> None:
        """The owner of a table is known now: what lies behind the part in use is dropped."""
        assert owner.kind is not None
        for held, place in table.downs:
            if not self.stale.live(owner.address, owner.kind, table.start, table.size, place):
                held.ups = [(up, at) for up, at in held.ups if up is not table or at != place]

    def _link(self, child: Node, up: Node, place: int) -> None:
        if (up, place) not in child.ups:
            child.ups.append((up, place))
        # What was found of the upper one before leads to these samples, too.
        todo = [(up, child.mask)]
        while todo:
            node, mask = todo.pop()
            if node.mask | mask != node.mask:
                node.mask |= mask
                todo += [(upper, node.mask) for upper, _ in node.ups]

    # Places

    def _up(self, place: int) -> Optional[Node]:
        """The node that a place is part of; None for what is free or stale."""
        ground, roots = self._ground, self._roots
        block = ground.block(place)
        if block is not None:
            if block.kind is not None:
                found = roots.frame_of(block.object)
                if found is not None:
                    return self._root(place, roots.of_frame(found[0], found[1], place))
            return self._object(block)
        if ground.in_pool(place):
            return None
        stack = roots.stack(place)
        if stack is not None:
            if stack.top and place >= stack.top:
                return None
            found = roots.frame_at(place)
            if found is None or not roots.is_used(found[0], place):
                return None
            return self._root(place, roots.of_frame(found[0], found[1], place))
        static = self._static(place)
        if static is not None:
            return static
        index = ground.area_of(place)
        root = roots.of_area(place, index) if index is not None and not ground.is_heap(place) else None
        return self._root(place, root) if root is not None else None

    def _static(self, place: int) -> Optional[Node]:
        """A type in a program's data."""
        kinds = self._subject.kinds.by_address
        for address in range(place & -8, place - 424, -8):
            if address in kinds:
                own = kinds.get(self._subject.pages.u64(address + self._subject.layout.header - 8))
                return self._node(address, address, 424, own, False)
        return None

    def _object(self, block: Block) -> Node:
        return self._node(block.object or block.start, block.start, block.size, block.kind, block.pooled)

    def _node(self, address: int, start: int, size: int, kind: Optional[Kind], pooled: bool) -> Node:
        node = self.nodes.get(address)
        if node is None:
            node = self.nodes[address] = Node(address, start, size, kind, pooled)
        return node

    def _root(self, place: int, root: Root) -> Node:
        node = self._node(place, place, 8, None, False)
        node.root = root
        return node

    def _is_root(self, node: Node) -> bool:
        roots, kind = self._roots, node.kind
        if node.address in roots.modules:
            node.root = Root(MODULE, "module " + roots.modules[node.address])
        elif kind is None and self._keys_of(node):
            node.root = Root(MODULE, "module " + roots.modules[roots.tables[self._keys_of(node)]])
        elif kind is not None and kind.has(TYPE) and node.address in self._subject.kinds.by_address:
            node.root = Root(CLASS, "class " + self._subject.kinds.title(self._subject.kinds.by_address[node.address]))
        elif kind is not None and kind.name == "module":
            try:
                held = self._subject.pages.u64(node.address + self._subject.layout.header)
            except Fault:
                return False
            node.root = Root(MODULE, "module " + roots.modules.get(held, "?"))
        elif kind is not None and kind.name in _TASKS:
            node.root = Root(COROUTINE, "task " + self._task(node.address))
        return node.root is not None

    def _keys_of(self, node: Node) -> int:
        """The keys of a module's names that a table is, 0 for another."""
        keys = node.start + 8 * (self._subject.shift if node.pooled else self._subject.chunk_shift)
        return keys if keys in self._roots.tables else 0

    def _task(self, address: int) -> str:
        """Name a task by its coroutine."""
        layout, pages = self._subject.layout, self._subject.pages
        for offset in range(layout.header, 320, 8):
            try:
                held = pages.u64(address + offset)
                kind = None if held & 7 else self._subject.kinds.by_address.get(pages.u64(held + layout.header - 8))
                if kind is not None and kind.short == "coroutine":
                    return self.coroutine(held)
            except Fault:
                continue
        return "?"

    def coroutine(self, address: int) -> str:
        """Name a coroutine or generator by its function."""
        layout = self._subject.layout
        try:
            if layout.heap_frames:
                frame = self._subject.pages.u64(address + layout.generator_frame)
            else:
                frame = address + layout.generator_frame
            return self._roots.qualified(self._subject.pages.u64(frame + layout.frame_code) & ~7)
        except Fault:
            return "?"

    def _first_block(self, block: Node) -> Optional[Node]:
        """The first of a deque's blocks, where this is one; they are linked at both ends."""
        current = block.start
        for _ in range(_MOST_BLOCKS):
            try:
                left = self._subject.pages.u64(current)
                # The links at the ends are left as they were.
                if left & 7 or left == current or self._subject.pages.u64(left + 65 * 8) != current:
                    break
            except Fault:
                break
            current = left
        if current == block.start:
            return None
        found = self._ground.block(current)
        return self._object(found) if found is not None and found.kind is None else None
