"""The functions of the target that are called: the interpreter's and the C library's."""

from __future__ import annotations

import struct
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

from .. import wire
from ..reader.elf import Image
from ..reader.memory import Fault, Memory
from ..system import errors
from ..system.proc import Mapping
from .chain import restorer_in
from .libraries import is_glibc, is_libc, name_of
from .registers import Span

_THREADS = ("pthread_attr_init", "pthread_attr_setdetachstate", "pthread_create", "usleep", "dlopen")
_PYTHON = ("PyGILState_Ensure", "PyRun_SimpleString", "PyGILState_Release")
_EVAL_LOOP = "_PyEval_EvalFrameDefault"
_LARGEST_CODE = 1 << 22


class Symbols:
    """Finds what is needed, or raises what stands in the way."""

    def __init__(self, pid: int, memory: Memory, maps: List[Mapping]) -> None:
        self._pid = pid
        self._memory = memory
        self._maps = maps
        libraries = list(self._images(is_glibc))
        found = self._find(_THREADS, libraries)
        everything = list(self._images(lambda name: not name.endswith(".so") or "python" in name))
        found.update(self._find(_PYTHON, everything))
        missing = [name for name in _THREADS + _PYTHON if name not in found]
        if missing:
            raise unsafe(pid, "symbols", f"its program does not export {', '.join(missing)}")
        self.functions = found
        self.restorer = self._restorer()
        self.eval_loop = self._eval_loop(everything)

    def _images(self, wanted: Callable[[str], bool]) -> Iterator[Image]:
        seen = set()
        for entry in self._maps:
            name = name_of(entry.path)
            if entry.offset or not entry.path.startswith("/") or entry.path in seen or not wanted(name):
                continue
            seen.add(entry.path)
            try:
                yield Image(self._memory, entry.start)
            except (Fault, struct.error):
                continue

    @staticmethod
    def _find(names: Tuple[str, ...], images: List[Image]) -> Dict[str, int]:
        found: Dict[str, int] = {}
        for image in images:
            for name in names:
                if name not in found:
                    address = _extent(image, name)
                    if address is not None:
                        found[name] = address[0]
        return found

    def _restorer(self) -> int:
        for entry in self._maps:
            if "x" in entry.permissions and is_libc(name_of(entry.path)):
                place = restorer_in(self._memory.read(entry.start, min(entry.end - entry.start, _LARGEST_CODE)))
                if place is not None:
                    return entry.start + place
        raise unsafe(self._pid, "symbols", "its C library returns from signals in a way that is not known")

    @staticmethod
    def _eval_loop(images: List[Image]) -> Optional[Span]:
        for image in images:
            found = _extent(image, _EVAL_LOOP)
            if found is not None and found[1]:
                return found[0], found[0] + found[1]
        return None


def unsafe(pid: int, reason: str, sentence: str, detail: Optional[Dict[str, Any]] = None) -> errors.AgentError:
    """Return the failure of a process into which there is no way that is known to be safe."""
    return errors.AgentError(
        wire.MEMRAY_UNSAFE,
        f"Nothing can be started safely inside process {pid}: {sentence}.",
        pid,
        {"reason": reason, **(detail or {})},
    )


def _extent(image: Image, name: str) -> Optional[Tuple[int, int]]:
    try:
        return image.extent(name)
    except (Fault, struct.error):
        return None
