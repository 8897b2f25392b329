"""The kernel's numbers for threads, from what Python and the C library keep."""

from __future__ import annotations

from typing import Dict, List, Optional, Set

from ..system.proc import Proc
from .memory import Fault, Memory

_MOST_THREADS = 10000
# Where glibc on x86-64 keeps it: struct pthread of nptl/descr.h has ``tid`` behind 704 bytes of the thread's header and
# two pointers. It is tried first, and no more: musl and other machines have it elsewhere.
_PTHREAD_TID = 720


class NativeIds:
    """From a thread's identity to the kernel's number for it."""

    def __init__(self, memory: Memory, proc: Proc, pid: int, tids: Set[int], idents: List[int]) -> None:
        self._memory = memory
        self._proc = proc
        self._pid = pid
        self._tids = tids
        self._idents = idents
        self._offset: Optional[int] = None
        self._inner: Optional[Dict[int, int]] = None

    def find(self, ident: int, native: int) -> int:
        """Return the thread's number, 0 when it cannot be told."""
        tids = self._tids
        if native in tids:
            return native
        # 3.8 to 3.10 do not keep it, and a fork behind Python's back (uwsgi) leaves a stale one: the C library knows.
        kept = self._kept(ident)
        if kept in tids:
            return kept
        # Seen from another PID namespace, the numbers inside differ from ours.
        inner = self._inner_numbers()
        return inner.get(native) or inner.get(kept) or 0

    def _kept(self, ident: int) -> int:
        if self._offset is None:
            self._offset = self._search()
        if self._offset < 0 or not ident:
            return 0
        try:
            return self._memory.i32(ident + self._offset)
        except Fault:
            return 0

    def _search(self) -> int:
        """The C library keeps the number in its thread structure: where is found by value."""
        known = self._tids | set(self._inner_numbers())
        # A thread that has states in several interpreters has one identity.
        idents = list(dict.fromkeys([ident for ident in self._idents if ident]))[:64]
        for offset in [_PTHREAD_TID] + list(range(16, 1024, 4)):
            values = []
            for ident in idents:
                try:
                    values.append(self._memory.i32(ident + offset))
                except Fault:
                    break
            distinct = set(values)
            if values and len(values) == len(distinct) == len(idents) and 2 * len(distinct & known) >= len(values):
                return offset
        return -1

    def _inner_numbers(self) -> Dict[int, int]:
        if self._inner is None:
            self._inner = {}
            for tid in sorted(self._tids)[:_MOST_THREADS]:
                try:
                    numbers = self._proc.status(self._pid, "task", tid).get("NSpid", "").split()
                except OSError:
                    continue
                if len(numbers) > 1:
                    self._inner[int(numbers[-1])] = tid
        return self._inner
