"""Where asyncio keeps its tasks: published by the _asyncio module from 3.14 on, found by shape before."""

from __future__ import annotations

import os
import struct
from typing import Dict, List, NamedTuple, Optional, Set, Tuple

from .frames import Thread
from .layouts import schema
from .memory import Fault, Missing, Pages, Source
from .objects import Objects
from .target import Target

_MOST_TASKS = 50000
_COROUTINES = ("coroutine", "generator")


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


class Asyncio:
    """The asyncio of one process: its tasks' addresses and their layout."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._source = Pages(target.memory)
        self._objects = Objects(self._source, target.layout)
        self.published: Optional[Published] = None
        self.modules: List[Dict[str, int]] = []
        for interpreter in target.interpreters():
            module = self._objects.module(interpreter, "asyncio.tasks")
            if module:
                self.modules.append(module)
        self.loaded = bool(self.modules)
        if self.loaded and target.layout.minor >= 14:
            self.published = self._search()

    def addresses(self) -> List[int]:
        """Return the addresses of what are tasks now, as far as an unheld look can tell."""
        self._source.forget()
        found: List[int] = []
        for module in self.modules:
            for name in ("_scheduled_tasks", "_all_tasks", "_eager_tasks"):
                if module.get(name):
                    found += self._members(module[name])
        if self.published is not None:
            for head in self._heads():
                found += self._linked(head)
        return list(dict.fromkeys(found))[:_MOST_TASKS]

    def running(self, objects: Objects, threads: List[Thread]) -> Dict[int, Tuple[int, int]]:
        """Return the task each event loop is in, and its thread's state where that is known, by the loop's address."""
        result: Dict[int, Tuple[int, int]] = {}
        if self.published is not None:
            for thread in threads:
                try:
                    loop = objects.u64(thread.address + self.published.running_loop)
                    task = objects.u64(thread.address + self.published.running_task)
                except Missing:
                    raise
                except Fault:
                    # It ended.
                    continue
                if loop:
                    result[loop] = (task, thread.address)
            return result
        for module in self.modules:
            if module.get("_current_tasks"):
                for loop, task in objects.dict_items(module["_current_tasks"]):
                    result[loop] = (task, 0)
        return result

    def kinds(self, addresses: List[int]) -> Set[int]:
        """Return the types among these that are asyncio's own task or made from it."""
        result: Set[int] = set()
        others: Set[int] = set()
        for address in addresses:
            try:
                kind = self._objects.type_of(address)
                if kind not in result and kind not in others:
                    (result if self._is_task(kind) else others).add(kind)
            except Fault:
                continue
        return result

    def _is_task(self, kind: int) -> bool:
        header = self._target.layout.header
        for _ in range(16):
            if not kind:
                break
            if self._source.cstring(self._source.u64(kind + header + 8), 32) == b"_asyncio.Task":
                return True
            kind = self._source.u64(kind + header + 240)
        return False

    def layout(self, tasks: List[int]) -> Optional[TaskLayout]:
        """Return where the fields of a task are, None when no task shows it."""
        header = self._target.layout.header
        if self.published is not None:
            coroutine, awaited = self.published.coroutine, self.published.awaited_by
            state, by_set = awaited + 8, self.published.awaited_by_is_set
        else:
            found = next((place for place in map(self._coroutine, tasks) if place), 0)
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
            size = min(self._source.u64(self._objects.type_of(task) + layout.header + 16), 400)
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

    def _members(self, container: int) -> List[int]:
        kind = self._objects.type_name(container)
        if kind == "set":
            return self._objects.set_items(container)
        if kind != "WeakSet":
            return []
        data = self._objects.attributes(container).get("data")
        header = self._target.layout.header
        found: List[int] = []
        for reference in self._objects.set_items(data) if data else ():
            try:
                found.append(self._source.u64(reference + header))
            except Fault:
                continue
        return [address for address in found if address]

    def _heads(self) -> List[int]:
        assert self.published is not None
        heads = [thread.address + self.published.thread_tasks for thread in self._target.threads()]
        return heads + [address + self.published.interpreter_tasks for address in self._target.interpreters()]

    def _linked(self, head: int) -> List[int]:
        """The tasks of one list. A node that was taken out meanwhile leads nowhere: then it is walked again."""
        assert self.published is not None
        best: List[int] = []
        for _ in range(10):
            found, complete = walk(self._source, head, self.published.node)
            if complete:
                return found
            best = max(best, found, key=len)
            self._source.forget()
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


def walk(source: Source, head: int, node: int) -> Tuple[List[int], bool]:
    """Walk a list of tasks; say too whether it came back to its head."""
    found: List[int] = []
    try:
        current = source.u64(head)
        # Never used: a list of a thread that has run no task.
        if not current:
            return found, True
        while current and current != head:
            if len(found) >= _MOST_TASKS:
                return found, True
            found.append(current - node)
            current = source.u64(current)
    except Fault:
        return found, False
    return found, current == head


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
