"""One asyncio task: its state, its chain of coroutines, and what is known about who waits for it."""

from __future__ import annotations

import struct
from typing import Callable, Dict, List, NamedTuple, Optional, Set

from .asyncio_layout import NATIVE, PYTHON, TaskLayout
from .codeobj import INTERPRETER, CodeReader, Place, is_shim
from .frames import FrameReader, Thread
from .layouts import Layout
from .memory import Fault, Missing, Source
from .objects import Objects

_MOST_COROUTINES = 200
_MOST_LINKS = 10000
_DEEPEST_CALLBACK = 4
_GENERATORS = ("coroutine", "generator", "async_generator")
# Awaitables that only pass on: the wrapped one is their first field.
_WRAPPERS = ("async_generator_asend", "async_generator_athrow", "coroutine_wrapper", "anext_awaitable")
_FUTURES = ("Future", "_GatheringFuture")
_PENDING = 0
# What the class that is written in Python keeps in its instances.
_AWAITED_BY = ("_Future__asyncio_awaited_by", "_asyncio_awaited_by")
_NOTHING = ("", "NoneType")


class TaskRecord(NamedTuple):
    """A task as its memory shows it; links are addresses, of tasks and of futures that tasks may wait for."""

    address: int
    name: str
    loop: int
    running: bool
    waiter: int
    waiter_kind: str
    waiter_done: bool
    children: List[int]
    links: Set[int]
    places: List[Place]


class _Fields(NamedTuple):
    """The fields of a task, whatever class it is of."""

    coroutine: int
    waiter: int
    name: int
    loop: int
    awaited_by: List[int]


