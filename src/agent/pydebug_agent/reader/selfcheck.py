"""Whether a layout fits the live process. A layout that does not is never used."""

from __future__ import annotations

import struct
from typing import Dict, List, Set, Tuple

from .layouts import Layout
from .memory import Fault, Pages
from .objects import Objects

_MOST_THREADS = 5000
_CHECKED_THREADS = 20
_CHECKED_FRAMES = 60


class Misfit(Exception):
    """The layout does not fit; the message says where."""


class NotReady(Exception):
    """There is no interpreter, or it has no thread or modules yet."""


class SelfCheck:
    """Compares a layout with what the process says about itself."""

    def __init__(self, source: Pages, layout: Layout, runtime: int, code_type: int, tids: Set[int]) -> None:
        self._source = source
        self._layout = layout
        self._runtime = runtime
        self._objects = Objects(source, layout)
        self._tids = tids
        self.code_type = code_type
        self._frame_type = 0
        self.notes: List[str] = []
        self._wrong: List[str] = []

    def run(self) -> None:
        """Check; raises Misfit, NotReady or Fault."""
        layout, source = self._layout, self._source
        interpreter = source.u64(self._runtime + layout.runtime_head)
        if not interpreter:
            raise NotReady("no interpreter")
        states = self._threads(interpreter)
        if not states:
            raise NotReady("no thread")
        self._frames(states)
        if not self.code_type:
            raise Misfit("no code object in any frame")
        self._code()
        if layout.heap_frames and self._frame_type:
            self._heap_frame()
        modules = source.u64(interpreter + layout.interpreter_modules)
        if not modules:
            raise NotReady("no modules")
        if self._objects.type_name(modules) != "dict" or not self._holds_sys(modules):
            self._wrong.append("the modules are no dict that has sys")
        if self._wrong:
            raise Misfit("; ".join(sorted(set(self._wrong))[:3]))

    def _holds_sys(self, modules: int) -> bool:
        objects = self._objects
        for key, value in objects.dict_items(modules):
            if objects.is_text(key) and objects.text(key, 8) == "sys":
                return objects.type_name(value) == "module"
        return False

    def _threads(self, interpreter: int) -> List[int]:
        layout, source = self._layout, self._source
        result: List[int] = []
        known = bound = 0
        state = source.u64(interpreter + layout.interpreter_threads)
        while state and len(result) < _MOST_THREADS:
            if source.u64(state + layout.thread_interpreter) != interpreter:
                raise Misfit("a thread state does not point back to its interpreter")
            ident = source.u64(state + layout.thread_ident)
            # A thread's identity is its pthread_t, which begins with a pointer to itself.
            bound += ident != 0
            if ident and ident not in (source.u64(ident), source.u64(ident + 16)):
                self._wrong.append("a thread's identity is no pthread")
            if layout.thread_native >= 0:
                known += source.u64(state + layout.thread_native) in self._tids
            result.append(state)
            state = source.u64(state + layout.thread_next)
        if result and not bound:
            self._wrong.append("no thread has an identity")
        if layout.thread_native >= 0 and result and not known:
            self.notes.append("No thread's native id is one of this process: it was forked behind Python's back.")
        return result

    def _frames(self, states: List[int]) -> None:
        layout, source = self._layout, self._source
        seen = visited = 0
        failure = ""
        unreadable = 0
        for state in states[:_CHECKED_THREADS]:
            try:
                if layout.thread_cframe >= 0:
                    frame = source.u64(source.u64(state + layout.thread_cframe) + layout.cframe_frame)
                else:
                    frame = source.u64(state + layout.thread_frame)
                for _ in range(_CHECKED_FRAMES):
                    if not frame:
                        break
                    visited += 1
                    seen += self._one_frame(frame)
                    frame = source.u64(frame + layout.frame_previous)
            except Fault as fault:
                unreadable += 1
                failure = str(fault)
        if visited and not seen and not unreadable:
            self._wrong.append("no frame has a code object")
        if unreadable and not seen:
            self._wrong.append("no frame can be read (%s)" % failure)

    def _one_frame(self, frame: int) -> bool:
        layout, source = self._layout, self._source
        code = source.u64(frame + layout.frame_code) & ~7
        if not code:
            return False
        kind = self._objects.type_of(code)
        if not kind or source.cstring(source.u64(kind + layout.header + 8), 8) != b"code":
            return False
        self.code_type = kind
        if layout.heap_frames:
            self._frame_type = self._objects.type_of(frame)
        return True

    def _code(self) -> None:
        layout = self._layout
        members = self._members(self.code_type)
        expected = [
            ("co_filename", layout.code_file),
            ("co_name", layout.code_name),
            ("co_firstlineno", layout.code_first_line),
        ]
        if layout.minor >= 11:
            expected.append(("co_qualname", layout.code_qualname))
            self._basic_size("co_code_adaptive", self.code_type, layout.code_start)
        if "co_filename" not in members:
            self._wrong.append("the code type has no member co_filename")
        self._compare(members, expected)

    def _heap_frame(self) -> None:
        layout = self._layout
        members = self._members(self._frame_type)
        self._compare(members, [("f_back", layout.frame_previous), ("f_code", layout.frame_code)])
        self._basic_size("f_localsplus", self._frame_type, layout.frame_locals + 8)

    def _compare(self, members: Dict[str, int], expected: List[Tuple[str, int]]) -> None:
        for name, offset in expected:
            if members.get(name, offset) != offset:
                self._wrong.append("%s is at %d, not at %d" % (name, members[name], offset))

    def _basic_size(self, name: str, kind: int, expected: int) -> None:
        # Equal, not near: a tolerance lets the neighbouring minor's table pass.
        size = self._source.u64(kind + self._layout.header + 16)
        if size != expected:
            self._wrong.append("%s ends at %d, and its type is %d long" % (name, expected, size))

    def _members(self, kind: int) -> Dict[str, int]:
        result: Dict[str, int] = {}
        address = self._source.u64(kind + self._layout.header + 224)
        for _ in range(64):
            name, _, offset = struct.unpack("<QQQ", self._source.read(address, 24))
            if not name:
                break
            result[self._source.cstring(name, 32).decode("ascii", "replace")] = offset
            address += 40
        return result


