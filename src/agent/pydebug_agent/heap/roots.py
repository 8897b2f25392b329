"""What holds objects and is held by nothing that has to be told: modules, frames of threads, static data."""

from __future__ import annotations

import os
import struct
from bisect import bisect_right
from typing import Dict, List, NamedTuple, Optional, Tuple

from ..reader.codeobj import CodeReader
from ..reader.frames import Frame, FrameReader, Gils, Thread
from ..reader.memory import Fault, Gone
from ..reader.memory import Pages as Cached
from ..reader.objects import Objects
from .subject import Subject

MODULE, CLASS, FRAME, COROUTINE, STATIC, C_MEMORY = "Module", "Class", "Frame", "Coroutine", "Static", "CMemory"
STACK = "evaluation stack"
_LONGEST = 100
_MOST_CHUNKS = 400


class Root(NamedTuple):
    """A root as it is told. A weak one is a word that looks like a reference, and only counts where nothing else is."""

    kind: str
    text: str
    weak: bool = False


class _Stack(NamedTuple):
    start: int
    end: int
    top: int
    thread: Thread


class Roots:
    """The roots of a process as they are now."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._layout = subject.layout
        memory = subject.target.memory
        self._source = Cached(memory)
        self.objects = Objects(self._source, subject.layout)
        self._codes = CodeReader(self._source, subject.layout, subject.target.code_type)
        # Of modules: the dict, and the table of its keys, by address.
        self.modules: Dict[int, str] = {}
        self.tables: Dict[int, int] = {}
        self.frames: List[Tuple[int, Frame, Thread]] = []
        self.stacks: List[_Stack] = []
        self._starts: List[int] = []
        self._names: Dict[int, str] = {}
        self._look_for_modules()
        self._look_for_frames()

    def _look_for_modules(self) -> None:
        header, objects = self._layout.header, self.objects
        for interpreter in self._subject.target.interpreters():
            try:
                modules = objects.u64(interpreter + self._layout.interpreter_modules)
                self.modules.setdefault(modules, "sys.modules")
                for key, value in objects.dict_items(modules):
                    try:
                        if objects.type_name(value) == "module":
                            name = objects.text(key, _LONGEST)
                            held = objects.u64(value + header)
                            self.modules.setdefault(held, name)
                    except (Fault, struct.error):
                        continue
            except (Fault, struct.error):
                continue
        for held in self.modules:
            try:
                self.tables[objects.u64(held + header + 16)] = held
            except Fault:
                continue

    def _look_for_frames(self) -> None:
        target, layout = self._subject.target, self._layout
        reader = FrameReader(target.memory, layout, Gils())
        self._names = target.names()
        try:
            # A thread has a state in each interpreter that it is in.
            threads = target.states()
        except Fault:
            return
        for thread in threads:
            try:
                for frame in reader.chain(target.memory, thread):
                    self.frames.append((frame.address, frame, thread))
                if layout.thread_chunk >= 0:
                    self._chunks(thread)
            except (Fault, Gone, struct.error):
                continue
        self.frames.sort(key=lambda entry: entry[0])
        self._starts = [entry[0] for entry in self.frames]

    def _chunks(self, thread: Thread) -> None:
        memory = self._subject.target.memory
        chunk, top, _ = struct.unpack("<QQQ", memory.read(thread.address + self._layout.thread_chunk, 24))
        for _ in range(_MOST_CHUNKS):
            if not chunk:
                break
            previous, size, used = struct.unpack("<QQQ", memory.read(chunk, 24))
            if not self.stacks or self.stacks[-1].thread is not thread:
                end = top
            else:
                end = chunk + 24 + 8 * used
            self.stacks.append(_Stack(chunk, chunk + size, end, thread))
            chunk = previous

    # Roots

    def stack(self, place: int) -> Optional[_Stack]:
        """Return the stack of a thread's frames that a place lies in."""
        for stack in self.stacks:
            if stack.start <= place < stack.end:
                return stack
        return None

    def frame_at(self, place: int) -> Optional[Tuple[Frame, Thread]]:
        """Return the frame of a thread that a place of its stack belongs to."""
        index = bisect_right(self._starts, place) - 1
        return (self.frames[index][1], self.frames[index][2]) if index >= 0 else None

    def frame_of(self, address: int) -> Optional[Tuple[Frame, Thread]]:
        """Return the running frame that begins at an address."""
        found = self.frame_at(address)
        return found if found is not None and found[0].address == address else None

    def of_frame(self, frame: Frame, thread: Thread, place: int) -> Root:
        """Tell of a thread's frame and which of its variables a place is."""
        name = self._names.get(thread.ident) or "thread %d" % thread.tid
        where = self._codes.place(frame)
        text = "?" if where is None else "%s (%s:%d)" % (where.name, os.path.basename(where.file), where.line)
        index = (place - frame.address - self._layout.frame_locals) // 8
        variable = self.variable(frame.code, index)
        return Root(FRAME, "%s, %s%s" % (name, text, " " + variable if variable else ""))

    def is_used(self, frame: Frame, place: int) -> bool:
        """Say whether a slot of a frame lies below the top of its evaluation stack, where that is known."""
        layout, memory = self._layout, self._subject.target.memory
        first = frame.address + layout.frame_locals
        try:
            if layout.frame_stackpointer > 0:
                top = memory.u64(frame.address + layout.frame_stackpointer)
                return not first <= top <= place
            top = memory.i32(frame.address + layout.frame_stacktop)
            return top < 0 or place < first + 8 * top
        except Fault:
            return False

    def variable(self, code: int, index: int) -> str:
        """Return what a frame's slot is called: a local, or a place of its evaluation stack."""
        if index < 0:
            return ""
        try:
            names = self._names_of(code)
            if index < len(names):
                return "local " + self.objects.text(names[index], _LONGEST)
            return STACK
        except (Fault, struct.error, IndexError):
            return "local"

    def _names_of(self, code: int) -> List[int]:
        if self._subject.minor >= 11:
            return self.objects.tuple_items(self._source.u64(code + 96))
        kind = self._subject.kinds.by_address.get(self._subject.target.code_type)
        members = self._subject.kinds.members_of(kind) if kind is not None else {}
        places = {name: offset for offset, name in members.items()}
        found: List[int] = []
        for name in ("co_varnames", "co_cellvars", "co_freevars"):
            if name in places:
                found += self.objects.tuple_items(self._source.u64(code + places[name]))
        return found

    def qualified(self, code: int) -> str:
        """Return the name of a code object."""
        try:
            return self.objects.text(self._source.u64(code + self._layout.code_qualname), _LONGEST)
        except (Fault, struct.error):
            return "?"

    def of_area(self, place: int, index: int) -> Optional[Root]:
        """Tell of static data and C stacks; both are weak, as their words are not known."""
        areas = self._subject.areas
        area = areas[index]
        before = areas[index - 1] if index else None
        if area.path.startswith("/"):
            return Root(STATIC, "static data of %s" % os.path.basename(area.path), True)
        if area.path == "[heap]":
            return None
        if area.is_stack:
            return Root(C_MEMORY, "perhaps the C stack of the main thread", True)
        if before is not None and before.end == area.start:
            if before.path.startswith("/"):
                return Root(STATIC, "static data of %s" % os.path.basename(before.path), True)
            if before.permissions.startswith("---"):
                return Root(C_MEMORY, "perhaps the C stack of a thread", True)
        return Root(C_MEMORY, "memory of a library", True)
