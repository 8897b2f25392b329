"""Where asyncio keeps its tasks: published by the _asyncio module from 3.14 on, found by shape before."""

from __future__ import annotations

import os
import struct
from array import array
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from .frames import Thread
from .layouts import schema
from .memory import Batch, Blocks, Fault, Missing, Pages, Source
from .objects import Objects
from .target import Target

MOST_TASKS = 500_000
_MOST_COUNTED = 2_000_000
_TOGETHER = 1000
_SET_STEP = 1 << 16
_SHAPED = 1000
_STATE_BYTES = 400
_DUMMY_HASH = (1 << 64) - 1
_COROUTINES = ("coroutine", "generator")
_NATIVE = (b"_asyncio.Task", b"_asyncio.Future")

NATIVE, PYTHON = "native", "python"


class Published(NamedTuple):
    """What _asyncio of 3.14 and later publishes; offsets into a task, an interpreter and a thread."""

    task_size: int
    name: int
    awaited_by: int
    is_task: int
    awaited_by_is_set: int
    coroutine: int
    node: int
    interpreter_size: int
    interpreter_tasks: int
    thread_size: int
    running_loop: int
    running_task: int
    thread_tasks: int


class TaskLayout(NamedTuple):
    """Offsets into a task object."""

    loop: int
    callback: int
    callbacks: int
    state: int
    waiter: int
    coroutine: int
    name: int
    awaited_by: int
    awaited_by_is_set: int


class Addresses(NamedTuple):
    """Where tasks lie, at most MOST_TASKS of them; how many there are; whether the lists were followed to an end."""

    tasks: "array[int]"
    total: int
    complete: bool


