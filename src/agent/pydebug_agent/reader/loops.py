"""Event loops, and the threads that run them."""

from __future__ import annotations

from typing import Dict, List, Optional

from .asyncio_layout import Asyncio
from .frames import Thread
from .memory import Fault, Pages
from .objects import Objects
from .target import Target


class Loops:
    """Event loops and the threads that run them."""

    def __init__(self, target: Target, asyncio: Asyncio, threads: List[Thread]) -> None:
        self._objects = Objects(Pages(target.memory), target.layout)
        self._by_ident = {thread.ident: thread for thread in threads}
        self._main = next((thread for thread in threads if thread.tid == target.pid), None)
        self._threads: Dict[int, Optional[Thread]] = {}
        self.running: List[int] = []
        by_address = {state.address: thread for thread in threads for state in thread.states}
        try:
            for loop, (_, state) in asyncio.running(self._objects, threads).items():
                self.running.append(loop)
                if state in by_address:
                    self._threads[loop] = by_address[state]
        except Fault:
            pass

    def thread(self, loop: int) -> Optional[Thread]:
        """Return the thread that runs a loop, None when none does. Fault: that is no loop."""
        if loop not in self._threads:
            if not loop:
                raise Fault("no loop yet")
            self._threads[loop] = self._find(loop)
        return self._threads[loop]

    def tid(self, loop: int) -> Optional[int]:
        """Return the native id of a loop's thread."""
        try:
            thread = self.thread(loop)
        except Fault:
            return None
        return thread.tid or None if thread else None

    def _find(self, loop: int) -> Optional[Thread]:
        """A loop that does not run has None for its thread; another implementation's (uvloop) has no such attribute."""
        attributes = self._objects.attributes(loop)
        ident = attributes.get("_thread_id")
        if ident is None:
            # Most likely it is the main thread's; without any thread nothing could be proven.
            return self._main
        if self._objects.type_name(ident) != "int":
            return None
        return self._by_ident.get(self._objects.integer(ident))