class TaskReader:
    """Reads tasks from a source; names of types and functions come from ``live``, where they do not change."""

    def __init__(
        self,
        source: Source,
        layout: Layout,
        tasks: Optional[TaskLayout],
        live: Objects,
        frames: FrameReader,
        code: CodeReader,
        kind: Callable[[int], str],
    ) -> None:
        self._source = source
        self._layout = layout
        self._tasks = tasks
        self._objects = Objects(source, layout)
        self._type_name = live.type_name_of_type
        self._frames = frames
        self._code = code
        self._kind_of = kind
        last = max(layout.frame_bytes, layout.frame_stackpointer + 8, layout.frame_stacktop + 4)
        self._frame_bytes = last
        self._links: Dict[int, Set[int]] = {}

    def read(self, address: int, thread: Optional[Thread] = None) -> Optional[TaskRecord]:
        """Return a task, None when what stands there is no task any more or a finished one.

        ``thread`` is the one that runs the task just now.
        """
        fields = self._fields(address)
        if fields is None:
            return None
        waiter = fields.waiter
        waiter_kind = self._kind(waiter) if waiter else ""
        children: List[int] = []
        if waiter_kind == "_GatheringFuture":
            held = self._objects.attributes(waiter).get("_children")
            children = self._objects.list_items(held)[:_MOST_LINKS] if held else []
        links = self._reached(address, 0)
        if fields.awaited_by:
            links = links.union(fields.awaited_by)
        return TaskRecord(
            address,
            self._name(fields.name),
            fields.loop,
            thread is not None,
            waiter,
            waiter_kind,
            bool(waiter) and self._is_future(waiter) and not self._pending(waiter),
            children,
            links,
            self._running(fields.coroutine, thread) if thread else self.chain(fields.coroutine),
        )

    def _fields(self, address: int) -> Optional[_Fields]:
        """The fields of a pending task, None for anything else."""
        source, tasks = self._source, self._tasks
        kind = self._kind_of(self._objects.type_of(address))
        if kind == NATIVE and tasks is not None:
            if source.u32(address + tasks.state) != _PENDING:
                return None
            return _Fields(
                source.u64(address + tasks.coroutine),
                source.u64(address + tasks.waiter),
                source.u64(address + tasks.name),
                source.u64(address + tasks.loop),
                self._awaited_by(address),
            )
        if kind != PYTHON:
            return None
        held = self._objects.attributes(address)
        if "_coro" not in held or not self._is_pending(held):
            return None
        awaited_by = next((held[name] for name in _AWAITED_BY if name in held), 0)
        is_set = self._kind(awaited_by) in ("set", "frozenset")
        return _Fields(
            held["_coro"],
            self._something(held.get("_fut_waiter", 0)),
            held.get("_name", 0),
            self._something(held.get("_loop", 0)),
            self._objects.set_items(awaited_by)[:_MOST_LINKS] if is_set else [],
        )

    def _pending(self, future: int) -> bool:
        if self._kind_of(self._objects.type_of(future)) == PYTHON:
            return self._is_pending(self._objects.attributes(future))
        return self._tasks is None or self._source.u32(future + self._tasks.state) == _PENDING

    def _is_pending(self, attributes: Dict[str, int]) -> bool:
        """Until it is done an instance has no state of its own, but its class's."""
        state = attributes.get("_state")
        return state is None or (self._kind(state) == "str" and self._objects.text(state, 16) == "PENDING")

    def _something(self, address: int) -> int:
        return 0 if self._kind(address) in _NOTHING else address

    def _running(self, coroutine: int, thread: Thread) -> List[Place]:
        """A running task's frames are on its thread's stack, those of plain functions among them."""
        frames = self._frames.chain(self._source, thread, coroutine + self._layout.generator_frame)
        if not frames or frames[-1].address != coroutine + self._layout.generator_frame:
            return []
        places = [self._code.place(frame) for frame in reversed(frames) if not is_shim(self._layout, frame)]
        return [place for place in places if place is not None and place is not INTERPRETER]

    def chain(self, awaitable: int) -> List[Place]:
        """Return where a suspended coroutine stands, and the ones it awaits, outermost first."""
        places: List[Place] = []
        for _ in range(_MOST_COROUTINES):
            kind = self._kind(awaitable)
            if kind in _WRAPPERS:
                awaitable = self._source.u64(awaitable + self._layout.header)
                continue
            if kind not in _GENERATORS:
                break
            frame = awaitable + self._layout.generator_frame
            data = self._source.read(frame, self._frame_bytes)
            place = self._code.place(self._frames.frame(frame, data))
            # A future whose class is written in Python waits in a function of its own; the others do not show.
            if place is None or (place.name == "Future.__await__" and place.file.endswith("/asyncio/futures.py")):
                break
            places.append(place)
            awaitable = self._awaited(frame, data)
            if not awaitable:
                break
        return places

    def _awaited(self, frame: int, data: bytes) -> int:
        """What a suspended frame awaits lies on top of its stack; 0 when there is nothing."""
        layout = self._layout
        bottom = frame + layout.frame_locals
        if layout.frame_stackpointer >= 0:
            top = struct.unpack_from("<Q", data, layout.frame_stackpointer)[0]
        else:
            count = struct.unpack_from("<i", data, layout.frame_stacktop)[0]
            top = bottom + 8 * count if 0 < count < 1 << 16 else 0
        if not bottom < top <= bottom + (8 << 16):
            return 0
        value = self._source.u64(top - 8) & ~7
        if value < 4096 and layout.minor >= 15 and top - 16 >= bottom:
            # 3.15 leaves a slot empty above the awaited one.
            value = self._source.u64(top - 16) & ~7
        return value if value >= 4096 else 0

    def _kind(self, address: int) -> str:
        # A plain yield leaves no awaitable on the stack but whatever lay there.
        if not address:
            return ""
        try:
            return self._type_name(self._objects.type_of(address))
        except Missing:
            raise
        except Fault:
            return ""

    def _name(self, address: int) -> str:
        kind = self._kind(address)
        if kind == "str":
            return self._objects.text(address, 256)
        # Up to the first question a name of asyncio's own making is only its number.
        return "Task-%d" % self._objects.integer(address) if kind == "int" else "?"

    def _awaited_by(self, address: int) -> List[int]:
        tasks = self._tasks
        if tasks is None or tasks.awaited_by < 0:
            return []
        held = self._source.u64(address + tasks.awaited_by)
        if not held:
            return []
        if self._source.read(address + tasks.awaited_by_is_set, 1)[0] & 1:
            return self._objects.set_items(held)[:_MOST_LINKS]
        return [held]

    def _reached(self, future: int, depth: int) -> Set[int]:
        """What the done-callbacks of a future lead to: futures, tasks, and the parents of task groups."""
        known = self._links.get(future)
        if known is not None:
            return known
        result: Set[int] = set()
        self._links[future] = result
        for callback in self._callbacks(future):
            for target in self._targets(callback):
                result.add(target)
                if depth < _DEEPEST_CALLBACK and self._kind(target) in _FUTURES and self._is_future(target):
                    result |= self._reached(target, depth + 1)
        return result

    def _callbacks(self, future: int) -> List[int]:
        source, tasks = self._source, self._tasks
        found: List[int] = []
        if self._kind_of(self._objects.type_of(future)) == PYTHON:
            more = self._objects.attributes(future).get("_callbacks", 0)
        elif tasks is not None:
            first = source.u64(future + tasks.callback)
            found = [first] if first else []
            more = source.u64(future + tasks.callbacks)
        else:
            more = 0
        if more and self._kind(more) == "list":
            for pair in self._objects.list_items(more)[:_MOST_LINKS]:
                if self._kind(pair) == "tuple":
                    found += self._objects.tuple_items(pair)[:1]
        return found

    def _targets(self, callback: int) -> List[int]:
        source, header = self._source, self._layout.header
        kind = self._kind(callback)
        if kind == "builtin_function_or_method":
            return [source.u64(callback + header + 8)]
        if kind == "TaskWakeupMethWrapper":
            return [source.u64(callback + header)]
        if kind == "partial":
            arguments = source.u64(callback + header + 8)
            return [item for item in self._objects.tuple_items(arguments)[:8] if self._waitable(item)]
        if kind == "function":
            closure = source.u64(callback + header + 56)
            cells = self._objects.tuple_items(closure)[:16] if closure else []
            return [item for item in (source.u64(cell + header) for cell in cells) if self._waitable(item)]
        if kind == "method":
            owner = source.u64(callback + header + 8)
            if self._kind(owner) == "TaskGroup":
                parent = self._objects.attributes(owner).get("_parent_task")
                return [parent] if parent else []
            # What wakes a task whose class is written in Python is a method of it.
            return [owner] if self._waitable(owner) else []
        return []

    def _waitable(self, address: int) -> bool:
        return bool(address) and self._is_future(address)

    def _is_future(self, address: int) -> bool:
        try:
            return self._kind_of(self._objects.type_of(address)) != ""
        except Missing:
            raise
        except Fault:
            return False