class Asyncio:
    """The asyncio of one process: its tasks' addresses and their layout."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._source = Pages(target.memory)
        self._objects = Objects(self._source, target.layout)
        self._kinds: Dict[int, str] = {}
        self.published: Optional[Published] = None
        self.modules: List[Dict[str, int]] = []
        self._python_types: Dict[int, str] = {}
        for interpreter in target.interpreters():
            module = self._objects.module(interpreter, "asyncio.tasks")
            if module:
                self.modules.append(module)
                futures = self._objects.module(interpreter, "asyncio.futures")
                for kind in (module.get("_PyTask"), futures.get("_PyFuture")):
                    if kind:
                        self._python_types[kind] = PYTHON
        self.loaded = bool(self.modules)
        # Where _asyncio cannot be imported there is the class that is written in Python alone.
        self.native = any("_CTask" in module for module in self.modules)
        if self.native and target.layout.minor >= 14:
            self.published = self._search()

    def addresses(self) -> Addresses:
        """Return the addresses of what are tasks now, as far as an unheld look can tell."""
        self._source.forget()
        parts: List["array[int]"] = []
        total, complete = 0, True
        for module in self.modules:
            for name in ("_scheduled_tasks", "_all_tasks", "_eager_tasks"):
                if module.get(name):
                    part, count = self._members(module[name])
                    parts.append(part)
                    total += count
        if self.published is not None:
            for container in self._hidden():
                part, count = self._members(container)
                parts.append(part)
                total += count
            for head in self._heads():
                part, count, whole = self._linked(head)
                parts.append(part)
                total += count
                complete = complete and whole
        self._source.forget()
        parts = [part for part in parts if part]
        if not parts:
            return Addresses(array("Q"), total, complete)
        if len(parts) == 1:
            return Addresses(parts[0][:MOST_TASKS], total, complete)
        merged = array("Q", dict.fromkeys(address for part in parts for address in part))
        duplicates = sum(map(len, parts)) - len(merged)
        return Addresses(merged[:MOST_TASKS], total - duplicates, complete)

    def running(self, objects: Objects, threads: List[Thread]) -> Dict[int, Tuple[int, int]]:
        """Return the task each event loop is in, and its thread's state where that is known, by the loop's address."""
        result: Dict[int, Tuple[int, int]] = {}
        if self.published is not None:
            for state in (state for thread in threads for state in thread.states):
                try:
                    loop = objects.u64(state.address + self.published.running_loop)
                    task = objects.u64(state.address + self.published.running_task)
                except Missing:
                    raise
                except Fault:
                    # It ended.
                    continue
                if loop:
                    result[loop] = (task, state.address)
        # Before that was published, and of tasks whose class is written in Python.
        for module in self.modules:
            if module.get("_current_tasks"):
                for loop, task in objects.dict_items(module["_current_tasks"]):
                    result[loop] = (task, result.get(loop, (0, 0))[1])
        return result

    def kind(self, type_address: int) -> str:
        """Return NATIVE or PYTHON for the type of a future or task, or one made from it; nothing for another one."""
        kind = self._kinds.get(type_address)
        if kind is None:
            kind = self._kinds[type_address] = self._base_kind(type_address)
        return kind

    def _base_kind(self, kind: int) -> str:
        header = self._target.layout.header
        memory = self._target.memory
        try:
            for _ in range(32):
                if not kind:
                    break
                if kind in self._python_types:
                    return PYTHON
                if memory.cstring(memory.u64(kind + header + 8), 32) in _NATIVE:
                    return NATIVE
                kind = memory.u64(kind + header + 240)
        except Fault:
            pass
        return ""

    def type_names(self, types: Sequence[int]) -> List[str]:
        """Return the names of types, for people."""
        names: List[str] = []
        for kind in types:
            try:
                names.append(self._objects.type_name_of_type(kind))
            except Fault:
                names.append("?")
        return sorted(set(names))

    def layout(self, tasks: Sequence[int]) -> Optional[TaskLayout]:
        """Return where the fields of a task are, None when none of these shows it."""
        header = self._target.layout.header
        if self.published is not None:
            coroutine, awaited = self.published.coroutine, self.published.awaited_by
            state, by_set = awaited + 8, self.published.awaited_by_is_set
        else:
            found = 0
            for task in tasks[:_SHAPED]:
                self._source.forget()
                found = self._coroutine(task)
                if found:
                    break
            if not found:
                return None
            coroutine, awaited, by_set = found, -1, -1
            state = header + (72 if self._target.layout.minor < 13 else 80)
        # What it waits for, the coroutine and the name stand side by side.
        waiter, name = coroutine - 8, coroutine + 8
        return TaskLayout(header, header + 8, header + 24, state, waiter, coroutine, name, awaited, by_set)

    def _coroutine(self, task: int) -> int:
        """The coroutine is the first field of such a type."""
        layout = self._target.layout
        try:
            kind = self._objects.type_of(task)
            if self.kind(kind) != NATIVE:
                return 0
            size = min(self._source.u64(kind + layout.header + 16), 400)
            for place in range(layout.header, size, 8):
                value = self._source.u64(task + place)
                if value and not value & 7 and self._is_coroutine(value):
                    return place
        except Fault:
            pass
        return 0

    def _is_coroutine(self, value: int) -> bool:
        try:
            return self._objects.type_name(value) in _COROUTINES
        except Fault:
            return False

    def _members(self, container: int) -> Tuple["array[int]", int]:
        """The tasks of a set or a WeakSet, and how many there are."""
        kind = self._objects.type_name(container)
        if kind == "set":
            return self._set(container, False)
        if kind != "WeakSet":
            return array("Q"), 0
        data = self._objects.attributes(container).get("data")
        return self._set(data, True) if data else (array("Q"), 0)

    def _set(self, address: int, weak: bool) -> Tuple["array[int]", int]:
        memory, header = self._target.memory, self._target.layout.header
        _, used, mask, table = struct.unpack("<QQQQ", memory.read(address + header, 32))
        found = array("Q")
        end = table + 16 * min(mask + 1, 8 * _MOST_COUNTED)
        for start in range(table, end, _SET_STEP):
            words = array("Q", memory.read(start, min(_SET_STEP, end - start)))
            # A removed member leaves a dummy with the hash -1.
            members = [key for key, digest in zip(words[::2], words[1::2]) if key and digest != _DUMMY_HASH]
            for key in self._referents(members) if weak else members:
                found.append(key)
            if len(found) >= MOST_TASKS:
                break
        return found, used if len(found) >= MOST_TASKS else len(found)

    def _referents(self, references: List[int]) -> Iterator[int]:
        memory, place = self._target.memory, self._target.layout.header
        for first in range(0, len(references), _TOGETHER):
            some = references[first : first + _TOGETHER]
            data = memory.read_batch(Batch([(reference + place, 8) for reference in some]))
            if data is not None:
                yield from (value for value in array("Q", data) if value)
                continue
            for reference in some:
                try:
                    value = memory.u64(reference + place)
                except Fault:
                    continue
                if value:
                    yield value

    def _hidden(self) -> List[int]:
        """Where _asyncio of 3.14 and later keeps tasks of other classes: in its own state, under no name."""
        found: List[int] = []
        header = self._target.layout.header
        for interpreter in self._target.interpreters():
            module = self._objects.find_module(interpreter, "_asyncio")
            if not module:
                continue
            # After its dict the module has its definition and its state, in an order that changed.
            for place in (header + 8, header + 16):
                try:
                    words = array("Q", self._target.memory.read(self._source.u64(module + place), _STATE_BYTES))
                except Fault:
                    continue
                found += [word for word in words if not word & 7 and self._is_weak_set(word)]
        return list(dict.fromkeys(found))

    def _is_weak_set(self, address: int) -> bool:
        try:
            return self._objects.type_name(address) == "WeakSet"
        except Fault:
            return False

    def _heads(self) -> List[int]:
        assert self.published is not None
        heads = [state.address + self.published.thread_tasks for state in self._target.states()]
        return heads + [address + self.published.interpreter_tasks for address in self._target.interpreters()]

    def _linked(self, head: int) -> Tuple["array[int]", int, bool]:
        """The tasks of one list. A node that was taken out meanwhile leads nowhere: then it is walked again."""
        assert self.published is not None
        best: Tuple["array[int]", int, bool] = (array("Q"), 0, False)
        for _ in range(10):
            found = walk(Blocks(self._target.memory), head, self.published.node)
            if found[2] or found[1] >= _MOST_COUNTED:
                return found
            best = max(best, found, key=lambda entry: entry[1])
        return best

    def _search(self) -> Optional[Published]:
        """The published structure is told by the size of the interpreter state, which it repeats; no file is needed."""
        places, _ = schema(self._target.layout.minor)
        memory = self._target.memory
        size = memory.read(self._target.found.runtime + places["interpreter_size"], 8)
        inside = False
        for entry in self._target.locator.maps:
            if entry.path:
                name = os.path.basename(entry.path)
                inside = name.startswith("_asyncio") or entry.path == self._target.found.path
            if not inside or "w" not in entry.permissions or entry.end - entry.start > 1 << 24:
                continue
            for _, data in self._target.locator.pieces(entry):
                found = _search(data, size)
                if found is not None:
                    return found
        return None


def walk(source: Source, head: int, node: int) -> Tuple["array[int]", int, bool]:
    """Walk a list of tasks: those found, how many there are, and whether it came back to its head."""
    found = array("Q")
    count = 0
    try:
        current = source.u64(head)
        # Never used: a list of a thread that has run no task.
        if not current:
            return found, 0, True
        while current and current != head and count < _MOST_COUNTED:
            if count < MOST_TASKS:
                found.append(current - node)
            count += 1
            current = source.u64(current)
    except (Fault, OverflowError):
        return found, count, False
    return found, count, current == head


def _search(data: bytes, size: bytes) -> Optional[Published]:
    place = data.find(size)
    while place >= 0:
        if place >= 56 and place % 8 == 0 and place + 48 <= len(data):
            found = Published(*struct.unpack_from("<13Q", data, place - 56))
            if _plausible(found):
                return found
        place = data.find(size, place + 1)
    return None


def _plausible(found: Published) -> bool:
    return (
        100 < found.task_size < 1000
        and all(0 < value < found.task_size for value in found[1:7])
        and found.interpreter_tasks < found.interpreter_size
        and 100 < found.thread_size < 1 << 20
        and all(0 < value < found.thread_size for value in found[10:13])
    )
